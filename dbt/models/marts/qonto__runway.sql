-- How long does the cash last, if the coming months are like the last ones?
--
-- The average of the last `qonto__runway_months` full months, own and intercompany transfers apart.
with cash as (
    select organization_id, organization, currency, sum(balance_cents) as cash_cents
    from {{ ref('qonto__daily_balances') }}
    where day = {{ qonto_today() }}
    group by organization_id, organization, currency
),
months as (
    select
        organization_id,
        currency,
        count(*) as months,
        sum(in_cents) * 1.0 / count(*) as in_cents,
        sum(out_cents) * 1.0 / count(*) as out_cents
    from {{ ref('qonto__monthly_cash_flow') }}
    where
        month < {{ qonto_month(qonto_today()) }}
        and month >= {{ qonto_month(qonto_today()) }}
            - interval '{{ var("qonto__runway_months") }} months'
    group by organization_id, currency
),
receivable as (
    select organization_id, currency, sum(open_cents) as cents
    from {{ ref('qonto__receivables') }}
    where open_cents > 0
    group by organization_id, currency
),
payable as (
    select organization_id, currency, sum(open_cents) as cents
    from {{ ref('qonto__payables') }}
    where open_cents <> 0
    group by organization_id, currency
)
select
    cash.organization_id,
    cash.organization,
    cash.currency,
    cast(cash.cash_cents as bigint) as cash_cents,
    coalesce(months.months, 0) as months,
    cast(round(months.in_cents) as bigint) as monthly_in_cents,
    cast(round(months.out_cents) as bigint) as monthly_out_cents,
    cast(round(months.out_cents - months.in_cents) as bigint) as monthly_burn_cents,
    case
        when months.out_cents > months.in_cents
            then cast(round(cash.cash_cents / (months.out_cents - months.in_cents), 1) as decimal(18, 1))
    end as runway_months,
    cast(coalesce(receivable.cents, 0) as bigint) as receivable_cents,
    cast(coalesce(payable.cents, 0) as bigint) as payable_cents
from cash
left join months
    on months.organization_id = cash.organization_id
    and months.currency = cash.currency
left join receivable
    on receivable.organization_id = cash.organization_id
    and receivable.currency = cash.currency
left join payable
    on payable.organization_id = cash.organization_id
    and payable.currency = cash.currency
