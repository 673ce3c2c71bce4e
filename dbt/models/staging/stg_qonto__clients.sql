-- One row per client.
with source as (
    {{ qonto_rows('clients', [
        'organization_id', 'id', 'name', 'first_name', 'last_name', 'email', 'vat_number',
        'country_code', 'currency'
    ]) }}
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
from source
