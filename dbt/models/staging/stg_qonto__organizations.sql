-- One row per organization: from the consent, else from the organization itself.
with consented as (
    {{ qonto_rows('user_organizations', ['id', 'name', 'legal_name', 'legal_country']) }}
),
own as (
    {{ qonto_rows('organization', ['organization_id', 'name', 'legal_name', 'legal_country', 'slug']) }}
)
select
    coalesce(consented.id, own.organization_id) as organization_id,
    coalesce(consented.name, own.name, consented.legal_name, own.legal_name) as organization,
    coalesce(own.legal_name, consented.legal_name) as legal_name,
    coalesce(own.legal_country, consented.legal_country) as legal_country,
    own.slug
from consented
full join own on own.organization_id = consented.id
