-- How much came in and went out each month, without money moved between one's own accounts?
with flows as (
    select
        organization_id,
        currency,
        settled_month as month,
        sum(case when own_transfer is null and amount_cents > 0 then amount_cents else 0 end) as in_cents,
        sum(case when own_transfer is null and amount_cents < 0 then -amount_cents else 0 end) as out_cents,
        sum(case when own_transfer = 'within organization' then amount_cents else 0 end)
            as own_transfers_cents,
        sum(case when own_transfer = 'between organizations' then amount_cents else 0 end)
            as intercompany_cents,
        count(*) as transactions
    from {{ ref('qonto__transactions') }}
    where status = 'completed' and settled_month is not null
    group by organization_id, currency, settled_month
),
balances as (
    select
        organization_id,
        currency,
        {{ qonto_month('day') }} as month,
        max(day) as last_day
    from {{ ref('qonto__daily_balances') }}
    group by organization_id, currency, {{ qonto_month('day') }}
),
closing as (
    select
        balances.organization_id,
        balances.currency,
        balances.month,
        sum(days.balance_cents) as closing_cents
    from balances
    inner join {{ ref('qonto__daily_balances') }} as days
        on days.organization_id = balances.organization_id
        and days.currency = balances.currency
        and days.day = balances.last_day
    group by balances.organization_id, balances.currency, balances.month
)
select
    coalesce(flows.organization_id, closing.organization_id) as organization_id,
    organizations.organization,
    coalesce(flows.currency, closing.currency) as currency,
    coalesce(flows.month, closing.month) as month,
    cast(coalesce(flows.in_cents, 0) as bigint) as in_cents,
    cast(coalesce(flows.out_cents, 0) as bigint) as out_cents,
    cast(coalesce(flows.in_cents, 0) - coalesce(flows.out_cents, 0) as bigint) as net_cents,
    cast(coalesce(flows.own_transfers_cents, 0) as bigint) as own_transfers_cents,
    cast(coalesce(flows.intercompany_cents, 0) as bigint) as intercompany_cents,
    cast(coalesce(flows.transactions, 0) as bigint) as transactions,
    cast(closing.closing_cents as bigint) as closing_cents
from closing
full join flows
    on flows.organization_id = closing.organization_id
    and flows.currency = closing.currency
    and flows.month = closing.month
left join {{ ref('stg_qonto__organizations') }} as organizations
    on organizations.organization_id = coalesce(flows.organization_id, closing.organization_id)
