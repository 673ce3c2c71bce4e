-- The answers of the dbt package `qonto` as views of DuckDB, for those without dbt.
--
-- Made from dbt/models by scripts/sql.py: edit those, not this. Reads the tables that tap-qonto and
-- the loader of meltano.yml leave in the schema `main`; puts the views into `analytics`. Every
-- stream it names must have been loaded. What a model means stands in its first line.

create schema if not exists analytics;

create or replace view analytics.base_qonto__transactions as
-- One row per transaction as the loader holds it, typed, with the sign in the amount. A view: see
-- stg_qonto__transactions, which keeps it.
with source as (
    select
    nullif(cast("organization_id" as text), '') as "organization_id",
    nullif(cast("id" as text), '') as "id",
    nullif(cast("transaction_id" as text), '') as "transaction_id",
    nullif(cast("bank_account_id" as text), '') as "bank_account_id",
    nullif(cast("status" as text), '') as "status",
    nullif(cast("side" as text), '') as "side",
    nullif(cast("operation_type" as text), '') as "operation_type",
    nullif(cast("subject_type" as text), '') as "subject_type",
    nullif(cast("currency" as text), '') as "currency",
    cast("amount_cents" as bigint) as "amount_cents",
    cast("settled_balance_cents" as bigint) as "settled_balance_cents",
    cast("local_amount_cents" as bigint) as "local_amount_cents",
    nullif(cast("local_currency" as text), '') as "local_currency",
    cast("vat_amount_cents" as bigint) as "vat_amount_cents",
    cast("vat_rate" as decimal(18, 4)) as "vat_rate",
    nullif(cast("label" as text), '') as "label",
    nullif(cast("clean_counterparty_name" as text), '') as "clean_counterparty_name",
    nullif(cast("note" as text), '') as "note",
    nullif(cast("reference" as text), '') as "reference",
    nullif(cast("category" as text), '') as "category",
    cast("cashflow_category" as json) as "cashflow_category",
    cast("cashflow_subcategory" as json) as "cashflow_subcategory",
    nullif(cast("initiator_id" as text), '') as "initiator_id",
    nullif(cast("card_id" as text), '') as "card_id",
    nullif(cast("card_last_digits" as text), '') as "card_last_digits",
    cast("attachment_required" as boolean) as "attachment_required",
    cast("attachment_lost" as boolean) as "attachment_lost",
    cast("attachment_ids" as json) as "attachment_ids",
    cast("attachments" as json) as "attachments",
    cast("label_ids" as json) as "label_ids",
    cast("labels" as json) as "labels",
    cast("vat_details" as json) as "vat_details",
    cast("transfer" as json) as "transfer",
    cast("income" as json) as "income",
    cast("swift_income" as json) as "swift_income",
    cast("direct_debit" as json) as "direct_debit",
    cast("direct_debit_collection" as json) as "direct_debit_collection",
    cast("is_external_transaction" as boolean) as "is_external_transaction",
    "emitted_at" as "emitted_at",
    "settled_at" as "settled_at",
    "created_at" as "created_at",
    "updated_at" as "updated_at",
    cast(null as timestamp) as loaded_at
  from main.transactions as transactions
),
accounts as (
    select
        source.*,
        case side when 'credit' then 1 else -1 end as sign,
        upper(replace(coalesce(
            transfer ->> 'counterparty_account_number',
            income ->> 'counterparty_account_number',
            swift_income ->> 'counterparty_account_number',
            direct_debit ->> 'counterparty_account_number',
            direct_debit_collection ->> 'counterparty_account_number'
        ), ' ', '')) as counterparty_account_number
    from source
)
select
    organization_id,
    id as transaction_id,
    transaction_id as legacy_transaction_id,
    bank_account_id,
    status,
    side,
    operation_type,
    subject_type,
    currency,
    sign * amount_cents as amount_cents,
    cast(sign * amount_cents * 0.01 as decimal(18, 2)) as amount,
    settled_balance_cents,
    cast(settled_balance_cents * 0.01 as decimal(18, 2)) as settled_balance,
    sign * local_amount_cents as local_amount_cents,
    local_currency,
    vat_amount_cents as vat_cents,
    vat_rate,
    coalesce(clean_counterparty_name, label) as counterparty_name,
    label,
    case
        when counterparty_account_number similar to '[A-Z][A-Z][0-9][0-9][A-Z0-9]{11,30}'
            then counterparty_account_number
    end as counterparty_iban,
    counterparty_account_number,
    note,
    reference,
    coalesce(cashflow_category ->> 'name', category) as category,
    cashflow_category ->> 'id' as cash_flow_category_id,
    cashflow_subcategory ->> 'name' as subcategory,
    cashflow_subcategory ->> 'id' as cash_flow_subcategory_id,
    initiator_id,
    card_id,
    card_last_digits,
    coalesce(attachment_required, false) as is_receipt_required,
    coalesce(attachment_lost, false) as is_receipt_lost,
    coalesce(cast(json_array_length(attachment_ids) as bigint), 0) as receipts,
    coalesce(is_external_transaction, false) as is_external,
    emitted_at,
    settled_at,
    created_at,
    updated_at,
    cast((emitted_at at time zone 'UTC') at time zone 'Europe/Paris' as date) as emitted_on,
    cast((settled_at at time zone 'UTC') at time zone 'Europe/Paris' as date) as settled_on,
    case when coalesce(cast(json_array_length(labels) as bigint), 0) > 0 then labels else label_ids end as labels,
    case when coalesce(cast(json_array_length(attachments) as bigint), 0) > 0 then attachments else attachment_ids end
        as attachments,
    vat_details,
    loaded_at
from accounts;

create or replace view analytics.stg_qonto__supplier_invoices as
-- One row per invoice or credit note of a supplier. Amounts of credit notes are negative.
with source as (
    select
    nullif(cast("organization_id" as text), '') as "organization_id",
    nullif(cast("id" as text), '') as "id",
    nullif(cast("invoice_number" as text), '') as "invoice_number",
    nullif(cast("status" as text), '') as "status",
    nullif(cast("supplier_id" as text), '') as "supplier_id",
    nullif(cast("supplier_name" as text), '') as "supplier_name",
    nullif(cast("issuer_name" as text), '') as "issuer_name",
    cast("is_credit_note" as boolean) as "is_credit_note",
    cast("total_amount" as json) as "total_amount",
    cast("total_amount_excluding_taxes" as json) as "total_amount_excluding_taxes",
    cast("total_tax_amount" as json) as "total_tax_amount",
    cast("payable_amount" as json) as "payable_amount",
    cast("total_amount_credit_notes" as json) as "total_amount_credit_notes",
    cast(nullif(cast("issue_date" as text), '') as date) as "issue_date",
    cast(nullif(cast("due_date" as text), '') as date) as "due_date",
    cast(nullif(cast("payment_date" as text), '') as date) as "payment_date",
    cast(nullif(cast("scheduled_date" as text), '') as date) as "scheduled_date",
    cast("matched_transactions" as json) as "matched_transactions",
    cast("transfer_ids" as json) as "transfer_ids",
    "created_at" as "created_at",
    "updated_at" as "updated_at",
    cast("has_duplicates" as boolean) as "has_duplicates",
    cast(null as timestamp) as loaded_at
  from main.supplier_invoices as supplier_invoices
),
signed as (
    select source.*, case when is_credit_note then -1 else 1 end as sign
    from source
)
select
    organization_id,
    id as invoice_id,
    invoice_number,
    status,
    supplier_id,
    coalesce(supplier_name, issuer_name) as supplier,
    coalesce(is_credit_note, false) as is_credit_note,
    coalesce(total_amount ->> 'currency', payable_amount ->> 'currency') as currency,
    sign * cast(round(cast(nullif(total_amount ->> 'value', '') as decimal(20, 4)) * 100) as bigint) as total_cents,
    sign * cast(round(cast(nullif(total_amount_excluding_taxes ->> 'value', '') as decimal(20, 4)) * 100) as bigint) as base_cents,
    sign * cast(round(cast(nullif(total_tax_amount ->> 'value', '') as decimal(20, 4)) * 100) as bigint) as vat_cents,
    sign * coalesce(
        cast(round(cast(nullif(payable_amount ->> 'value', '') as decimal(20, 4)) * 100) as bigint), cast(round(cast(nullif(total_amount ->> 'value', '') as decimal(20, 4)) * 100) as bigint)
    ) as payable_cents,
    cast(round(cast(nullif(total_amount_credit_notes ->> 'value', '') as decimal(20, 4)) * 100) as bigint) as credited_cents,
    issue_date,
    due_date,
    payment_date,
    scheduled_date,
    coalesce(has_duplicates, false) as has_duplicates,
    created_at,
    updated_at,
    matched_transactions,
    transfer_ids
from signed;

