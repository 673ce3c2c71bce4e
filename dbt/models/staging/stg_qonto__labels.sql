-- One row per label.
with source as (
    {{ qonto_rows('labels', ['organization_id', 'id', 'name', 'parent_id']) }}
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
    and parent.id = source.parent_id
