-- One row per bank account and run: the balance that Qonto told then.
with source as (
    {{ qonto_rows('bank_account_balances', [
        'organization_id', 'bank_account_id', 'observed_at', 'balance_cents',
        'authorized_balance_cents', 'currency', 'status'
    ]) }}
)
select
    organization_id,
    bank_account_id,
    observed_at,
    balance_cents,
    {{ qonto_amount('balance_cents') }} as balance,
    authorized_balance_cents,
    currency,
    status
from source