create or replace view analytics.stg_qonto__supplier_invoice_transactions as
-- One row per supplier invoice and transaction that Qonto matched. Qonto lists ids, or objects with
-- a transaction_id (2026-11, seen in public recordings): both are read.
select distinct
    invoices.organization_id,
    invoices.invoice_id,
    coalesce(items.item ->> 'transaction_id', case json_type(items.item) when 'VARCHAR' then items.item ->> '$' end) as transaction_id
from analytics.stg_qonto__supplier_invoices as invoices
cross join lateral (
      select
          unnest(from_json(invoices.matched_transactions, '["JSON"]')) as item,
          unnest(range(1, 1 + cast(json_array_length(invoices.matched_transactions) as bigint))) as position
  ) as items
where coalesce(items.item ->> 'transaction_id', case json_type(items.item) when 'VARCHAR' then items.item ->> '$' end) is not null;

create or replace view analytics.stg_qonto__supplier_invoice_transfers as
-- One row per supplier invoice and SEPA transfer that pays it.
with transfers as (
    select
    nullif(cast("organization_id" as text), '') as "organization_id",
    nullif(cast("id" as text), '') as "id",
    nullif(cast("transaction_id" as text), '') as "transaction_id",
    cast(null as timestamp) as loaded_at
  from main.sepa_transfers as sepa_transfers
),
listed as (
    select distinct
        invoices.organization_id,
        invoices.invoice_id,
        case json_type(items.item) when 'VARCHAR' then items.item ->> '$' end as transfer_id
    from analytics.stg_qonto__supplier_invoices as invoices
    cross join lateral (
      select
          unnest(from_json(invoices.transfer_ids, '["JSON"]')) as item,
          unnest(range(1, 1 + cast(json_array_length(invoices.transfer_ids) as bigint))) as position
  ) as items
)
select
    listed.organization_id,
    listed.invoice_id,
    listed.transfer_id,
    transfers.transaction_id
from listed
left join transfers
    on transfers.organization_id = listed.organization_id
    and transfers.id = listed.transfer_id;

create or replace view analytics.stg_qonto__transactions as
-- One row per transaction. Each row is made of one row of the source alone, so what the loader has
-- not written again since the last build is as it was; without the loader's time all rows are made
-- anew.
select *
from analytics.base_qonto__transactions;

create or replace view analytics.stg_qonto__client_invoices as
-- One row per invoice to a client.
with source as (
    select
    nullif(cast("organization_id" as text), '') as "organization_id",
    nullif(cast("id" as text), '') as "id",
    nullif(cast("number" as text), '') as "number",
    nullif(cast("invoice_number" as text), '') as "invoice_number",
    nullif(cast("status" as text), '') as "status",
    cast("client" as json) as "client",
    nullif(cast("client_id" as text), '') as "client_id",
    nullif(cast("currency" as text), '') as "currency",
    cast("total_amount" as json) as "total_amount",
    cast("total_amount_cents" as bigint) as "total_amount_cents",
    cast("vat_amount" as json) as "vat_amount",
    cast("vat_amount_cents" as bigint) as "vat_amount_cents",
    cast("amount_paid" as json) as "amount_paid",
    cast(nullif(cast("issue_date" as text), '') as date) as "issue_date",
    cast(nullif(cast("due_date" as text), '') as date) as "due_date",
    "paid_at" as "paid_at",
    "finalized_at" as "finalized_at",
    "created_at" as "created_at",
    "updated_at" as "updated_at",
    cast("items" as json) as "items",
    cast("discount" as json) as "discount",
    nullif(cast("stamp_duty_amount" as text), '') as "stamp_duty_amount",
    cast("welfare_fund" as json) as "welfare_fund",
    cast("withholding_tax" as json) as "withholding_tax",
    cast(null as timestamp) as loaded_at
  from main.client_invoices as client_invoices
)
select
    organization_id,
    id as invoice_id,
    coalesce(number, invoice_number) as invoice_number,
    status,
    coalesce(client ->> 'id', client_id) as client_id,
    coalesce(
        nullif(client ->> 'name', ''),
        nullif(trim(
            coalesce(client ->> 'first_name', '') || ' ' || coalesce(client ->> 'last_name', '')
        ), '')
    ) as client,
    coalesce(currency, total_amount ->> 'currency') as currency,
    coalesce(total_amount_cents, cast(round(cast(nullif(total_amount ->> 'value', '') as decimal(20, 4)) * 100) as bigint)) as total_cents,
    coalesce(vat_amount_cents, cast(round(cast(nullif(vat_amount ->> 'value', '') as decimal(20, 4)) * 100) as bigint)) as vat_cents,
    coalesce(cast(round(cast(nullif(amount_paid ->> 'value', '') as decimal(20, 4)) * 100) as bigint), 0) as paid_cents,
    issue_date,
    due_date,
    cast((paid_at at time zone 'UTC') at time zone 'Europe/Paris' as date) as paid_on,
    finalized_at,
    created_at,
    updated_at,
    -- what is added or taken away below the lines
    coalesce(discount ->> 'value', stamp_duty_amount, welfare_fund ->> 'type', withholding_tax ->> 'rate')
        is not null as has_adjustments,
    items
from source;

