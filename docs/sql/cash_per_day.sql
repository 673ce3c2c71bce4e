-- How much cash did each organization hold at the end of each day, and what moved?
--
-- One row per day, organization and currency, from the first settled movement to today. Amounts are
-- cents. `balance_cents` is Qonto's own: the balance after the last movement that settled that day,
-- over all accounts of the currency; days without any keep the balance of the day before. Days are
-- UTC days. Accounts of other banks count only if you read them and they have settled balances.

with recursive
settled as (
    select
        organization_id,
        bank_account_id,
        currency,
        id,
        settled_at,
        cast(settled_at as date) as day,
        case side when 'credit' then amount_cents else 0 end as in_cents,
        case side when 'credit' then 0 else amount_cents end as out_cents,
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
            partition by settled.organization_id, settled.bank_account_id, settled.day
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
evenings as (
    select organization_id, bank_account_id, currency, day, after_cents
    from last_first
    where place = 1
),
movements as (
    select
        organization_id,
        bank_account_id,
        day,
        sum(in_cents) as in_cents,
        sum(out_cents) as out_cents
    from settled
    group by organization_id, bank_account_id, day
),
days (day) as (
    select min(day) from evenings
    union all
    select cast(day + interval '1 day' as date) from days where day < current_date
),
accounts as (
    select organization_id, bank_account_id, currency, min(day) as first_day
    from evenings
    group by organization_id, bank_account_id, currency
),
-- Every account on every day; `stretch` numbers the days from one evening balance to the next.
calendar as (
    select
        accounts.organization_id,
        accounts.bank_account_id,
        accounts.currency,
        days.day,
        evenings.after_cents,
        count(evenings.after_cents) over (
            partition by accounts.organization_id, accounts.bank_account_id
            order by days.day
        ) as stretch
    from accounts
    join days on days.day >= accounts.first_day
    left join evenings
        on evenings.organization_id = accounts.organization_id
        and evenings.bank_account_id = accounts.bank_account_id
        and evenings.day = days.day
),
balances as (
    select
        organization_id,
        bank_account_id,
        currency,
        day,
        max(after_cents) over (
            partition by organization_id, bank_account_id, stretch
        ) as balance_cents
    from calendar
)
select
    balances.day,
    user_organizations.name as organization,
    balances.currency,
    cast(coalesce(sum(movements.in_cents), 0) as bigint) as in_cents,
    cast(coalesce(sum(movements.out_cents), 0) as bigint) as out_cents,
    cast(sum(balances.balance_cents) as bigint) as balance_cents
from balances
join user_organizations on user_organizations.id = balances.organization_id
left join movements
    on movements.organization_id = balances.organization_id
    and movements.bank_account_id = balances.bank_account_id
    and movements.day = balances.day
group by balances.day, balances.organization_id, user_organizations.name, balances.currency
order by balances.day, organization, balances.currency;
