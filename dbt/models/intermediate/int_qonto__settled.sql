-- One row per transaction that moved a balance: what the account held before it and after it.
--
-- `is_last_of_moment`: several can settle at once, in an order that nobody tells. The last of them
-- is the one that no other goes on from.
with settled as (
    select
        organization_id,
        transaction_id,
        bank_account_id,
        currency,
        settled_at,
        settled_on,
        amount_cents,
        settled_balance_cents as after_cents,
        settled_balance_cents - amount_cents as before_cents
    from {{ ref('stg_qonto__transactions') }}
    where status = 'completed' and settled_at is not null and settled_balance_cents is not null
),
left_over as (
    select distinct first.organization_id, first.transaction_id
    from settled as first
    inner join settled as next
        on next.organization_id = first.organization_id
        and next.bank_account_id = first.bank_account_id
        and next.settled_at = first.settled_at
        and next.before_cents = first.after_cents
        and next.transaction_id <> first.transaction_id
)
select
    settled.*,
    left_over.transaction_id is null as is_last_of_moment
from settled
left join left_over
    on left_over.organization_id = settled.organization_id
    and left_over.transaction_id = settled.transaction_id
