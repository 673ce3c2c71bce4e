-- How much VAT was collected and paid each month, at which rate, and where is it unknown?
--
-- Three views that must not be added up: `cash` is what was settled on the accounts, `invoiced` what
-- was invoiced to clients less credit notes, `received` what suppliers invoiced. A row without a
-- rate is what Qonto tells none of: its `gross_cents` holds VAT that nobody entered, or none.
with lines as (
    select
        transactions.organization_id,
        transactions.settled_month as month,
        transactions.currency,
        'cash' as basis,
        -- a refund takes back what was deducted
        case
            when transactions.amount_cents > 0 and transactions.operation_type <> 'card'
                then 'collected'
            else 'deductible'
        end as direction,
        vat.vat_rate,
        case
            when transactions.amount_cents > 0 and transactions.operation_type = 'card' then -1
            else 1
        end as sign,
        vat.vat_cents,
        vat.base_cents,
        coalesce(vat.vat_cents + vat.base_cents, abs(transactions.amount_cents)) as gross_cents,
        transactions.transaction_id as document_id
    from {{ ref('qonto__transactions') }} as transactions
    left join {{ ref('stg_qonto__transaction_vat_lines') }} as vat
        on vat.organization_id = transactions.organization_id
        and vat.transaction_id = transactions.transaction_id
    where
        transactions.status = 'completed'
        and transactions.settled_month is not null
        and not transactions.is_own_transfer

    union all

    select
        invoices.organization_id,
        {{ qonto_month('invoices.issue_date') }} as month,
        invoices.currency,
        'invoiced' as basis,
        'collected' as direction,
        items.vat_rate,
        1 as sign,
        coalesce(items.vat_cents, invoices.vat_cents) as vat_cents,
        coalesce(items.base_cents, invoices.total_cents - invoices.vat_cents) as base_cents,
        coalesce(items.total_cents, invoices.total_cents) as gross_cents,
        invoices.invoice_id as document_id
    from {{ ref('stg_qonto__client_invoices') }} as invoices
    left join {{ ref('stg_qonto__client_invoice_items') }} as items
        on items.organization_id = invoices.organization_id
        and items.invoice_id = invoices.invoice_id
    where invoices.status not in ('draft', 'canceled') and invoices.issue_date is not null

    union all

    select
        notes.organization_id,
        {{ qonto_month('notes.issue_date') }} as month,
        notes.currency,
        'invoiced' as basis,
        'collected' as direction,
        items.vat_rate,
        -1 as sign,
        coalesce(items.vat_cents, notes.vat_cents) as vat_cents,
        coalesce(items.base_cents, notes.total_cents - notes.vat_cents) as base_cents,
        coalesce(items.total_cents, notes.total_cents) as gross_cents,
        notes.credit_note_id as document_id
    from {{ ref('stg_qonto__credit_notes') }} as notes
    left join {{ ref('stg_qonto__credit_note_items') }} as items
        on items.organization_id = notes.organization_id
        and items.credit_note_id = notes.credit_note_id
    where notes.issue_date is not null

    union all

    select
        organization_id,
        {{ qonto_month('issue_date') }} as month,
        currency,
        'received' as basis,
        'deductible' as direction,
        case
            when base_cents <> 0 and vat_cents is not null
                then cast(round(vat_cents * 100.0 / base_cents, 1) as decimal(18, 4))
        end as vat_rate,
        1 as sign,
        vat_cents,
        base_cents,
        total_cents as gross_cents,
        invoice_id as document_id
    from {{ ref('stg_qonto__supplier_invoices') }}
    where status not in ('rejected', 'discarded') and issue_date is not null
)
select
    lines.organization_id,
    max(organizations.organization) as organization,
    lines.month,
    lines.currency,
    lines.basis,
    lines.direction,
    lines.vat_rate,
    count(distinct lines.document_id) as documents,
    cast(sum(lines.sign * lines.gross_cents) as bigint) as gross_cents,
    cast(sum(lines.sign * lines.base_cents) as bigint) as base_cents,
    cast(sum(lines.sign * lines.vat_cents) as bigint) as vat_cents,
    lines.vat_rate is null as is_unknown
from lines
left join {{ ref('stg_qonto__organizations') }} as organizations
    on organizations.organization_id = lines.organization_id
group by
    lines.organization_id, lines.month, lines.currency, lines.basis, lines.direction, lines.vat_rate
