-- The cash flow of a month is the change of its balances: no transaction is counted twice or left
-- out when transfers of one's own are set apart. Only where every settled transaction tells a balance.
with silent as (
    select distinct organization_id, currency
    from {{ ref('qonto__transactions') }}
    where status = 'completed' and settled_balance_cents is null
    union
    select organization_id, currency
    from {{ ref('qonto__balance_gaps') }}
),
months as (
    select
        flow.*,
        lag(closing_cents) over (partition by organization_id, currency order by month) as opening_cents
    from {{ ref('qonto__monthly_cash_flow') }} as flow
),
-- an account that begins in the month brings the balance it had before its first transaction
begun as (
    select settled.organization_id, settled.currency, {{ qonto_month('settled.settled_on') }} as month,
        sum(settled.before_cents) as cents
    from (
        select
            int_settled.*,
            row_number() over (
                partition by organization_id, bank_account_id
                order by settled_at, case when is_last_of_moment then 1 else 0 end, transaction_id
            ) as place
        from {{ ref('int_qonto__settled') }} as int_settled
    ) as settled
    where settled.place = 1
    group by settled.organization_id, settled.currency, {{ qonto_month('settled.settled_on') }}
)
select months.*
from months
left join silent
    on silent.organization_id = months.organization_id
    and silent.currency = months.currency
left join begun
    on begun.organization_id = months.organization_id
    and begun.currency = months.currency
    and begun.month = months.month
where
    silent.organization_id is null
    and coalesce(months.opening_cents, 0) + coalesce(begun.cents, 0)
        + months.net_cents + months.own_transfers_cents + months.intercompany_cents
        <> months.closing_cents
