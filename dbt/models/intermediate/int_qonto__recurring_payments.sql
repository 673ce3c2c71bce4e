-- One row per payee that is paid again and again at even distances: subscriptions, rent, insurance.
--
-- At least `qonto__recurring_min_payments` payments, three of four of them at the distance that is
-- usual for the payee, and of amounts that are usually alike. Several payments of one day count
-- once, with the largest. Own transfers are no spending.
with payments as (
    select
        transactions.organization_id,
        transactions.currency,
        lower(transactions.counterparty_name) as counterparty_key,
        transactions.emitted_on,
        max(-transactions.amount_cents) as cents,
        max(transactions.counterparty_name) as counterparty,
        max(transactions.operation_type) as operation_type
    from {{ ref('stg_qonto__transactions') }} as transactions
    left join {{ ref('int_qonto__own_transfers') }} as own
        on own.organization_id = transactions.organization_id
        and own.transaction_id = transactions.transaction_id
    where
        transactions.amount_cents < 0
        and transactions.status in ('completed', 'pending')
        and transactions.counterparty_name is not null
        and own.transaction_id is null
    group by
        transactions.organization_id, transactions.currency,
        lower(transactions.counterparty_name), transactions.emitted_on
),
steps as (
    select
        payments.*,
        lag(emitted_on) over payee as before_on,
        lag(cents) over payee as before_cents
    from payments
    window payee as (
        partition by organization_id, currency, counterparty_key order by emitted_on
    )
),
usual as (
    select
        organization_id,
        currency,
        counterparty_key,
        percentile_cont(0.5) within group (order by emitted_on - before_on) as days,
        percentile_cont(0.5) within group (
            order by abs(cents - before_cents) * 1.0 / nullif(before_cents, 0)
        ) as change
    from steps
    where before_on is not null
    group by organization_id, currency, counterparty_key
    having count(*) >= {{ var('qonto__recurring_min_payments') }} - 1
),
judged as (
    select
        steps.*,
        usual.days as usual_days,
        usual.change as usual_change,
        avg(
            case
                when steps.before_on is null then null
                when abs((steps.emitted_on - steps.before_on) - usual.days) <= greatest(2, usual.days * 0.2)
                    then 1.0
                else 0.0
            end
        ) over whole as even_share,
        row_number() over (
            partition by steps.organization_id, steps.currency, steps.counterparty_key
            order by steps.emitted_on desc
        ) as from_last,
        count(*) over whole as payments,
        min(steps.emitted_on) over whole as first_on,
        sum(steps.cents) over whole as total_cents,
        max(case when steps.cents <> steps.before_cents then steps.emitted_on end) over whole
            as changed_on
    from steps
    inner join usual
        on usual.organization_id = steps.organization_id
        and usual.currency = steps.currency
        and usual.counterparty_key = steps.counterparty_key
    window whole as (
        partition by steps.organization_id, steps.currency, steps.counterparty_key
    )
)
select
    judged.organization_id,
    judged.currency,
    judged.counterparty_key,
    judged.counterparty,
    judged.operation_type,
    case
        when judged.usual_days between 6 and 8 then 'weekly'
        when judged.usual_days between 13 and 16 then 'fortnightly'
        when judged.usual_days between 26 and 35 then 'monthly'
        when judged.usual_days between 85 and 97 then 'quarterly'
        else 'yearly'
    end as cadence,
    judged.usual_days,
    judged.payments,
    judged.first_on,
    judged.emitted_on as last_on,
    judged.cents as last_cents,
    changed.before_cents as previous_cents,
    judged.changed_on,
    cast(judged.total_cents as bigint) as total_cents
from judged
left join steps as changed
    on changed.organization_id = judged.organization_id
    and changed.currency = judged.currency
    and changed.counterparty_key = judged.counterparty_key
    and changed.emitted_on = judged.changed_on
where
    judged.from_last = 1
    and judged.even_share >= 0.75
    and judged.usual_change <= 0.25
    and (
        judged.usual_days between 6 and 8
        or judged.usual_days between 13 and 16
        or judged.usual_days between 26 and 35
        or judged.usual_days between 85 and 97
        or judged.usual_days between 350 and 380
    )
