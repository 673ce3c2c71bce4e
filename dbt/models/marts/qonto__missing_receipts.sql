-- Which payments still lack the receipt that Qonto asks for?
--
-- Left out are payments that were declined or reversed, and those whose receipt somebody declared
-- lost.
select
    organization_id,
    organization,
    transaction_id,
    emitted_on as day,
    {{ qonto_today() }} - emitted_on as days_missing,
    emitted_month as month,
    person,
    team,
    counterparty_name as paid_to,
    operation_type,
    card,
    bank_account,
    currency,
    -amount_cents as spent_cents,
    status
from {{ ref('qonto__transactions') }}
where
    is_receipt_required
    and not is_receipt_lost
    and receipts = 0
    and status in ('completed', 'pending')
