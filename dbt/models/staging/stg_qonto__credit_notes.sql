-- One row per credit note to a client; amounts are positive.
with source as (
    {{ qonto_rows('credit_notes', [
        'organization_id', 'id', 'number', 'invoice_id', 'client', 'currency', 'total_amount',
        'total_amount_cents', 'vat_amount', 'vat_amount_cents', 'issue_date', 'reason', 'items',
        'created_at'
    ]) }}
)
select
    organization_id,
    id as credit_note_id,
    number as credit_note_number,
    invoice_id,
    client ->> 'id' as client_id,
    coalesce(currency, total_amount ->> 'currency') as currency,
    coalesce(total_amount_cents, {{ qonto_value_cents('total_amount') }}) as total_cents,
    coalesce(vat_amount_cents, {{ qonto_value_cents('vat_amount') }}) as vat_cents,
    issue_date,
    reason,
    items
from source
