-- One row per invoice or credit note of a supplier. Amounts of credit notes are negative.
with source as (
    {{ qonto_rows('supplier_invoices', [
        'organization_id', 'id', 'invoice_number', 'status', 'supplier_id', 'supplier_name',
        'issuer_name', 'is_credit_note', 'total_amount', 'total_amount_excluding_taxes',
        'total_tax_amount', 'payable_amount', 'total_amount_credit_notes', 'issue_date',
        'due_date', 'payment_date', 'scheduled_date', 'matched_transactions', 'transfer_ids',
        'created_at', 'updated_at', 'has_duplicates'
    ]) }}
),
signed as (
    select source.*, case when is_credit_note then -1 else 1 end as sign
    from source
)
select
    organization_id,
    id as invoice_id,
    invoice_number,
    status,
    supplier_id,
    coalesce(supplier_name, issuer_name) as supplier,
    coalesce(is_credit_note, false) as is_credit_note,
    coalesce(total_amount ->> 'currency', payable_amount ->> 'currency') as currency,
    sign * {{ qonto_value_cents('total_amount') }} as total_cents,
    sign * {{ qonto_value_cents('total_amount_excluding_taxes') }} as base_cents,
    sign * {{ qonto_value_cents('total_tax_amount') }} as vat_cents,
    sign * coalesce(
        {{ qonto_value_cents('payable_amount') }}, {{ qonto_value_cents('total_amount') }}
    ) as payable_cents,
    {{ qonto_value_cents('total_amount_credit_notes') }} as credited_cents,
    issue_date,
    due_date,
    payment_date,
    scheduled_date,
    coalesce(has_duplicates, false) as has_duplicates,
    created_at,
    updated_at,
    matched_transactions,
    transfer_ids
from signed
