-- Which supplier invoices have to be paid, and by when?
--
-- Open is what Qonto calls payable, less matched payments. Paid, archived, rejected and discarded
-- invoices are closed; every other status is open, also one that Qonto invents tomorrow. Credit notes
-- count against what is due.
with matched as (
    select
        organization_id,
        invoice_id,
        currency,
        sum(-amount_cents) as cents,
        count(*) as payments,
        max(paid_on) as last_paid_on
    from {{ ref('int_qonto__invoice_transactions') }}
    where invoice_kind = 'supplier' and status in ('completed', 'pending')
    group by organization_id, invoice_id, currency
)
select
    invoices.organization_id,
    organizations.organization,
    invoices.invoice_id,
    invoices.invoice_number,
    invoices.supplier_id,
    coalesce(invoices.supplier, suppliers.supplier) as supplier,
    invoices.status,
    invoices.is_credit_note,
    invoices.has_duplicates,
    invoices.currency,
    cast(invoices.total_cents as bigint) as total_cents,
    cast(invoices.payable_cents as bigint) as payable_cents,
    cast(coalesce(matched.cents, 0) as bigint) as matched_cents,
    coalesce(matched.payments, 0) as payments,
    cast(
        case
            when invoices.status in ('paid', 'archived', 'rejected', 'discarded') then 0
            when invoices.is_credit_note then least(invoices.payable_cents - coalesce(matched.cents, 0), 0)
            else greatest(invoices.payable_cents - coalesce(matched.cents, 0), 0)
        end as bigint
    ) as open_cents,
    cast(
        case
            when not invoices.is_credit_note and matched.cents > invoices.total_cents
                then matched.cents - invoices.total_cents
            else 0
        end as bigint
    ) as overpaid_cents,
    invoices.issue_date,
    invoices.due_date,
    case
        when invoices.status not in ('paid', 'archived', 'rejected', 'discarded')
            then invoices.due_date - {{ qonto_today() }}
    end as days_left,
    invoices.scheduled_date,
    coalesce(invoices.payment_date, matched.last_paid_on) as paid_on,
    coalesce(invoices.payment_date, matched.last_paid_on) - invoices.issue_date as days_to_pay
from {{ ref('stg_qonto__supplier_invoices') }} as invoices
left join matched
    on matched.organization_id = invoices.organization_id
    and matched.invoice_id = invoices.invoice_id
    and matched.currency = invoices.currency
left join {{ ref('stg_qonto__organizations') }} as organizations
    on organizations.organization_id = invoices.organization_id
left join {{ ref('stg_qonto__suppliers') }} as suppliers
    on suppliers.organization_id = invoices.organization_id
    and suppliers.supplier_id = invoices.supplier_id
