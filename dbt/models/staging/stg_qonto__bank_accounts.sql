-- One row per bank account, with its balance at the last run.
with source as (
    {{ qonto_rows('bank_accounts', [
        'organization_id', 'id', 'name', 'status', 'main', 'iban', 'currency', 'balance_cents',
        'authorized_balance_cents', 'is_external_account', 'updated_at'
    ]) }}
)
select
    organization_id,
    id as bank_account_id,
    coalesce(name, id) as bank_account,
    status,
    coalesce(main, false) as is_main,
    upper(replace(iban, ' ', '')) as iban,
    currency,
    balance_cents,
    {{ qonto_amount('balance_cents') }} as balance,
    authorized_balance_cents,
    coalesce(is_external_account, false) as is_external,
    updated_at
from source
