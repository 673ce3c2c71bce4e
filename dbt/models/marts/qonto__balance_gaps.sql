-- Is a settled transaction missing, or is its amount wrong? No row means no.
--
-- Each completed transaction tells the balance of its account afterwards. Taking its amount away
-- gives the balance before, and another transaction must have left exactly that: in the moment
-- before, or in the same one. Where none did, this is the first transaction after the gap. The
-- oldest transaction of an account has nothing before it: see qonto__account_checks.
with settled as (
    select * from {{ ref('int_qonto__settled') }}
),
moments as (
    select
        organization_id,
        bank_account_id,
        settled_at,
        lag(settled_at) over (partition by organization_id, bank_account_id order by settled_at)
            as earlier
    from settled
    group by organization_id, bank_account_id, settled_at
),
gaps as (
    select settled.*, moments.earlier
    from settled
    inner join moments
        on moments.organization_id = settled.organization_id
        and moments.bank_account_id = settled.bank_account_id
        and moments.settled_at = settled.settled_at
    left join settled as before
        on before.organization_id = settled.organization_id
        and before.bank_account_id = settled.bank_account_id
        and before.settled_at = moments.earlier
        and before.after_cents = settled.before_cents
    left join settled as beside
        on beside.organization_id = settled.organization_id
        and beside.bank_account_id = settled.bank_account_id
        and beside.settled_at = settled.settled_at
        and beside.after_cents = settled.before_cents
        and beside.transaction_id <> settled.transaction_id
    where moments.earlier is not null and before.transaction_id is null and beside.transaction_id is null
),
-- what the moment before left; of several balances then, the one that jumps least
jumps as (
    select
        gaps.*,
        left_over.after_cents as left_cents,
        row_number() over (
            partition by gaps.organization_id, gaps.transaction_id
            order by abs(gaps.before_cents - left_over.after_cents)
        ) as place
    from gaps
    inner join settled as left_over
        on left_over.organization_id = gaps.organization_id
        and left_over.bank_account_id = gaps.bank_account_id
        and left_over.settled_at = gaps.earlier
)
select
    jumps.organization_id,
    organizations.organization,
    jumps.bank_account_id,
    jumps.earlier as settled_before,
    jumps.settled_at as settled_after,
    cast(jumps.left_cents as bigint) as left_cents,
    cast(jumps.before_cents as bigint) as found_cents,
    cast(jumps.before_cents - jumps.left_cents as bigint) as jump_cents,
    jumps.currency,
    jumps.transaction_id
from jumps
left join {{ ref('stg_qonto__organizations') }} as organizations
    on organizations.organization_id = jumps.organization_id
where jumps.place = 1
