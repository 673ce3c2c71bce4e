-- One row per line of a credit note. `vat_rate` is in percent.
select
    notes.organization_id,
    notes.credit_note_id,
    items.position as line,
    items.item ->> 'title' as title,
    cast(nullif(items.item ->> 'vat_rate', '') as decimal(18, 4)) * 100 as vat_rate,
    {{ qonto_item_cents('subtotal') }} as base_cents,
    {{ qonto_item_cents('total_vat') }} as vat_cents,
    {{ qonto_item_cents('total_amount') }} as total_cents
from {{ ref('stg_qonto__credit_notes') }} as notes
{{ qonto_items('notes.items') }}
