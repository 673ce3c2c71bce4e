-- One row per invoice and transaction that belong together, and how that is known.
--
-- Suppliers: as matched in Qonto, or by the transfer that Qonto made for the invoice. Clients: Qonto
-- names no transaction, so one belongs where it came in and a word of its reference or label is the
-- number of the invoice, in the same currency. A number with spaces in it is not found so.
with supplier_links as (
    select organization_id, invoice_id, transaction_id, 'matched in Qonto' as linked_by, 1 as place
    from {{ ref('stg_qonto__supplier_invoice_transactions') }}
    union all
    select organization_id, invoice_id, transaction_id, 'transfer' as linked_by, 2 as place
    from {{ ref('stg_qonto__supplier_invoice_transfers') }}
    where transaction_id is not null
),
words as (
    select
        organization_id,
        transaction_id,
        currency,
        {{ qonto_words("coalesce(reference, '') || ' ' || coalesce(label, '')") }} as word
    from {{ ref('stg_qonto__transactions') }}
    where amount_cents > 0 and status = 'completed'
),
client_links as (
    select distinct
        invoices.organization_id,
        invoices.invoice_id,
        words.transaction_id,
        'reference' as linked_by,
        1 as place
    from {{ ref('stg_qonto__client_invoices') }} as invoices
    inner join words
        on words.organization_id = invoices.organization_id
        and words.currency = invoices.currency
        and words.word = upper(invoices.invoice_number)
),
links as (
    select 'supplier' as invoice_kind, supplier_links.* from supplier_links
    union all
    select 'client' as invoice_kind, client_links.* from client_links
),
first_links as (
    select
        links.*,
        row_number() over (
            partition by organization_id, invoice_kind, invoice_id, transaction_id order by place
        ) as n
    from links
)
select
    first_links.organization_id,
    first_links.invoice_kind,
    first_links.invoice_id,
    first_links.transaction_id,
    first_links.linked_by,
    transactions.amount_cents,
    transactions.currency,
    transactions.status,
    coalesce(transactions.settled_on, transactions.emitted_on) as paid_on
from first_links
inner join {{ ref('stg_qonto__transactions') }} as transactions
    on transactions.organization_id = first_links.organization_id
    and transactions.transaction_id = first_links.transaction_id
where first_links.n = 1
