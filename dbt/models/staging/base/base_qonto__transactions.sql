-- One row per transaction as the loader holds it, typed, with the sign in the amount. A view: see
-- stg_qonto__transactions, which keeps it.
with source as (
    {{ qonto_rows('transactions', [
        'organization_id', 'id', 'transaction_id', 'bank_account_id', 'status', 'side',
        'operation_type', 'subject_type', 'currency', 'amount_cents', 'settled_balance_cents',
        'local_amount_cents', 'local_currency', 'vat_amount_cents', 'vat_rate', 'label',
        'clean_counterparty_name', 'note', 'reference', 'category', 'cashflow_category',
        'cashflow_subcategory', 'initiator_id', 'card_id', 'card_last_digits',
        'attachment_required', 'attachment_lost', 'attachment_ids', 'attachments', 'label_ids',
        'labels', 'vat_details', 'transfer', 'income', 'swift_income', 'direct_debit',
        'direct_debit_collection', 'is_external_transaction', 'emitted_at', 'settled_at',
        'created_at', 'updated_at'
    ]) }}
),
accounts as (
    select
        source.*,
        case side when 'credit' then 1 else -1 end as sign,
        upper(replace(coalesce(
            transfer ->> 'counterparty_account_number',
            income ->> 'counterparty_account_number',
            swift_income ->> 'counterparty_account_number',
            direct_debit ->> 'counterparty_account_number',
            direct_debit_collection ->> 'counterparty_account_number'
        ), ' ', '')) as counterparty_account_number
    from source
)
select
    organization_id,
    id as transaction_id,
    transaction_id as legacy_transaction_id,
    bank_account_id,
    status,
    side,
    operation_type,
    subject_type,
    currency,
    sign * amount_cents as amount_cents,
    {{ qonto_amount('sign * amount_cents') }} as amount,
    settled_balance_cents,
    {{ qonto_amount('settled_balance_cents') }} as settled_balance,
    sign * local_amount_cents as local_amount_cents,
    local_currency,
    vat_amount_cents as vat_cents,
    vat_rate,
    coalesce(clean_counterparty_name, label) as counterparty_name,
    label,
    case
        when counterparty_account_number similar to '[A-Z][A-Z][0-9][0-9][A-Z0-9]{11,30}'
            then counterparty_account_number
    end as counterparty_iban,
    counterparty_account_number,
    note,
    reference,
    coalesce(cashflow_category ->> 'name', category) as category,
    cashflow_category ->> 'id' as cash_flow_category_id,
    cashflow_subcategory ->> 'name' as subcategory,
    cashflow_subcategory ->> 'id' as cash_flow_subcategory_id,
    initiator_id,
    card_id,
    card_last_digits,
    coalesce(attachment_required, false) as is_receipt_required,
    coalesce(attachment_lost, false) as is_receipt_lost,
    {{ qonto_json_length('attachment_ids') }} as receipts,
    coalesce(is_external_transaction, false) as is_external,
    emitted_at,
    settled_at,
    created_at,
    updated_at,
    {{ qonto_local_date('emitted_at') }} as emitted_on,
    {{ qonto_local_date('settled_at') }} as settled_on,
    case when {{ qonto_json_length('labels') }} > 0 then labels else label_ids end as labels,
    case when {{ qonto_json_length('attachments') }} > 0 then attachments else attachment_ids end
        as attachments,
    vat_details,
    loaded_at
from accounts
