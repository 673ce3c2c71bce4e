-- One row per card, with its limits and what Qonto says was spent this month.
with source as (
    {{ qonto_rows('cards', [
        'organization_id', 'id', 'nickname', 'status', 'last_digits', 'card_level', 'card_type',
        'holder_id', 'bank_account_id', 'payment_monthly_limit', 'payment_monthly_spent',
        'atm_monthly_limit', 'atm_monthly_spent', 'payment_lifespan_limit',
        'payment_lifespan_spent', 'created_at', 'updated_at'
    ]) }}
)
select
    organization_id,
    id as card_id,
    coalesce(nickname, '•••• ' || last_digits) as card,
    status,
    last_digits,
    card_level,
    card_type,
    holder_id,
    bank_account_id,
    {{ qonto_to_cents('payment_monthly_limit') }} as payment_monthly_limit_cents,
    {{ qonto_to_cents('payment_monthly_spent') }} as payment_monthly_spent_cents,
    {{ qonto_to_cents('atm_monthly_limit') }} as atm_monthly_limit_cents,
    {{ qonto_to_cents('atm_monthly_spent') }} as atm_monthly_spent_cents,
    {{ qonto_to_cents('payment_lifespan_limit') }} as payment_lifespan_limit_cents,
    {{ qonto_to_cents('payment_lifespan_spent') }} as payment_lifespan_spent_cents,
    created_at,
    updated_at
from source
