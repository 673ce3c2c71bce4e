-- What does each client invoice still bring, how late is it, and how long did clients take to pay?
--
-- Drafts and canceled invoices are left out. Open is the total less what was paid and credited;
-- what was paid beyond that is `overpaid_cents`.
with credited as (
    select organization_id, invoice_id, sum(total_cents) as cents, count(*) as credit_notes
    from {{ ref('stg_qonto__credit_notes') }}
    where invoice_id is not null
    group by organization_id, invoice_id
),
received as (
    select organization_id, invoice_id, sum(amount_cents) as cents, count(*) as payments
    from {{ ref('int_qonto__invoice_transactions') }}
    where invoice_kind = 'client' and status = 'completed'
    group by organization_id, invoice_id
),
sums as (
    select
        invoices.*,
        coalesce(credited.cents, 0) as credited_cents,
        coalesce(credited.credit_notes, 0) as credit_notes,
        coalesce(received.payments, 0) as found_payments,
        received.cents as found_cents,
        invoices.total_cents - coalesce(credited.cents, 0) - invoices.paid_cents as left_cents
    from {{ ref('stg_qonto__client_invoices') }} as invoices
    left join credited
        on credited.organization_id = invoices.organization_id
        and credited.invoice_id = invoices.invoice_id
    left join received
        on received.organization_id = invoices.organization_id
        and received.invoice_id = invoices.invoice_id
    where invoices.status not in ('draft', 'canceled')
),
opened as (
    select
        sums.*,
        case when status = 'paid' then 0 else greatest(left_cents, 0) end as open_cents,
        case when left_cents < 0 and paid_cents > 0 then -left_cents else 0 end as overpaid_cents
    from sums
),
aged as (
    select
        opened.*,
        case when open_cents > 0 then {{ qonto_today() }} - due_date end as days_overdue
    from opened
)
select
    aged.organization_id,
    organizations.organization,
    aged.invoice_id,
    aged.invoice_number,
    aged.client_id,
    coalesce(aged.client, clients.client) as client,
    aged.status,
    aged.currency,
    cast(aged.total_cents as bigint) as total_cents,
    cast(aged.paid_cents as bigint) as paid_cents,
    cast(aged.credited_cents as bigint) as credited_cents,
    cast(aged.open_cents as bigint) as open_cents,
    cast(aged.overpaid_cents as bigint) as overpaid_cents,
    aged.open_cents > 0 and aged.paid_cents > 0 as is_partly_paid,
    aged.issue_date,
    aged.due_date,
    aged.days_overdue,
    case when aged.open_cents > 0 then {{ qonto_age('aged.days_overdue') }} end as age,
    aged.paid_on,
    aged.paid_on - aged.issue_date as days_to_pay,
    aged.paid_on - aged.due_date as days_late_paid,
    aged.credit_notes,
    aged.found_payments,
    cast(aged.found_cents as bigint) as found_cents
from aged
left join {{ ref('stg_qonto__organizations') }} as organizations
    on organizations.organization_id = aged.organization_id
left join {{ ref('stg_qonto__clients') }} as clients
    on clients.organization_id = aged.organization_id
    and clients.client_id = aged.client_id
