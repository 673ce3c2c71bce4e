-- Is a settled transaction missing, or is its amount wrong? No row means no.
--
-- Each completed transaction tells the balance of its account afterwards. Taking its amount away
-- gives the balance before, and another transaction must have left exactly that: in the moment
-- before, or in the same one, since several can settle at once in an order that nobody tells.
-- Where none did, this prints the first transaction after the gap and by how many cents the
-- balance jumped. The oldest transaction of an account has nothing before it: whether older ones
-- are missing is what check_accounts.sql tells.

with settled as (
    select
        organization_id,
        bank_account_id,
        currency,
        id,
        settled_at,
        settled_balance_cents as after_cents,
        settled_balance_cents
            - case side when 'credit' then amount_cents else -amount_cents end as before_cents
    from transactions
    where status = 'completed' and settled_balance_cents is not null
),
moments as (
    select
        organization_id,
        bank_account_id,
        settled_at,
        lag(settled_at) over (
            partition by organization_id, bank_account_id
            order by settled_at
        ) as earlier
    from settled
    group by organization_id, bank_account_id, settled_at
),
gaps as (
    select settled.*, moments.earlier
    from settled
    join moments
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
        and beside.id <> settled.id
    where moments.earlier is not null and before.id is null and beside.id is null
),
-- What the moment before left; of several balances then, the one that jumps least.
jumps as (
    select
        gaps.*,
        left_over.after_cents as left_cents,
        row_number() over (
            partition by gaps.organization_id, gaps.id
            order by abs(gaps.before_cents - left_over.after_cents)
        ) as place
    from gaps
    join settled as left_over
        on left_over.organization_id = gaps.organization_id
        and left_over.bank_account_id = gaps.bank_account_id
        and left_over.settled_at = gaps.earlier
)
select
    user_organizations.name as organization,
    jumps.bank_account_id,
    jumps.earlier as settled_before,
    jumps.settled_at as settled_after,
    cast(jumps.left_cents as bigint) as left_cents,
    cast(jumps.before_cents as bigint) as found_cents,
    cast(jumps.before_cents - jumps.left_cents as bigint) as jump_cents,
    jumps.currency,
    jumps.id as transaction_id
from jumps
join user_organizations on user_organizations.id = jumps.organization_id
where jumps.place = 1
order by organization, jumps.bank_account_id, jumps.settled_at;
