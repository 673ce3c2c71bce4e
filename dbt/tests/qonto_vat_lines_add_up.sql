{{ config(severity='warn') }}
-- The VAT lines of a transaction are its VAT, and with their bases no more than its amount.
select
    transactions.organization_id,
    transactions.transaction_id,
    transactions.vat_cents,
    sum(lines.vat_cents) as lines_cents
from {{ ref('stg_qonto__transactions') }} as transactions
inner join {{ ref('stg_qonto__transaction_vat_lines') }} as lines
    on lines.organization_id = transactions.organization_id
    and lines.transaction_id = transactions.transaction_id
group by
    transactions.organization_id, transactions.transaction_id, transactions.vat_cents,
    transactions.amount_cents
having
    sum(lines.vat_cents) <> transactions.vat_cents
    or sum(lines.vat_cents + lines.base_cents) > abs(transactions.amount_cents) + 1
