{# No two rows have the same values in `columns`; nulls count as equal. #}
{% test qonto_unique(model, columns) %}
select {{ columns | join(', ') }}, count(*) as copies
from {{ model }}
group by {{ columns | join(', ') }}
having count(*) > 1
{% endtest %}

{#
  Each row that names another names one that is there, in the same organization. A warning: rows
  deleted in Qonto leave others that name them. Not asked where nothing of the kind was loaded.
#}
{% test qonto_refers_to(model, column_name, to, field) %}
{{ config(severity='warn') }}
select child.organization_id, child.{{ column_name }}
from {{ model }} as child
left join {{ to }} as parent
    on parent.organization_id = child.organization_id
    and parent.{{ field }} = child.{{ column_name }}
where
    child.{{ column_name }} is not null
    and parent.{{ field }} is null
    and exists (select 1 from {{ to }})
{% endtest %}

{# A number lies within `at_least` and `at_most`. A warning: it says what to look at in Qonto. #}
{% test qonto_within(model, column_name, at_least=none, at_most=none) %}
{{ config(severity='warn') }}
select {{ column_name }}
from {{ model }}
where
    false
    {% if at_least is not none %} or {{ column_name }} < {{ at_least }} {% endif %}
    {% if at_most is not none %} or {{ column_name }} > {{ at_most }} {% endif %}
{% endtest %}
