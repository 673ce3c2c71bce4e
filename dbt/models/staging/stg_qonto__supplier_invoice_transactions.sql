-- One row per supplier invoice and transaction that Qonto matched. Qonto lists ids, or objects with
-- a transaction_id (2026-11, seen in public recordings): both are read.
select distinct
    invoices.organization_id,
    invoices.invoice_id,
    coalesce(items.item ->> 'transaction_id', {{ qonto_item_text('items.item') }}) as transaction_id
from {{ ref('stg_qonto__supplier_invoices') }} as invoices
{{ qonto_items('invoices.matched_transactions') }}
where coalesce(items.item ->> 'transaction_id', {{ qonto_item_text('items.item') }}) is not null
