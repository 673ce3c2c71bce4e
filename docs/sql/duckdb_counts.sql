-- Lets qonto__account_checks count: run it after duckdb.sql, once `transaction_counts`, a stream
-- that is off by default, was loaded.
--
-- Made from dbt/models by scripts/sql.py: edit those, not this.

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
  from main.transaction_counts as transaction_counts
)
select
    organization_id,
    bank_account_id,
    status,
    source.count as transactions
from source;
