-- One row per transaction and label.
select distinct
    transactions.organization_id,
    transactions.transaction_id,
    coalesce(items.item ->> 'id', {{ qonto_item_text('items.item') }}) as label_id,
    items.item ->> 'name' as label,
    items.item ->> 'parent_id' as parent_label_id
from {{ ref('stg_qonto__transactions') }} as transactions
{{ qonto_items('transactions.labels') }}
