-- One row per supplier invoice and SEPA transfer that pays it.
with transfers as (
    {{ qonto_rows('sepa_transfers', ['organization_id', 'id', 'transaction_id']) }}
),
listed as (
    select distinct
        invoices.organization_id,
        invoices.invoice_id,
        {{ qonto_item_text('items.item') }} as transfer_id
    from {{ ref('stg_qonto__supplier_invoices') }} as invoices
    {{ qonto_items('invoices.transfer_ids') }}
)
select
    listed.organization_id,
    listed.invoice_id,
    listed.transfer_id,
    transfers.transaction_id
from listed
left join transfers
    on transfers.organization_id = listed.organization_id
    and transfers.id = listed.transfer_id
