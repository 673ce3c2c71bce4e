-- Does the warehouse hold what Qonto holds, account by account?
--
-- For each account: one row per status with the number of transactions, and one with the balance
-- in cents that the last settled transaction left. `verdict` says ok, or what is wrong; the rows
-- that are not ok come first. Needs the stream `transaction_counts`, which is off by default, in
-- the same run as `transactions` and `bank_account_balances`: see docs/checking.md.

with counted as (
    select
        coalesce(there.organization_id, here.organization_id) as organization_id,
        coalesce(there.bank_account_id, here.bank_account_id) as bank_account_id,
        coalesce(there.status, here.status) as what,
        there.transactions as in_qonto,
        coalesce(here.transactions, 0) as in_warehouse
    from (
        select organization_id, bank_account_id, status, transaction_counts.count as transactions
        from transaction_counts
    ) as there
    full join (
        select organization_id, bank_account_id, status, count(*) as transactions
        from transactions
        group by organization_id, bank_account_id, status
    ) as here
        on here.organization_id = there.organization_id
        and here.bank_account_id = there.bank_account_id
        and here.status = there.status
),
settled as (
    select
        organization_id,
        bank_account_id,
        id,
        settled_at,
        settled_balance_cents as after_cents,
        settled_balance_cents
            - case side when 'credit' then amount_cents else -amount_cents end as before_cents
    from transactions
    where status = 'completed' and settled_balance_cents is not null
),
-- Of several movements that settled in one moment, the last is the one that no other goes on from.
last_first as (
    select
        settled.*,
        row_number() over (
            partition by settled.organization_id, settled.bank_account_id
            order by settled.settled_at desc, case when next.id is null then 0 else 1 end
        ) as place
    from settled
    left join settled as next
        on next.organization_id = settled.organization_id
        and next.bank_account_id = settled.bank_account_id
        and next.settled_at = settled.settled_at
        and next.before_cents = settled.after_cents
        and next.id <> settled.id
),
observed as (
    select
        bank_account_balances.*,
        row_number() over (
            partition by organization_id, bank_account_id
            order by observed_at desc
        ) as place
    from bank_account_balances
),
balances as (
    select
        observed.organization_id,
        observed.bank_account_id,
        'balance, cents' as what,
        observed.balance_cents as in_qonto,
        coalesce(last_first.after_cents, 0) as in_warehouse
    from observed
    left join last_first
        on last_first.organization_id = observed.organization_id
        and last_first.bank_account_id = observed.bank_account_id
        and last_first.place = 1
    where observed.place = 1
),
compared as (
    select * from counted
    union all
    select * from balances
),
judged as (
    select
        compared.*,
        case
            when in_qonto is null then 'not asked for'
            when in_qonto = in_warehouse then 'ok'
            when what = 'balance, cents' then 'differs'
            when in_qonto > in_warehouse then 'missing'
            else 'too many'
        end as verdict
    from compared
)
select
    user_organizations.name as organization,
    bank_accounts.name as account,
    judged.what,
    cast(judged.in_qonto as bigint) as in_qonto,
    cast(judged.in_warehouse as bigint) as in_warehouse,
    cast(judged.in_warehouse - judged.in_qonto as bigint) as difference,
    judged.verdict,
    judged.bank_account_id
from judged
join user_organizations on user_organizations.id = judged.organization_id
left join bank_accounts
    on bank_accounts.organization_id = judged.organization_id
    and bank_accounts.id = judged.bank_account_id
order by
    case judged.verdict when 'ok' then 1 else 0 end,
    organization,
    account,
    judged.bank_account_id,
    judged.what;
