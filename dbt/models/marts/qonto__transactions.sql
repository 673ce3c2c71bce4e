-- What happened on every account, in one wide row per transaction?
with labels as (
    select
        tagged.organization_id,
        tagged.transaction_id,
        string_agg(coalesce(tagged.label, labels.label), ', ' order by coalesce(tagged.label, labels.label))
            as labels
    from {{ ref('stg_qonto__transaction_labels') }} as tagged
    left join {{ ref('stg_qonto__labels') }} as labels
        on labels.organization_id = tagged.organization_id
        and labels.label_id = tagged.label_id
    group by tagged.organization_id, tagged.transaction_id
),
invoices as (
    select
        organization_id,
        transaction_id,
        string_agg(distinct invoice_kind, ', ') as invoice_kind,
        count(*) as invoices,
        min(invoice_id) as first_invoice_id
    from {{ ref('int_qonto__invoice_transactions') }}
    group by organization_id, transaction_id
),
-- cards by their last digits, where these name one card of the organization
digits as (
    select organization_id, last_digits, min(card_id) as card_id
    from {{ ref('stg_qonto__cards') }}
    group by organization_id, last_digits
    having count(*) = 1
)
select
    transactions.organization_id,
    organizations.organization,
    transactions.transaction_id,
    transactions.bank_account_id,
    accounts.bank_account,
    transactions.status,
    transactions.side,
    transactions.operation_type,
    transactions.currency,
    transactions.amount_cents,
    transactions.amount,
    transactions.local_amount_cents,
    transactions.local_currency,
    transactions.settled_balance_cents,
    transactions.vat_cents,
    transactions.vat_rate,
    transactions.counterparty_name,
    transactions.counterparty_iban,
    transactions.label,
    transactions.note,
    transactions.reference,
    transactions.category,
    transactions.subcategory,
    labels.labels,
    transactions.initiator_id,
    people.person,
    people.team,
    coalesce(transactions.card_id, digits.card_id) as card_id,
    cards.card,
    transactions.card_last_digits,
    transactions.is_receipt_required,
    transactions.is_receipt_lost,
    transactions.receipts,
    coalesce(invoices.invoices, 0) as invoices,
    invoices.invoice_kind,
    invoices.first_invoice_id,
    own.kind as own_transfer,
    own.transaction_id is not null as is_own_transfer,
    own.counterpart_organization_id,
    own.counterpart_bank_account_id,
    own.counterpart_transaction_id,
    transactions.is_external,
    transactions.emitted_at,
    transactions.settled_at,
    transactions.created_at,
    transactions.updated_at,
    transactions.emitted_on,
    transactions.settled_on,
    {{ qonto_month('transactions.emitted_on') }} as emitted_month,
    {{ qonto_month('transactions.settled_on') }} as settled_month
from {{ ref('stg_qonto__transactions') }} as transactions
left join {{ ref('stg_qonto__organizations') }} as organizations
    on organizations.organization_id = transactions.organization_id
left join {{ ref('stg_qonto__bank_accounts') }} as accounts
    on accounts.organization_id = transactions.organization_id
    and accounts.bank_account_id = transactions.bank_account_id
left join {{ ref('stg_qonto__memberships') }} as people
    on people.organization_id = transactions.organization_id
    and people.membership_id = transactions.initiator_id
left join digits
    on digits.organization_id = transactions.organization_id
    and digits.last_digits = transactions.card_last_digits
left join {{ ref('stg_qonto__cards') }} as cards
    on cards.organization_id = transactions.organization_id
    and cards.card_id = coalesce(transactions.card_id, digits.card_id)
left join labels
    on labels.organization_id = transactions.organization_id
    and labels.transaction_id = transactions.transaction_id
left join invoices
    on invoices.organization_id = transactions.organization_id
    and invoices.transaction_id = transactions.transaction_id
left join {{ ref('int_qonto__own_transfers') }} as own
    on own.organization_id = transactions.organization_id
    and own.transaction_id = transactions.transaction_id
