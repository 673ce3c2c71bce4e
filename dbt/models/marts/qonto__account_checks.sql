-- Does the warehouse hold what Qonto holds, account by account?
--
-- For each account: one row with the balance in cents that the last settled transaction left, and
-- one per status with the number of transactions. `verdict` says ok, or what is wrong. The counts
-- need the stream `transaction_counts`, which is off by default, in the same run as `transactions`
-- and `bank_account_balances`; without it they are `not asked for`.
with counted as (
    select
        coalesce(there.organization_id, here.organization_id) as organization_id,
        coalesce(there.bank_account_id, here.bank_account_id) as bank_account_id,
        coalesce(there.status, here.status) as what,
        there.transactions as in_qonto,
        coalesce(here.transactions, 0) as in_warehouse
    from {{ ref('stg_qonto__transaction_counts') }} as there
    full join (
        select organization_id, bank_account_id, status, count(*) as transactions
        from {{ ref('stg_qonto__transactions') }}
        group by organization_id, bank_account_id, status
    ) as here
        on here.organization_id = there.organization_id
        and here.bank_account_id = there.bank_account_id
        and here.status = there.status
),
last_settled as (
    select
        settled.*,
        row_number() over (
            partition by organization_id, bank_account_id
            order by settled_at desc, case when is_last_of_moment then 0 else 1 end, transaction_id
        ) as place
    from {{ ref('int_qonto__settled') }} as settled
),
observed as (
    select
        balances.*,
        row_number() over (
            partition by organization_id, bank_account_id order by observed_at desc
        ) as place
    from {{ ref('stg_qonto__bank_account_balances') }} as balances
),
judged as (
    select
        organization_id,
        bank_account_id,
        what,
        in_qonto,
        in_warehouse,
        case
            when in_qonto is null then 'not asked for'
            when in_qonto = in_warehouse then 'ok'
            when in_qonto > in_warehouse then 'missing'
            else 'too many'
        end as verdict
    from counted

    union all

    select
        observed.organization_id,
        observed.bank_account_id,
        'balance, cents' as what,
        observed.balance_cents as in_qonto,
        coalesce(last_settled.after_cents, 0) as in_warehouse,
        case
            when observed.balance_cents = coalesce(last_settled.after_cents, 0) then 'ok'
            else 'differs'
        end as verdict
    from observed
    left join last_settled
        on last_settled.organization_id = observed.organization_id
        and last_settled.bank_account_id = observed.bank_account_id
        and last_settled.place = 1
    where observed.place = 1
)
select
    judged.organization_id,
    organizations.organization,
    judged.bank_account_id,
    accounts.bank_account,
    judged.what,
    cast(judged.in_qonto as bigint) as in_qonto,
    cast(judged.in_warehouse as bigint) as in_warehouse,
    cast(judged.in_warehouse - judged.in_qonto as bigint) as difference,
    judged.verdict
from judged
left join {{ ref('stg_qonto__organizations') }} as organizations
    on organizations.organization_id = judged.organization_id
left join {{ ref('stg_qonto__bank_accounts') }} as accounts
    on accounts.organization_id = judged.organization_id
    and accounts.bank_account_id = judged.bank_account_id
