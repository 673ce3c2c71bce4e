-- One row per person of an organization, with the team.
with source as (
    {{ qonto_rows('memberships', [
        'organization_id', 'id', 'first_name', 'last_name', 'email', 'role', 'status', 'team_id'
    ]) }}
),
team_names as (
    {{ qonto_rows('teams', ['organization_id', 'id', 'name']) }}
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
    and team_names.id = source.team_id
