-- Which payments come back by themselves, what do they cost a month, and which became dearer?
select
    recurring.organization_id,
    organizations.organization,
    recurring.counterparty_key,
    recurring.counterparty,
    recurring.currency,
    recurring.cadence,
    recurring.operation_type,
    recurring.payments,
    recurring.first_on,
    recurring.last_on,
    recurring.last_on + cast(round(recurring.usual_days) as integer) as next_on,
    -- one and a half times the usual distance without a payment: it ended
    {{ qonto_today() }} - recurring.last_on <= recurring.usual_days * 1.5 as is_active,
    recurring.last_cents,
    recurring.previous_cents,
    recurring.changed_on,
    coalesce(recurring.last_cents > recurring.previous_cents, false) as is_dearer,
    cast(round(recurring.last_cents * 30.4375 / recurring.usual_days) as bigint) as monthly_cents,
    recurring.total_cents
from {{ ref('int_qonto__recurring_payments') }} as recurring
left join {{ ref('stg_qonto__organizations') }} as organizations
    on organizations.organization_id = recurring.organization_id
