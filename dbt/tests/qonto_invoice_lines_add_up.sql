{{ config(severity='warn') }}
-- The lines of an invoice are its total, but for what is added or taken away below them.
select
    invoices.organization_id,
    invoices.invoice_id,
    invoices.total_cents,
    sum(items.total_cents) as lines_cents
from {{ ref('stg_qonto__client_invoices') }} as invoices
inner join {{ ref('stg_qonto__client_invoice_items') }} as items
    on items.organization_id = invoices.organization_id
    and items.invoice_id = invoices.invoice_id
where not invoices.has_adjustments
group by invoices.organization_id, invoices.invoice_id, invoices.total_cents
having abs(sum(items.total_cents) - invoices.total_cents) > count(*)
