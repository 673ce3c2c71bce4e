-- One row per invoice to a client.
with source as (
    {{ qonto_rows('client_invoices', [
        'organization_id', 'id', 'number', 'invoice_number', 'status', 'client', 'client_id',
        'currency', 'total_amount', 'total_amount_cents', 'vat_amount', 'vat_amount_cents',
        'amount_paid', 'issue_date', 'due_date', 'paid_at', 'finalized_at', 'created_at',
        'updated_at', 'items', 'discount', 'stamp_duty_amount', 'welfare_fund', 'withholding_tax'
    ]) }}
)
select
    organization_id,
    id as invoice_id,
    coalesce(number, invoice_number) as invoice_number,
    status,
    coalesce(client ->> 'id', client_id) as client_id,
    coalesce(
        nullif(client ->> 'name', ''),
        nullif(trim(
            coalesce(client ->> 'first_name', '') || ' ' || coalesce(client ->> 'last_name', '')
        ), '')
    ) as client,
    coalesce(currency, total_amount ->> 'currency') as currency,
    coalesce(total_amount_cents, {{ qonto_value_cents('total_amount') }}) as total_cents,
    coalesce(vat_amount_cents, {{ qonto_value_cents('vat_amount') }}) as vat_cents,
    coalesce({{ qonto_value_cents('amount_paid') }}, 0) as paid_cents,
    issue_date,
    due_date,
    {{ qonto_local_date('paid_at') }} as paid_on,
    finalized_at,
    created_at,
    updated_at,
    -- what is added or taken away below the lines
    coalesce(discount ->> 'value', stamp_duty_amount, welfare_fund ->> 'type', withholding_tax ->> 'rate')
        is not null as has_adjustments,
    items
from source
