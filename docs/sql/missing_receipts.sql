-- Which payments still lack the receipt that Qonto asks for?
--
-- One row per transaction, oldest first. Left out are payments that were declined or reversed, and
-- those whose receipt somebody declared lost. Amounts are cents.

select
    cast(transactions.emitted_at as date) as day,
    user_organizations.name as organization,
    memberships.first_name || ' ' || memberships.last_name as person,
    coalesce(nullif(transactions.clean_counterparty_name, ''), transactions.label) as paid_to,
    transactions.operation_type,
    cast(transactions.amount_cents as bigint) as amount_cents,
    transactions.currency,
    transactions.status,
    transactions.id as transaction_id
from transactions
join user_organizations on user_organizations.id = transactions.organization_id
left join memberships
    on memberships.organization_id = transactions.organization_id
    and memberships.id = transactions.initiator_id
where
    transactions.attachment_required
    and not coalesce(transactions.attachment_lost, false)
    and transactions.status in ('completed', 'pending')
    -- an empty list reads [] where the column is JSON, and {} where it is an array of Postgres
    and coalesce(cast(transactions.attachment_ids as varchar), '[]') in ('[]', '{}')
order by transactions.emitted_at, transactions.id;
