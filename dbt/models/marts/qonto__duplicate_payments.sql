-- Which payments may have been made twice?
--
-- The same amount to the same payee within `qonto__duplicate_days` days. The row is the later one.
with ordered as (
    select
        transactions.*,
        lag(transaction_id) over payee as earlier_transaction_id,
        lag(emitted_on) over payee as earlier_on,
        lag(reference) over payee as earlier_reference
    from {{ ref('qonto__transactions') }} as transactions
    where
        amount_cents < 0
        and status in ('completed', 'pending')
        and not is_own_transfer
        and counterparty_name is not null
    window payee as (
        partition by organization_id, currency, amount_cents, lower(counterparty_name)
        order by emitted_at, transaction_id
    )
)
select
    organization_id,
    organization,
    transaction_id,
    earlier_transaction_id,
    emitted_on as day,
    earlier_on,
    counterparty_name as paid_to,
    operation_type,
    person,
    currency,
    -amount_cents as spent_cents,
    reference,
    coalesce(reference = earlier_reference, false) as has_same_reference
from ordered
where emitted_on - earlier_on <= {{ var('qonto__duplicate_days') }}
