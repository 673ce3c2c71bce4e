-- One row per transaction and attached file.
select distinct
    transactions.organization_id,
    transactions.transaction_id,
    coalesce(items.item ->> 'id', {{ qonto_item_text('items.item') }}) as attachment_id,
    items.item ->> 'file_name' as file_name,
    items.item ->> 'file_content_type' as file_content_type
from {{ ref('stg_qonto__transactions') }} as transactions
{{ qonto_items('transactions.attachments') }}
