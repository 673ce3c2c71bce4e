-- How much did each account hold at the end of each day, and what moved?
--
-- From the first settled movement to today, in days of `qonto__timezone`. The balance is Qonto's own:
-- that after the last movement of the day. Days without any keep the balance of the day before.
with settled as (
    select * from {{ ref('int_qonto__settled') }}
),
ranked as (
    select
        settled.*,
        row_number() over (
            partition by organization_id, bank_account_id, settled_on
            order by settled_at desc, case when is_last_of_moment then 0 else 1 end, transaction_id
        ) as place
    from settled
),
evenings as (
    select organization_id, bank_account_id, settled_on as day, after_cents
    from ranked
    where place = 1
),
movements as (
    select
        organization_id,
        bank_account_id,
        settled_on as day,
        sum(case when amount_cents > 0 then amount_cents else 0 end) as in_cents,
        sum(case when amount_cents < 0 then -amount_cents else 0 end) as out_cents
    from settled
    group by organization_id, bank_account_id, settled_on
),
accounts as (
    select organization_id, bank_account_id, currency, min(settled_on) as first_day
    from settled
    group by organization_id, bank_account_id, currency
),
days as (
    select
        organization_id,
        bank_account_id,
        currency,
        {{ qonto_each_day('first_day', qonto_today()) }} as day
    from accounts
),
-- `stretch` numbers the days from one evening balance to the next
calendar as (
    select
        days.organization_id,
        days.bank_account_id,
        days.currency,
        days.day,
        evenings.after_cents,
        count(evenings.after_cents) over (
            partition by days.organization_id, days.bank_account_id order by days.day
        ) as stretch
    from days
    left join evenings
        on evenings.organization_id = days.organization_id
        and evenings.bank_account_id = days.bank_account_id
        and evenings.day = days.day
),
balances as (
    select
        organization_id,
        bank_account_id,
        currency,
        day,
        max(after_cents) over (partition by organization_id, bank_account_id, stretch)
            as balance_cents
    from calendar
)
select
    balances.organization_id,
    organizations.organization,
    balances.bank_account_id,
    bank_accounts.bank_account,
    balances.currency,
    balances.day,
    cast(coalesce(movements.in_cents, 0) as bigint) as in_cents,
    cast(coalesce(movements.out_cents, 0) as bigint) as out_cents,
    cast(balances.balance_cents as bigint) as balance_cents,
    {{ qonto_amount('balances.balance_cents') }} as balance
from balances
left join movements
    on movements.organization_id = balances.organization_id
    and movements.bank_account_id = balances.bank_account_id
    and movements.day = balances.day
left join {{ ref('stg_qonto__organizations') }} as organizations
    on organizations.organization_id = balances.organization_id
left join {{ ref('stg_qonto__bank_accounts') }} as bank_accounts
    on bank_accounts.organization_id = balances.organization_id
    and bank_accounts.bank_account_id = balances.bank_account_id