create or replace view analytics.int_qonto__invoice_transactions as
-- One row per invoice and transaction that belong together, and how that is known.
--
-- Suppliers: as matched in Qonto, or by the transfer that Qonto made for the invoice. Clients: Qonto
-- names no transaction, so one belongs where it came in and a word of its reference or label is the
-- number of the invoice, in the same currency. A number with spaces in it is not found so.
with supplier_links as (
    select organization_id, invoice_id, transaction_id, 'matched in Qonto' as linked_by, 1 as place
    from analytics.stg_qonto__supplier_invoice_transactions
    union all
    select organization_id, invoice_id, transaction_id, 'transfer' as linked_by, 2 as place
    from analytics.stg_qonto__supplier_invoice_transfers
    where transaction_id is not null
),
words as (
    select
        organization_id,
        transaction_id,
        currency,
        unnest(string_split_regex(upper(coalesce(reference, '') || ' ' || coalesce(label, '')), '[\s,;:()]+')) as word
    from analytics.stg_qonto__transactions
    where amount_cents > 0 and status = 'completed'
),
client_links as (
    select distinct
        invoices.organization_id,
        invoices.invoice_id,
        words.transaction_id,
        'reference' as linked_by,
        1 as place
    from analytics.stg_qonto__client_invoices as invoices
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
inner join analytics.stg_qonto__transactions as transactions
    on transactions.organization_id = first_links.organization_id
    and transactions.transaction_id = first_links.transaction_id
where first_links.n = 1;

create or replace view analytics.stg_qonto__bank_accounts as
-- One row per bank account, with its balance at the last run.
with source as (
    select
    nullif(cast("organization_id" as text), '') as "organization_id",
    nullif(cast("id" as text), '') as "id",
    nullif(cast("name" as text), '') as "name",
    nullif(cast("status" as text), '') as "status",
    cast("main" as boolean) as "main",
    nullif(cast("iban" as text), '') as "iban",
    nullif(cast("currency" as text), '') as "currency",
    cast("balance_cents" as bigint) as "balance_cents",
    cast("authorized_balance_cents" as bigint) as "authorized_balance_cents",
    cast("is_external_account" as boolean) as "is_external_account",
    "updated_at" as "updated_at",
    cast(null as timestamp) as loaded_at
  from main.bank_accounts as bank_accounts
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
    cast(balance_cents * 0.01 as decimal(18, 2)) as balance,
    authorized_balance_cents,
    coalesce(is_external_account, false) as is_external,
    updated_at
from source;

create or replace view analytics.int_qonto__own_transfers as
-- One row per transaction between two accounts of one's own, in one organization or between two.
--
-- Own is what any organization here has the IBAN of, accounts of other banks included. Both sides
-- are paired: the n-th payment out of one account into another with the n-th that came in, among
-- those of one amount that lie close together (`qonto__transfer_days`), so that a side that was not
-- read leaves only its neighbours unpaired. Declined and reversed ones moved nothing: left out.
with accounts as (
    select organization_id, bank_account_id, iban, currency, is_external
    from analytics.stg_qonto__bank_accounts
),
candidates as (
    select
        transactions.organization_id,
        transactions.transaction_id,
        transactions.bank_account_id,
        transactions.amount_cents,
        transactions.currency,
        transactions.emitted_at,
        other.organization_id as counterpart_organization_id,
        other.bank_account_id as counterpart_bank_account_id,
        transactions.amount_cents < 0 as is_out,
        case when transactions.amount_cents < 0 then transactions.currency else other.currency end
            as from_currency,
        case when transactions.amount_cents < 0 then other.currency else transactions.currency end
            as to_currency,
        -- the amount as it arrives, where this side tells it
        case
            when transactions.amount_cents > 0 or transactions.currency = other.currency
                then abs(transactions.amount_cents)
            when transactions.local_currency = other.currency
                then abs(transactions.local_amount_cents)
        end as arriving_cents,
        row_number() over (
            partition by transactions.organization_id, transactions.transaction_id
            order by
                case when other.organization_id = transactions.organization_id then 0 else 1 end,
                case when other.is_external then 1 else 0 end,
                other.organization_id,
                other.bank_account_id
        ) as place
    from analytics.stg_qonto__transactions as transactions
    inner join accounts as other
        on other.iban = transactions.counterparty_iban
        and not (
            other.organization_id = transactions.organization_id
            and other.bank_account_id = transactions.bank_account_id
        )
    where transactions.status in ('completed', 'pending')
),
sides as (
    select
        candidates.*,
        case when is_out then organization_id else counterpart_organization_id end
        || ' ' || case when is_out then bank_account_id else counterpart_bank_account_id end
        || ' ' || case when is_out then counterpart_organization_id else organization_id end
        || ' ' || case when is_out then counterpart_bank_account_id else bank_account_id end
        || ' ' || to_currency || ' ' || cast(arriving_cents as text) as route
    from candidates
    where place = 1
),
gaps as (
    select
        sides.*,
        case
            when emitted_at - lag(emitted_at) over (partition by route order by emitted_at, transaction_id)
                <= interval '5 days' then 0
            else 1
        end as begins
    from sides
),
episodes as (
    select
        gaps.*,
        sum(begins) over (
            partition by route order by emitted_at, transaction_id rows unbounded preceding
        ) as episode
    from gaps
),
numbered as (
    select
        episodes.*,
        row_number() over (
            partition by route, episode, is_out order by emitted_at, transaction_id
        ) as n
    from episodes
)
select
    numbered.organization_id,
    numbered.transaction_id,
    case
        when numbered.organization_id = numbered.counterpart_organization_id
            then 'within organization'
        else 'between organizations'
    end as kind,
    numbered.counterpart_organization_id,
    numbered.counterpart_bank_account_id,
    other.transaction_id as counterpart_transaction_id,
    case when numbered.is_out then numbered.transaction_id else other.transaction_id end
        as sending_transaction_id,
    numbered.currency,
    numbered.amount_cents,
    least(numbered.emitted_at, other.emitted_at) as began_at
from numbered
left join numbered as other
    on other.route = numbered.route
    and other.episode = numbered.episode
    and other.n = numbered.n
    and other.is_out <> numbered.is_out;

create or replace view analytics.int_qonto__recurring_payments as
-- One row per payee that is paid again and again at even distances: subscriptions, rent, insurance.
--
-- At least `qonto__recurring_min_payments` payments, three of four of them at the distance that is
-- usual for the payee, and of amounts that are usually alike. Several payments of one day count
-- once, with the largest. Own transfers are no spending.
with payments as (
    select
        transactions.organization_id,
        transactions.currency,
        lower(transactions.counterparty_name) as counterparty_key,
        transactions.emitted_on,
        max(-transactions.amount_cents) as cents,
        max(transactions.counterparty_name) as counterparty,
        max(transactions.operation_type) as operation_type
    from analytics.stg_qonto__transactions as transactions
    left join analytics.int_qonto__own_transfers as own
        on own.organization_id = transactions.organization_id
        and own.transaction_id = transactions.transaction_id
    where
        transactions.amount_cents < 0
        and transactions.status in ('completed', 'pending')
        and transactions.counterparty_name is not null
        and own.transaction_id is null
    group by
        transactions.organization_id, transactions.currency,
        lower(transactions.counterparty_name), transactions.emitted_on
),
steps as (
    select
        payments.*,
        lag(emitted_on) over payee as before_on,
        lag(cents) over payee as before_cents
    from payments
    window payee as (
        partition by organization_id, currency, counterparty_key order by emitted_on
    )
),
usual as (
    select
        organization_id,
        currency,
        counterparty_key,
        percentile_cont(0.5) within group (order by emitted_on - before_on) as days,
        percentile_cont(0.5) within group (
            order by abs(cents - before_cents) * 1.0 / nullif(before_cents, 0)
        ) as change
    from steps
    where before_on is not null
    group by organization_id, currency, counterparty_key
    having count(*) >= 3 - 1
),
judged as (
    select
        steps.*,
        usual.days as usual_days,
        usual.change as usual_change,
        avg(
            case
                when steps.before_on is null then null
                when abs((steps.emitted_on - steps.before_on) - usual.days) <= greatest(2, usual.days * 0.2)
                    then 1.0
                else 0.0
            end
        ) over whole as even_share,
        row_number() over (
            partition by steps.organization_id, steps.currency, steps.counterparty_key
            order by steps.emitted_on desc
        ) as from_last,
        count(*) over whole as payments,
        min(steps.emitted_on) over whole as first_on,
        sum(steps.cents) over whole as total_cents,
        max(case when steps.cents <> steps.before_cents then steps.emitted_on end) over whole
            as changed_on
    from steps
    inner join usual
        on usual.organization_id = steps.organization_id
        and usual.currency = steps.currency
        and usual.counterparty_key = steps.counterparty_key
    window whole as (
        partition by steps.organization_id, steps.currency, steps.counterparty_key
    )
)
select
    judged.organization_id,
    judged.currency,
    judged.counterparty_key,
    judged.counterparty,
    judged.operation_type,
    case
        when judged.usual_days between 6 and 8 then 'weekly'
        when judged.usual_days between 13 and 16 then 'fortnightly'
        when judged.usual_days between 26 and 35 then 'monthly'
        when judged.usual_days between 85 and 97 then 'quarterly'
        else 'yearly'
    end as cadence,
    judged.usual_days,
    judged.payments,
    judged.first_on,
    judged.emitted_on as last_on,
    judged.cents as last_cents,
    changed.before_cents as previous_cents,
    judged.changed_on,
    cast(judged.total_cents as bigint) as total_cents
from judged
left join steps as changed
    on changed.organization_id = judged.organization_id
    and changed.currency = judged.currency
    and changed.counterparty_key = judged.counterparty_key
    and changed.emitted_on = judged.changed_on
where
    judged.from_last = 1
    and judged.even_share >= 0.75
    and judged.usual_change <= 0.25
    and (
        judged.usual_days between 6 and 8
        or judged.usual_days between 13 and 16
        or judged.usual_days between 26 and 35
        or judged.usual_days between 85 and 97
        or judged.usual_days between 350 and 380
    );

create or replace view analytics.int_qonto__settled as
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
    from analytics.stg_qonto__transactions
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
    and left_over.transaction_id = settled.transaction_id;

create or replace view analytics.stg_qonto__transaction_counts as
-- One row per bank account and status: how many transactions Qonto has. Empty unless the stream,
-- which is off by default, is selected.
with source as (
    select
    nullif(cast("organization_id" as text), '') as "organization_id",
    nullif(cast("bank_account_id" as text), '') as "bank_account_id",
    nullif(cast("status" as text), '') as "status",
    cast("count" as bigint) as "count",
    cast(null as timestamp) as loaded_at
  from (select null as organization_id, null as bank_account_id, null as status, null as count, null as observed_at, null as unknown_fields) as transaction_counts where false
)
select
    organization_id,
    bank_account_id,
    status,
    source.count as transactions
from source;

create or replace view analytics.stg_qonto__bank_account_balances as
-- One row per bank account and run: the balance that Qonto told then.
with source as (
    select
    nullif(cast("organization_id" as text), '') as "organization_id",
    nullif(cast("bank_account_id" as text), '') as "bank_account_id",
    "observed_at" as "observed_at",
    cast("balance_cents" as bigint) as "balance_cents",
    cast("authorized_balance_cents" as bigint) as "authorized_balance_cents",
    nullif(cast("currency" as text), '') as "currency",
    nullif(cast("status" as text), '') as "status",
    cast(null as timestamp) as loaded_at
  from main.bank_account_balances as bank_account_balances
)
select
    organization_id,
    bank_account_id,
    observed_at,
    balance_cents,
    cast(balance_cents * 0.01 as decimal(18, 2)) as balance,
    authorized_balance_cents,
    currency,
    status
from source;

create or replace view analytics.stg_qonto__organizations as
-- One row per organization: from the consent, else from the organization itself.
with consented as (
    select
    nullif(cast("id" as text), '') as "id",
    nullif(cast("name" as text), '') as "name",
    nullif(cast("legal_name" as text), '') as "legal_name",
    nullif(cast("legal_country" as text), '') as "legal_country",
    cast(null as timestamp) as loaded_at
  from main.user_organizations as user_organizations
),
own as (
    select
    nullif(cast("organization_id" as text), '') as "organization_id",
    nullif(cast("name" as text), '') as "name",
    nullif(cast("legal_name" as text), '') as "legal_name",
    nullif(cast("legal_country" as text), '') as "legal_country",
    nullif(cast("slug" as text), '') as "slug",
    cast(null as timestamp) as loaded_at
  from main.organization as organization
)
select
    coalesce(consented.id, own.organization_id) as organization_id,
    coalesce(consented.name, own.name, consented.legal_name, own.legal_name) as organization,
    coalesce(own.legal_name, consented.legal_name) as legal_name,
    coalesce(own.legal_country, consented.legal_country) as legal_country,
    own.slug
from consented
full join own on own.organization_id = consented.id;

create or replace view analytics.qonto__account_checks as
-- Does the warehouse hold what Qonto holds, account by account?
--
-- For each account: one row with the balance in cents that the last settled transaction left, and
-- one per status with the number of transactions. `verdict` says ok, or what is wrong. The counts
-- need the stream `transaction_counts`, which is off by default, in the same run as `transactions`
-- and `bank_account_balances`; without it they are `not asked for`.
with counted as (
    select
        coalesce(there.organization_id, here.organization_id) as organization_id,
        coalesce(there.bank_account_id, here.bank_account_id) as bank_account_id,
        coalesce(there.status, here.status) as what,
        there.transactions as in_qonto,
        coalesce(here.transactions, 0) as in_warehouse
    from analytics.stg_qonto__transaction_counts as there
    full join (
        select organization_id, bank_account_id, status, count(*) as transactions
        from analytics.stg_qonto__transactions
        group by organization_id, bank_account_id, status
    ) as here
        on here.organization_id = there.organization_id
        and here.bank_account_id = there.bank_account_id
        and here.status = there.status
),
last_settled as (
    select
        settled.*,
        row_number() over (
            partition by organization_id, bank_account_id
            order by settled_at desc, case when is_last_of_moment then 0 else 1 end, transaction_id
        ) as place
    from analytics.int_qonto__settled as settled
),
observed as (
    select
        balances.*,
        row_number() over (
            partition by organization_id, bank_account_id order by observed_at desc
        ) as place
    from analytics.stg_qonto__bank_account_balances as balances
),
judged as (
    select
        organization_id,
        bank_account_id,
        what,
        in_qonto,
        in_warehouse,
        case
            when in_qonto is null then 'not asked for'
            when in_qonto = in_warehouse then 'ok'
            when in_qonto > in_warehouse then 'missing'
            else 'too many'
        end as verdict
    from counted

    union all

    select
        observed.organization_id,
        observed.bank_account_id,
        'balance, cents' as what,
        observed.balance_cents as in_qonto,
        coalesce(last_settled.after_cents, 0) as in_warehouse,
        case
            when observed.balance_cents = coalesce(last_settled.after_cents, 0) then 'ok'
            else 'differs'
        end as verdict
    from observed
    left join last_settled
        on last_settled.organization_id = observed.organization_id
        and last_settled.bank_account_id = observed.bank_account_id
        and last_settled.place = 1
    where observed.place = 1
)
select
    judged.organization_id,
    organizations.organization,
    judged.bank_account_id,
    accounts.bank_account,
    judged.what,
    cast(judged.in_qonto as bigint) as in_qonto,
    cast(judged.in_warehouse as bigint) as in_warehouse,
    cast(judged.in_warehouse - judged.in_qonto as bigint) as difference,
    judged.verdict
from judged
left join analytics.stg_qonto__organizations as organizations
    on organizations.organization_id = judged.organization_id
left join analytics.stg_qonto__bank_accounts as accounts
    on accounts.organization_id = judged.organization_id
    and accounts.bank_account_id = judged.bank_account_id;

create or replace view analytics.qonto__balance_gaps as
-- Is a settled transaction missing, or is its amount wrong? No row means no.
--
-- Each completed transaction tells the balance of its account afterwards. Taking its amount away
-- gives the balance before, and another transaction must have left exactly that: in the moment
-- before, or in the same one. Where none did, this is the first transaction after the gap. The
-- oldest transaction of an account has nothing before it: see qonto__account_checks.
with settled as (
    select * from analytics.int_qonto__settled
),
moments as (
    select
        organization_id,
        bank_account_id,
        settled_at,
        lag(settled_at) over (partition by organization_id, bank_account_id order by settled_at)
            as earlier
    from settled
    group by organization_id, bank_account_id, settled_at
),
gaps as (
    select settled.*, moments.earlier
    from settled
    inner join moments
        on moments.organization_id = settled.organization_id
        and moments.bank_account_id = settled.bank_account_id
        and moments.settled_at = settled.settled_at
    left join settled as before
        on before.organization_id = settled.organization_id
        and before.bank_account_id = settled.bank_account_id
        and before.settled_at = moments.earlier
        and before.after_cents = settled.before_cents
    left join settled as beside
        on beside.organization_id = settled.organization_id
        and beside.bank_account_id = settled.bank_account_id
        and beside.settled_at = settled.settled_at
        and beside.after_cents = settled.before_cents
        and beside.transaction_id <> settled.transaction_id
    where moments.earlier is not null and before.transaction_id is null and beside.transaction_id is null
),
-- what the moment before left; of several balances then, the one that jumps least
jumps as (
    select
        gaps.*,
        left_over.after_cents as left_cents,
        row_number() over (
            partition by gaps.organization_id, gaps.transaction_id
            order by abs(gaps.before_cents - left_over.after_cents)
        ) as place
    from gaps
    inner join settled as left_over
        on left_over.organization_id = gaps.organization_id
        and left_over.bank_account_id = gaps.bank_account_id
        and left_over.settled_at = gaps.earlier
)
select
    jumps.organization_id,
    organizations.organization,
    jumps.bank_account_id,
    jumps.earlier as settled_before,
    jumps.settled_at as settled_after,
    cast(jumps.left_cents as bigint) as left_cents,
    cast(jumps.before_cents as bigint) as found_cents,
    cast(jumps.before_cents - jumps.left_cents as bigint) as jump_cents,
    jumps.currency,
    jumps.transaction_id
from jumps
left join analytics.stg_qonto__organizations as organizations
    on organizations.organization_id = jumps.organization_id
where jumps.place = 1;

create or replace view analytics.stg_qonto__transaction_labels as
-- One row per transaction and label.
select distinct
    transactions.organization_id,
    transactions.transaction_id,
    coalesce(items.item ->> 'id', case json_type(items.item) when 'VARCHAR' then items.item ->> '$' end) as label_id,
    items.item ->> 'name' as label,
    items.item ->> 'parent_id' as parent_label_id
from analytics.stg_qonto__transactions as transactions
cross join lateral (
      select
          unnest(from_json(transactions.labels, '["JSON"]')) as item,
          unnest(range(1, 1 + cast(json_array_length(transactions.labels) as bigint))) as position
  ) as items;

create or replace view analytics.stg_qonto__labels as
-- One row per label.
with source as (
    select
    nullif(cast("organization_id" as text), '') as "organization_id",
    nullif(cast("id" as text), '') as "id",
    nullif(cast("name" as text), '') as "name",
    nullif(cast("parent_id" as text), '') as "parent_id",
    cast(null as timestamp) as loaded_at
  from main.labels as labels
)
select
    source.organization_id,
    source.id as label_id,
    source.name as label,
    source.parent_id as parent_label_id,
    parent.name as parent_label
from source
left join source as parent
    on parent.organization_id = source.organization_id
    and parent.id = source.parent_id;

create or replace view analytics.stg_qonto__cards as
-- One row per card, with its limits and what Qonto says was spent this month.
with source as (
    select
    nullif(cast("organization_id" as text), '') as "organization_id",
    nullif(cast("id" as text), '') as "id",
    nullif(cast("nickname" as text), '') as "nickname",
    nullif(cast("status" as text), '') as "status",
    nullif(cast("last_digits" as text), '') as "last_digits",
    nullif(cast("card_level" as text), '') as "card_level",
    nullif(cast("card_type" as text), '') as "card_type",
    nullif(cast("holder_id" as text), '') as "holder_id",
    nullif(cast("bank_account_id" as text), '') as "bank_account_id",
    cast("payment_monthly_limit" as decimal(18, 4)) as "payment_monthly_limit",
    cast("payment_monthly_spent" as decimal(18, 4)) as "payment_monthly_spent",
    cast("atm_monthly_limit" as decimal(18, 4)) as "atm_monthly_limit",
    cast("atm_monthly_spent" as decimal(18, 4)) as "atm_monthly_spent",
    cast("payment_lifespan_limit" as decimal(18, 4)) as "payment_lifespan_limit",
    cast("payment_lifespan_spent" as decimal(18, 4)) as "payment_lifespan_spent",
    "created_at" as "created_at",
    "updated_at" as "updated_at",
    cast(null as timestamp) as loaded_at
  from main.cards as cards
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
    cast(round(cast(payment_monthly_limit as decimal(20, 4)) * 100) as bigint) as payment_monthly_limit_cents,
    cast(round(cast(payment_monthly_spent as decimal(20, 4)) * 100) as bigint) as payment_monthly_spent_cents,
    cast(round(cast(atm_monthly_limit as decimal(20, 4)) * 100) as bigint) as atm_monthly_limit_cents,
    cast(round(cast(atm_monthly_spent as decimal(20, 4)) * 100) as bigint) as atm_monthly_spent_cents,
    cast(round(cast(payment_lifespan_limit as decimal(20, 4)) * 100) as bigint) as payment_lifespan_limit_cents,
    cast(round(cast(payment_lifespan_spent as decimal(20, 4)) * 100) as bigint) as payment_lifespan_spent_cents,
    created_at,
    updated_at
from source;

create or replace view analytics.stg_qonto__memberships as
-- One row per person of an organization, with the team.
with source as (
    select
    nullif(cast("organization_id" as text), '') as "organization_id",
    nullif(cast("id" as text), '') as "id",
    nullif(cast("first_name" as text), '') as "first_name",
    nullif(cast("last_name" as text), '') as "last_name",
    nullif(cast("email" as text), '') as "email",
    nullif(cast("role" as text), '') as "role",
    nullif(cast("status" as text), '') as "status",
    nullif(cast("team_id" as text), '') as "team_id",
    cast(null as timestamp) as loaded_at
  from main.memberships as memberships
),
team_names as (
    select
    nullif(cast("organization_id" as text), '') as "organization_id",
    nullif(cast("id" as text), '') as "id",
    nullif(cast("name" as text), '') as "name",
    cast(null as timestamp) as loaded_at
  from main.teams as teams
)
select
    source.organization_id,
    source.id as membership_id,
    nullif(trim(coalesce(source.first_name, '') || ' ' || coalesce(source.last_name, '')), '')
        as person,
    source.email,
    source.role,
    source.status,
    source.team_id,
    team_names.name as team
from source
left join team_names
    on team_names.organization_id = source.organization_id
    and team_names.id = source.team_id;

create or replace view analytics.qonto__transactions as
-- What happened on every account, in one wide row per transaction?
with labels as (
    select
        tagged.organization_id,
        tagged.transaction_id,
        string_agg(coalesce(tagged.label, labels.label), ', ' order by coalesce(tagged.label, labels.label))
            as labels
    from analytics.stg_qonto__transaction_labels as tagged
    left join analytics.stg_qonto__labels as labels
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
    from analytics.int_qonto__invoice_transactions
    group by organization_id, transaction_id
),
-- cards by their last digits, where these name one card of the organization
digits as (
    select organization_id, last_digits, min(card_id) as card_id
    from analytics.stg_qonto__cards
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
    cast(date_trunc('month', transactions.emitted_on) as date) as emitted_month,
    cast(date_trunc('month', transactions.settled_on) as date) as settled_month
from analytics.stg_qonto__transactions as transactions
left join analytics.stg_qonto__organizations as organizations
    on organizations.organization_id = transactions.organization_id
left join analytics.stg_qonto__bank_accounts as accounts
    on accounts.organization_id = transactions.organization_id
    and accounts.bank_account_id = transactions.bank_account_id
left join analytics.stg_qonto__memberships as people
    on people.organization_id = transactions.organization_id
    and people.membership_id = transactions.initiator_id
left join digits
    on digits.organization_id = transactions.organization_id
    and digits.last_digits = transactions.card_last_digits
left join analytics.stg_qonto__cards as cards
    on cards.organization_id = transactions.organization_id
    and cards.card_id = coalesce(transactions.card_id, digits.card_id)
left join labels
    on labels.organization_id = transactions.organization_id
    and labels.transaction_id = transactions.transaction_id
left join invoices
    on invoices.organization_id = transactions.organization_id
    and invoices.transaction_id = transactions.transaction_id
left join analytics.int_qonto__own_transfers as own
    on own.organization_id = transactions.organization_id
    and own.transaction_id = transactions.transaction_id;

create or replace view analytics.qonto__card_spend as
-- Who spends how much by card each month, in which team, and how close to the card's limit?
--
-- Refunds are subtracted; pending payments count, declined and reversed ones do not. The month is
-- that of the payment. The limit is the card's limit of today.
with months as (
    select
        organization_id,
        organization,
        emitted_month as month,
        card_id,
        card,
        card_last_digits,
        initiator_id,
        person,
        team,
        currency,
        count(case when amount_cents < 0 then 1 end) as payments,
        count(case when amount_cents > 0 then 1 end) as refunds,
        sum(-amount_cents) as spend_cents,
        sum(case when amount_cents < 0 then -amount_cents else 0 end) as paid_cents,
        count(case when is_receipt_required and not is_receipt_lost and receipts = 0 then 1 end)
            as missing_receipts
    from analytics.qonto__transactions
    where operation_type = 'card' and status in ('completed', 'pending')
    group by
        organization_id, organization, emitted_month, card_id, card, card_last_digits, initiator_id,
        person, team, currency
)
select
    months.organization_id,
    months.organization,
    months.month,
    months.card_id,
    months.card,
    months.card_last_digits,
    months.initiator_id,
    coalesce(months.person, holders.person, '(unknown)') as person,
    coalesce(months.team, holders.team, '(no team)') as team,
    months.currency,
    months.payments,
    months.refunds,
    cast(months.spend_cents as bigint) as spend_cents,
    cast(months.spend_cents * 0.01 as decimal(18, 2)) as spend,
    cast(months.paid_cents as bigint) as paid_cents,
    cards.payment_monthly_limit_cents as limit_cents,
    case
        when cards.payment_monthly_limit_cents > 0
            then cast(months.paid_cents * 100.0 / cards.payment_monthly_limit_cents as decimal(18, 1))
    end as percent_of_limit,
    months.missing_receipts
from months
left join analytics.stg_qonto__cards as cards
    on cards.organization_id = months.organization_id
    and cards.card_id = months.card_id
left join analytics.stg_qonto__memberships as holders
    on holders.organization_id = cards.organization_id
    and holders.membership_id = cards.holder_id;

create or replace view analytics.qonto__counterparties as
-- With whom does each organization do business, since when, and how much?
select
    organization_id,
    max(organization) as organization,
    lower(counterparty_name) as counterparty_key,
    currency,
    max(counterparty_name) as counterparty,
    max(counterparty_iban) as counterparty_iban,
    count(distinct counterparty_iban) as ibans,
    count(*) as transactions,
    min(emitted_on) as first_on,
    max(emitted_on) as last_on,
    cast(sum(case when amount_cents > 0 then amount_cents else 0 end) as bigint) as in_cents,
    cast(sum(case when amount_cents < 0 then -amount_cents else 0 end) as bigint) as out_cents,
    cast(sum(amount_cents) as bigint) as net_cents
from analytics.qonto__transactions
where status = 'completed' and counterparty_name is not null and not is_own_transfer
group by organization_id, lower(counterparty_name), currency;

create or replace view analytics.qonto__daily_balances as
-- How much did each account hold at the end of each day, and what moved?
--
-- From the first settled movement to today, in days of `qonto__timezone`. The balance is Qonto's own:
-- that after the last movement of the day. Days without any keep the balance of the day before.
with settled as (
    select * from analytics.int_qonto__settled
),
ranked as (
    select
        settled.*,
        row_number() over (
            partition by organization_id, bank_account_id, settled_on
            order by settled_at desc, case when is_last_of_moment then 0 else 1 end, transaction_id
        ) as place
    from settled
),
evenings as (
    select organization_id, bank_account_id, settled_on as day, after_cents
    from ranked
    where place = 1
),
movements as (
    select
        organization_id,
        bank_account_id,
        settled_on as day,
        sum(case when amount_cents > 0 then amount_cents else 0 end) as in_cents,
        sum(case when amount_cents < 0 then -amount_cents else 0 end) as out_cents
    from settled
    group by organization_id, bank_account_id, settled_on
),
accounts as (
    select organization_id, bank_account_id, currency, min(settled_on) as first_day
    from settled
    group by organization_id, bank_account_id, currency
),
days as (
    select
        organization_id,
        bank_account_id,
        currency,
        cast(unnest(generate_series(cast(first_day as timestamp), cast(cast(current_timestamp at time zone 'Europe/Paris' as date) as timestamp), interval '1 day')) as date) as day
    from accounts
),
-- `stretch` numbers the days from one evening balance to the next
calendar as (
    select
        days.organization_id,
        days.bank_account_id,
        days.currency,
        days.day,
        evenings.after_cents,
        count(evenings.after_cents) over (
            partition by days.organization_id, days.bank_account_id order by days.day
        ) as stretch
    from days
    left join evenings
        on evenings.organization_id = days.organization_id
        and evenings.bank_account_id = days.bank_account_id
        and evenings.day = days.day
),
balances as (
    select
        organization_id,
        bank_account_id,
        currency,
        day,
        max(after_cents) over (partition by organization_id, bank_account_id, stretch)
            as balance_cents
    from calendar
)
select
    balances.organization_id,
    organizations.organization,
    balances.bank_account_id,
    bank_accounts.bank_account,
    balances.currency,
    balances.day,
    cast(coalesce(movements.in_cents, 0) as bigint) as in_cents,
    cast(coalesce(movements.out_cents, 0) as bigint) as out_cents,
    cast(balances.balance_cents as bigint) as balance_cents,
    cast(balances.balance_cents * 0.01 as decimal(18, 2)) as balance
from balances
left join movements
    on movements.organization_id = balances.organization_id
    and movements.bank_account_id = balances.bank_account_id
    and movements.day = balances.day
left join analytics.stg_qonto__organizations as organizations
    on organizations.organization_id = balances.organization_id
left join analytics.stg_qonto__bank_accounts as bank_accounts
    on bank_accounts.organization_id = balances.organization_id
    and bank_accounts.bank_account_id = balances.bank_account_id;

create or replace view analytics.qonto__duplicate_payments as
-- Which payments may have been made twice?
--
-- The same amount to the same payee within `qonto__duplicate_days` days. The row is the later one.
with ordered as (
    select
        transactions.*,
        lag(transaction_id) over payee as earlier_transaction_id,
        lag(emitted_on) over payee as earlier_on,
        lag(reference) over payee as earlier_reference
    from analytics.qonto__transactions as transactions
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
where emitted_on - earlier_on <= 3;

create or replace view analytics.qonto__intercompany as
-- How much did the organizations send each other each month, and does the other side know of it?
--
-- Seen from `organization`. A transfer counts in the month in which it began, on both sides.
-- `unpaired` is what the other organization's accounts do not show (not yet).
select
    own.organization_id,
    organizations.organization,
    own.counterpart_organization_id,
    counterparts.organization as counterpart,
    cast(date_trunc('month', cast((own.began_at at time zone 'UTC') at time zone 'Europe/Paris' as date)) as date) as month,
    own.currency,
    count(*) as transfers,
    cast(sum(case when own.amount_cents < 0 then -own.amount_cents else 0 end) as bigint) as sent_cents,
    cast(sum(case when own.amount_cents > 0 then own.amount_cents else 0 end) as bigint) as received_cents,
    cast(sum(own.amount_cents) as bigint) as net_cents,
    count(case when own.counterpart_transaction_id is null then 1 end) as unpaired,
    cast(sum(case when own.counterpart_transaction_id is null then abs(own.amount_cents) else 0 end) as bigint)
        as unpaired_cents
from analytics.int_qonto__own_transfers as own
left join analytics.stg_qonto__organizations as organizations
    on organizations.organization_id = own.organization_id
left join analytics.stg_qonto__organizations as counterparts
    on counterparts.organization_id = own.counterpart_organization_id
where own.kind = 'between organizations'
group by
    own.organization_id, organizations.organization, own.counterpart_organization_id,
    counterparts.organization, cast(date_trunc('month', cast((own.began_at at time zone 'UTC') at time zone 'Europe/Paris' as date)) as date), own.currency;

create or replace view analytics.qonto__label_totals as
-- How much did each label (team, project, cost centre) bring and cost each month?
--
-- A transaction with two labels counts in full under each of them, so labels do not add up to the
-- cash flow. Those without any stand in a row of their own (`label` is null).
select
    transactions.organization_id,
    transactions.organization,
    transactions.settled_month as month,
    transactions.currency,
    tagged.label_id,
    coalesce(labels.label, max(tagged.label)) as label,
    labels.parent_label,
    count(*) as transactions,
    cast(sum(case when transactions.amount_cents > 0 then transactions.amount_cents else 0 end) as bigint)
        as in_cents,
    cast(sum(case when transactions.amount_cents < 0 then -transactions.amount_cents else 0 end) as bigint)
        as out_cents,
    cast(sum(transactions.amount_cents) as bigint) as net_cents
from analytics.qonto__transactions as transactions
left join analytics.stg_qonto__transaction_labels as tagged
    on tagged.organization_id = transactions.organization_id
    and tagged.transaction_id = transactions.transaction_id
left join analytics.stg_qonto__labels as labels
    on labels.organization_id = tagged.organization_id
    and labels.label_id = tagged.label_id
where
    transactions.status = 'completed'
    and transactions.settled_month is not null
    and not transactions.is_own_transfer
group by
    transactions.organization_id, transactions.organization, transactions.settled_month,
    transactions.currency, tagged.label_id, labels.label, labels.parent_label;

create or replace view analytics.qonto__missing_receipts as
-- Which payments still lack the receipt that Qonto asks for?
--
-- Left out are payments that were declined or reversed, and those whose receipt somebody declared
-- lost.
select
    organization_id,
    organization,
    transaction_id,
    emitted_on as day,
    cast(current_timestamp at time zone 'Europe/Paris' as date) - emitted_on as days_missing,
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
from analytics.qonto__transactions
where
    is_receipt_required
    and not is_receipt_lost
    and receipts = 0
    and status in ('completed', 'pending');

create or replace view analytics.qonto__monthly_cash_flow as
-- How much came in and went out each month, without money moved between one's own accounts?
with flows as (
    select
        organization_id,
        currency,
        settled_month as month,
        sum(case when own_transfer is null and amount_cents > 0 then amount_cents else 0 end) as in_cents,
        sum(case when own_transfer is null and amount_cents < 0 then -amount_cents else 0 end) as out_cents,
        sum(case when own_transfer = 'within organization' then amount_cents else 0 end)
            as own_transfers_cents,
        sum(case when own_transfer = 'between organizations' then amount_cents else 0 end)
            as intercompany_cents,
        count(*) as transactions
    from analytics.qonto__transactions
    where status = 'completed' and settled_month is not null
    group by organization_id, currency, settled_month
),
balances as (
    select
        organization_id,
        currency,
        cast(date_trunc('month', day) as date) as month,
        max(day) as last_day
    from analytics.qonto__daily_balances
    group by organization_id, currency, cast(date_trunc('month', day) as date)
),
closing as (
    select
        balances.organization_id,
        balances.currency,
        balances.month,
        sum(days.balance_cents) as closing_cents
    from balances
    inner join analytics.qonto__daily_balances as days
        on days.organization_id = balances.organization_id
        and days.currency = balances.currency
        and days.day = balances.last_day
    group by balances.organization_id, balances.currency, balances.month
)
select
    coalesce(flows.organization_id, closing.organization_id) as organization_id,
    organizations.organization,
    coalesce(flows.currency, closing.currency) as currency,
    coalesce(flows.month, closing.month) as month,
    cast(coalesce(flows.in_cents, 0) as bigint) as in_cents,
    cast(coalesce(flows.out_cents, 0) as bigint) as out_cents,
    cast(coalesce(flows.in_cents, 0) - coalesce(flows.out_cents, 0) as bigint) as net_cents,
    cast(coalesce(flows.own_transfers_cents, 0) as bigint) as own_transfers_cents,
    cast(coalesce(flows.intercompany_cents, 0) as bigint) as intercompany_cents,
    cast(coalesce(flows.transactions, 0) as bigint) as transactions,
    cast(closing.closing_cents as bigint) as closing_cents
from closing
full join flows
    on flows.organization_id = closing.organization_id
    and flows.currency = closing.currency
    and flows.month = closing.month
left join analytics.stg_qonto__organizations as organizations
    on organizations.organization_id = coalesce(flows.organization_id, closing.organization_id);

create or replace view analytics.stg_qonto__suppliers as
-- One row per supplier.
with source as (
    select
    nullif(cast("organization_id" as text), '') as "organization_id",
    nullif(cast("id" as text), '') as "id",
    nullif(cast("name" as text), '') as "name",
    nullif(cast("currency" as text), '') as "currency",
    nullif(cast("status" as text), '') as "status",
    cast(null as timestamp) as loaded_at
  from main.suppliers as suppliers
)
select
    organization_id,
    id as supplier_id,
    name as supplier,
    currency,
    status
from source;

create or replace view analytics.qonto__payables as
-- Which supplier invoices have to be paid, and by when?
--
-- Open is what Qonto calls payable, less matched payments. Paid, archived, rejected and discarded
-- invoices are closed; every other status is open, also one that Qonto invents tomorrow. Credit notes
-- count against what is due.
with matched as (
    select
        organization_id,
        invoice_id,
        currency,
        sum(-amount_cents) as cents,
        count(*) as payments,
        max(paid_on) as last_paid_on
    from analytics.int_qonto__invoice_transactions
    where invoice_kind = 'supplier' and status in ('completed', 'pending')
    group by organization_id, invoice_id, currency
)
select
    invoices.organization_id,
    organizations.organization,
    invoices.invoice_id,
    invoices.invoice_number,
    invoices.supplier_id,
    coalesce(invoices.supplier, suppliers.supplier) as supplier,
    invoices.status,
    invoices.is_credit_note,
    invoices.has_duplicates,
    invoices.currency,
    cast(invoices.total_cents as bigint) as total_cents,
    cast(invoices.payable_cents as bigint) as payable_cents,
    cast(coalesce(matched.cents, 0) as bigint) as matched_cents,
    coalesce(matched.payments, 0) as payments,
    cast(
        case
            when invoices.status in ('paid', 'archived', 'rejected', 'discarded') then 0
            when invoices.is_credit_note then least(invoices.payable_cents - coalesce(matched.cents, 0), 0)
            else greatest(invoices.payable_cents - coalesce(matched.cents, 0), 0)
        end as bigint
    ) as open_cents,
    cast(
        case
            when not invoices.is_credit_note and matched.cents > invoices.total_cents
                then matched.cents - invoices.total_cents
            else 0
        end as bigint
    ) as overpaid_cents,
    invoices.issue_date,
    invoices.due_date,
    case
        when invoices.status not in ('paid', 'archived', 'rejected', 'discarded')
            then invoices.due_date - cast(current_timestamp at time zone 'Europe/Paris' as date)
    end as days_left,
    invoices.scheduled_date,
    coalesce(invoices.payment_date, matched.last_paid_on) as paid_on,
    coalesce(invoices.payment_date, matched.last_paid_on) - invoices.issue_date as days_to_pay
from analytics.stg_qonto__supplier_invoices as invoices
left join matched
    on matched.organization_id = invoices.organization_id
    and matched.invoice_id = invoices.invoice_id
    and matched.currency = invoices.currency
left join analytics.stg_qonto__organizations as organizations
    on organizations.organization_id = invoices.organization_id
left join analytics.stg_qonto__suppliers as suppliers
    on suppliers.organization_id = invoices.organization_id
    and suppliers.supplier_id = invoices.supplier_id;

create or replace view analytics.stg_qonto__credit_notes as
-- One row per credit note to a client; amounts are positive.
with source as (
    select
    nullif(cast("organization_id" as text), '') as "organization_id",
    nullif(cast("id" as text), '') as "id",
    nullif(cast("number" as text), '') as "number",
    nullif(cast("invoice_id" as text), '') as "invoice_id",
    cast("client" as json) as "client",
    nullif(cast("currency" as text), '') as "currency",
    cast("total_amount" as json) as "total_amount",
    cast("total_amount_cents" as bigint) as "total_amount_cents",
    cast("vat_amount" as json) as "vat_amount",
    cast("vat_amount_cents" as bigint) as "vat_amount_cents",
    cast(nullif(cast("issue_date" as text), '') as date) as "issue_date",
    nullif(cast("reason" as text), '') as "reason",
    cast("items" as json) as "items",
    "created_at" as "created_at",
    cast(null as timestamp) as loaded_at
  from main.credit_notes as credit_notes
)
select
    organization_id,
    id as credit_note_id,
    number as credit_note_number,
    invoice_id,
    client ->> 'id' as client_id,
    coalesce(currency, total_amount ->> 'currency') as currency,
    coalesce(total_amount_cents, cast(round(cast(nullif(total_amount ->> 'value', '') as decimal(20, 4)) * 100) as bigint)) as total_cents,
    coalesce(vat_amount_cents, cast(round(cast(nullif(vat_amount ->> 'value', '') as decimal(20, 4)) * 100) as bigint)) as vat_cents,
    issue_date,
    reason,
    items
from source;

create or replace view analytics.stg_qonto__clients as
-- One row per client.
with source as (
    select
    nullif(cast("organization_id" as text), '') as "organization_id",
    nullif(cast("id" as text), '') as "id",
    nullif(cast("name" as text), '') as "name",
    nullif(cast("first_name" as text), '') as "first_name",
    nullif(cast("last_name" as text), '') as "last_name",
    nullif(cast("email" as text), '') as "email",
    nullif(cast("vat_number" as text), '') as "vat_number",
    nullif(cast("country_code" as text), '') as "country_code",
    nullif(cast("currency" as text), '') as "currency",
    cast(null as timestamp) as loaded_at
  from main.clients as clients
)
select
    organization_id,
    id as client_id,
    coalesce(
        name, nullif(trim(coalesce(first_name, '') || ' ' || coalesce(last_name, '')), '')
    ) as client,
    email,
    vat_number,
    upper(country_code) as country_code,
    currency
from source;

create or replace view analytics.qonto__receivables as
-- What does each client invoice still bring, how late is it, and how long did clients take to pay?
--
-- Drafts and canceled invoices are left out. Open is the total less what was paid and credited;
-- what was paid beyond that is `overpaid_cents`.
with credited as (
    select organization_id, invoice_id, sum(total_cents) as cents, count(*) as credit_notes
    from analytics.stg_qonto__credit_notes
    where invoice_id is not null
    group by organization_id, invoice_id
),
received as (
    select organization_id, invoice_id, sum(amount_cents) as cents, count(*) as payments
    from analytics.int_qonto__invoice_transactions
    where invoice_kind = 'client' and status = 'completed'
    group by organization_id, invoice_id
),
sums as (
    select
        invoices.*,
        coalesce(credited.cents, 0) as credited_cents,
        coalesce(credited.credit_notes, 0) as credit_notes,
        coalesce(received.payments, 0) as found_payments,
        received.cents as found_cents,
        invoices.total_cents - coalesce(credited.cents, 0) - invoices.paid_cents as left_cents
    from analytics.stg_qonto__client_invoices as invoices
    left join credited
        on credited.organization_id = invoices.organization_id
        and credited.invoice_id = invoices.invoice_id
    left join received
        on received.organization_id = invoices.organization_id
        and received.invoice_id = invoices.invoice_id
    where invoices.status not in ('draft', 'canceled')
),
opened as (
    select
        sums.*,
        case when status = 'paid' then 0 else greatest(left_cents, 0) end as open_cents,
        case when left_cents < 0 and paid_cents > 0 then -left_cents else 0 end as overpaid_cents
    from sums
),
aged as (
    select
        opened.*,
        case when open_cents > 0 then cast(current_timestamp at time zone 'Europe/Paris' as date) - due_date end as days_overdue
    from opened
)
select
    aged.organization_id,
    organizations.organization,
    aged.invoice_id,
    aged.invoice_number,
    aged.client_id,
    coalesce(aged.client, clients.client) as client,
    aged.status,
    aged.currency,
    cast(aged.total_cents as bigint) as total_cents,
    cast(aged.paid_cents as bigint) as paid_cents,
    cast(aged.credited_cents as bigint) as credited_cents,
    cast(aged.open_cents as bigint) as open_cents,
    cast(aged.overpaid_cents as bigint) as overpaid_cents,
    aged.open_cents > 0 and aged.paid_cents > 0 as is_partly_paid,
    aged.issue_date,
    aged.due_date,
    aged.days_overdue,
    case when aged.open_cents > 0 then case
      when aged.days_overdue is null then '0 no due date'
      when aged.days_overdue <= 0 then '1 not yet due'
      when aged.days_overdue <= 30 then '2 up to 30 days'
      when aged.days_overdue <= 60 then '3 31 to 60 days'
      when aged.days_overdue <= 90 then '4 61 to 90 days'
      else '5 more than 90 days'
  end end as age,
    aged.paid_on,
    aged.paid_on - aged.issue_date as days_to_pay,
    aged.paid_on - aged.due_date as days_late_paid,
    aged.credit_notes,
    aged.found_payments,
    cast(aged.found_cents as bigint) as found_cents
from aged
left join analytics.stg_qonto__organizations as organizations
    on organizations.organization_id = aged.organization_id
left join analytics.stg_qonto__clients as clients
    on clients.organization_id = aged.organization_id
    and clients.client_id = aged.client_id;

create or replace view analytics.qonto__recurring_spend as
-- Which payments come back by themselves, what do they cost a month, and which became dearer?
select
    recurring.organization_id,
    organizations.organization,
    recurring.counterparty_key,
    recurring.counterparty,
    recurring.currency,
    recurring.cadence,
    recurring.operation_type,
    recurring.payments,
    recurring.first_on,
    recurring.last_on,
    recurring.last_on + cast(round(recurring.usual_days) as integer) as next_on,
    -- one and a half times the usual distance without a payment: it ended
    cast(current_timestamp at time zone 'Europe/Paris' as date) - recurring.last_on <= recurring.usual_days * 1.5 as is_active,
    recurring.last_cents,
    recurring.previous_cents,
    recurring.changed_on,
    coalesce(recurring.last_cents > recurring.previous_cents, false) as is_dearer,
    cast(round(recurring.last_cents * 30.4375 / recurring.usual_days) as bigint) as monthly_cents,
    recurring.total_cents
from analytics.int_qonto__recurring_payments as recurring
left join analytics.stg_qonto__organizations as organizations
    on organizations.organization_id = recurring.organization_id;

create or replace view analytics.qonto__runway as
-- How long does the cash last, if the coming months are like the last ones?
--
-- The average of the last `qonto__runway_months` full months, own and intercompany transfers apart.
with cash as (
    select organization_id, organization, currency, sum(balance_cents) as cash_cents
    from analytics.qonto__daily_balances
    where day = cast(current_timestamp at time zone 'Europe/Paris' as date)
    group by organization_id, organization, currency
),
months as (
    select
        organization_id,
        currency,
        count(*) as months,
        sum(in_cents) * 1.0 / count(*) as in_cents,
        sum(out_cents) * 1.0 / count(*) as out_cents
    from analytics.qonto__monthly_cash_flow
    where
        month < cast(date_trunc('month', cast(current_timestamp at time zone 'Europe/Paris' as date)) as date)
        and month >= cast(date_trunc('month', cast(current_timestamp at time zone 'Europe/Paris' as date)) as date)
            - interval '3 months'
    group by organization_id, currency
),
receivable as (
    select organization_id, currency, sum(open_cents) as cents
    from analytics.qonto__receivables
    where open_cents > 0
    group by organization_id, currency
),
payable as (
    select organization_id, currency, sum(open_cents) as cents
    from analytics.qonto__payables
    where open_cents <> 0
    group by organization_id, currency
)
select
    cash.organization_id,
    cash.organization,
    cash.currency,
    cast(cash.cash_cents as bigint) as cash_cents,
    coalesce(months.months, 0) as months,
    cast(round(months.in_cents) as bigint) as monthly_in_cents,
    cast(round(months.out_cents) as bigint) as monthly_out_cents,
    cast(round(months.out_cents - months.in_cents) as bigint) as monthly_burn_cents,
    case
        when months.out_cents > months.in_cents
            then cast(round(cash.cash_cents / (months.out_cents - months.in_cents), 1) as decimal(18, 1))
    end as runway_months,
    cast(coalesce(receivable.cents, 0) as bigint) as receivable_cents,
    cast(coalesce(payable.cents, 0) as bigint) as payable_cents
from cash
left join months
    on months.organization_id = cash.organization_id
    and months.currency = cash.currency
left join receivable
    on receivable.organization_id = cash.organization_id
    and receivable.currency = cash.currency
left join payable
    on payable.organization_id = cash.organization_id
    and payable.currency = cash.currency;

create or replace view analytics.stg_qonto__transaction_vat_lines as
-- One row per transaction and VAT line; where Qonto tells no lines, the VAT of the whole.
select
    transactions.organization_id,
    transactions.transaction_id,
    items.position as line,
    cast(nullif(items.item ->> 'rate', '') as decimal(18, 4)) as vat_rate,
    coalesce(
        cast(items.item ->> 'amount_cents' as bigint),
        cast(round(cast(nullif(items.item ->> 'amount', '') as decimal(20, 4)) * 100) as bigint)
    ) as vat_cents,
    coalesce(
        cast(items.item ->> 'amount_excluding_vat_cents' as bigint),
        cast(round(cast(nullif(items.item ->> 'amount_excluding_vat', '') as decimal(20, 4)) * 100) as bigint)
    ) as base_cents
from analytics.stg_qonto__transactions as transactions
cross join lateral (
      select
          unnest(from_json((transactions.vat_details -> 'items'), '["JSON"]')) as item,
          unnest(range(1, 1 + cast(json_array_length((transactions.vat_details -> 'items')) as bigint))) as position
  ) as items

union all

select
    organization_id,
    transaction_id,
    1 as line,
    vat_rate,
    vat_cents,
    abs(amount_cents) - vat_cents as base_cents
from analytics.stg_qonto__transactions
where vat_cents is not null and coalesce(cast(json_array_length((vat_details -> 'items')) as bigint), 0) = 0;

create or replace view analytics.stg_qonto__client_invoice_items as
-- One row per line of an invoice to a client. `vat_rate` is in percent.
select
    invoices.organization_id,
    invoices.invoice_id,
    items.position as line,
    items.item ->> 'title' as title,
    cast(nullif(items.item ->> 'quantity', '') as decimal(18, 4)) as quantity,
    cast(nullif(items.item ->> 'vat_rate', '') as decimal(18, 4)) * 100 as vat_rate,
    coalesce(
        cast(items.item ->> 'subtotal_cents' as bigint),
        cast(round(cast(nullif((items.item -> 'subtotal') ->> 'value', '') as decimal(20, 4)) * 100) as bigint)
    ) as base_cents,
    coalesce(
        cast(items.item ->> 'total_vat_cents' as bigint),
        cast(round(cast(nullif((items.item -> 'total_vat') ->> 'value', '') as decimal(20, 4)) * 100) as bigint)
    ) as vat_cents,
    coalesce(
        cast(items.item ->> 'total_amount_cents' as bigint),
        cast(round(cast(nullif((items.item -> 'total_amount') ->> 'value', '') as decimal(20, 4)) * 100) as bigint)
    ) as total_cents
from analytics.stg_qonto__client_invoices as invoices
cross join lateral (
      select
          unnest(from_json(invoices.items, '["JSON"]')) as item,
          unnest(range(1, 1 + cast(json_array_length(invoices.items) as bigint))) as position
  ) as items;

create or replace view analytics.stg_qonto__credit_note_items as
-- One row per line of a credit note. `vat_rate` is in percent.
select
    notes.organization_id,
    notes.credit_note_id,
    items.position as line,
    items.item ->> 'title' as title,
    cast(nullif(items.item ->> 'vat_rate', '') as decimal(18, 4)) * 100 as vat_rate,
    coalesce(
        cast(items.item ->> 'subtotal_cents' as bigint),
        cast(round(cast(nullif((items.item -> 'subtotal') ->> 'value', '') as decimal(20, 4)) * 100) as bigint)
    ) as base_cents,
    coalesce(
        cast(items.item ->> 'total_vat_cents' as bigint),
        cast(round(cast(nullif((items.item -> 'total_vat') ->> 'value', '') as decimal(20, 4)) * 100) as bigint)
    ) as vat_cents,
    coalesce(
        cast(items.item ->> 'total_amount_cents' as bigint),
        cast(round(cast(nullif((items.item -> 'total_amount') ->> 'value', '') as decimal(20, 4)) * 100) as bigint)
    ) as total_cents
from analytics.stg_qonto__credit_notes as notes
cross join lateral (
      select
          unnest(from_json(notes.items, '["JSON"]')) as item,
          unnest(range(1, 1 + cast(json_array_length(notes.items) as bigint))) as position
  ) as items;

create or replace view analytics.qonto__vat_by_month as
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
    from analytics.qonto__transactions as transactions
    left join analytics.stg_qonto__transaction_vat_lines as vat
        on vat.organization_id = transactions.organization_id
        and vat.transaction_id = transactions.transaction_id
    where
        transactions.status = 'completed'
        and transactions.settled_month is not null
        and not transactions.is_own_transfer

    union all

    select
        invoices.organization_id,
        cast(date_trunc('month', invoices.issue_date) as date) as month,
        invoices.currency,
        'invoiced' as basis,
        'collected' as direction,
        items.vat_rate,
        1 as sign,
        coalesce(items.vat_cents, invoices.vat_cents) as vat_cents,
        coalesce(items.base_cents, invoices.total_cents - invoices.vat_cents) as base_cents,
        coalesce(items.total_cents, invoices.total_cents) as gross_cents,
        invoices.invoice_id as document_id
    from analytics.stg_qonto__client_invoices as invoices
    left join analytics.stg_qonto__client_invoice_items as items
        on items.organization_id = invoices.organization_id
        and items.invoice_id = invoices.invoice_id
    where invoices.status not in ('draft', 'canceled') and invoices.issue_date is not null

    union all

    select
        notes.organization_id,
        cast(date_trunc('month', notes.issue_date) as date) as month,
        notes.currency,
        'invoiced' as basis,
        'collected' as direction,
        items.vat_rate,
        -1 as sign,
        coalesce(items.vat_cents, notes.vat_cents) as vat_cents,
        coalesce(items.base_cents, notes.total_cents - notes.vat_cents) as base_cents,
        coalesce(items.total_cents, notes.total_cents) as gross_cents,
        notes.credit_note_id as document_id
    from analytics.stg_qonto__credit_notes as notes
    left join analytics.stg_qonto__credit_note_items as items
        on items.organization_id = notes.organization_id
        and items.credit_note_id = notes.credit_note_id
    where notes.issue_date is not null

    union all

    select
        organization_id,
        cast(date_trunc('month', issue_date) as date) as month,
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
    from analytics.stg_qonto__supplier_invoices
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
left join analytics.stg_qonto__organizations as organizations
    on organizations.organization_id = lines.organization_id
group by
    lines.organization_id, lines.month, lines.currency, lines.basis, lines.direction, lines.vat_rate;

create or replace view analytics.stg_qonto__transaction_attachments as
-- One row per transaction and attached file.
select distinct
    transactions.organization_id,
    transactions.transaction_id,
    coalesce(items.item ->> 'id', case json_type(items.item) when 'VARCHAR' then items.item ->> '$' end) as attachment_id,
    items.item ->> 'file_name' as file_name,
    items.item ->> 'file_content_type' as file_content_type
from analytics.stg_qonto__transactions as transactions
cross join lateral (
      select
          unnest(from_json(transactions.attachments, '["JSON"]')) as item,
          unnest(range(1, 1 + cast(json_array_length(transactions.attachments) as bigint))) as position
  ) as items;
