-- One row per bank account and status: how many transactions Qonto has. Empty unless the stream,
-- which is off by default, is selected.
with source as (
    {{ qonto_rows('transaction_counts', ['organization_id', 'bank_account_id', 'status', 'count']) }}
)
select
    organization_id,
    bank_account_id,
    status,
    source.count as transactions
from source
