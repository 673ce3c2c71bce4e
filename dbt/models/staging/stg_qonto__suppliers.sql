-- One row per supplier.
with source as (
    {{ qonto_rows('suppliers', ['organization_id', 'id', 'name', 'currency', 'status']) }}
)
select
    organization_id,
    id as supplier_id,
    name as supplier,
    currency,
    status
from source
