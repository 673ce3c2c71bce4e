-- One row per line of an invoice to a client. `vat_rate` is in percent.
select
    invoices.organization_id,
    invoices.invoice_id,
    items.position as line,
    items.item ->> 'title' as title,
    cast(nullif(items.item ->> 'quantity', '') as decimal(18, 4)) as quantity,
    cast(nullif(items.item ->> 'vat_rate', '') as decimal(18, 4)) * 100 as vat_rate,
    {{ qonto_item_cents('subtotal') }} as base_cents,
    {{ qonto_item_cents('total_vat') }} as vat_cents,
    {{ qonto_item_cents('total_amount') }} as total_cents
from {{ ref('stg_qonto__client_invoices') }} as invoices
{{ qonto_items('invoices.items') }}
