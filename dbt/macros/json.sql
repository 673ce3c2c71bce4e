{# JSON in DuckDB and in Postgres. `column ->> 'key'` means the same in both. #}

{% macro qonto_json_type() %}{{ return(adapter.dispatch('qonto_json_type', 'qonto')()) }}{% endmacro %}
{% macro default__qonto_json_type() %}json{% endmacro %}
{% macro postgres__qonto_json_type() %}jsonb{% endmacro %}

{# Whatever a loader made of an object or a list (JSON, text, an array of Postgres) as JSON. #}
{% macro qonto_as_json(column, is_text) %}
  {{- return(adapter.dispatch('qonto_as_json', 'qonto')(column, is_text)) -}}
{% endmacro %}
{% macro default__qonto_as_json(column, is_text) -%}
  cast({{ column }} as json)
{%- endmacro %}
{% macro postgres__qonto_as_json(column, is_text) -%}
  {% if is_text %}cast(nullif({{ column }}, '') as jsonb){% else %}to_jsonb({{ column }}){% endif %}
{%- endmacro %}

{# From clause: a row for each item of a list; `item` is JSON, `position` counts from 1. #}
{% macro qonto_items(list) %}
  {{- return(adapter.dispatch('qonto_items', 'qonto')(list)) -}}
{% endmacro %}
{% macro default__qonto_items(list) -%}
  cross join lateral (
      select
          unnest(from_json({{ list }}, '["JSON"]')) as item,
          unnest(range(1, 1 + cast(json_array_length({{ list }}) as bigint))) as position
  ) as items
{%- endmacro %}
{% macro postgres__qonto_items(list) -%}
  cross join lateral jsonb_array_elements(
      case jsonb_typeof({{ list }}) when 'array' then {{ list }} end
  ) with ordinality as items (item, position)
{%- endmacro %}

{# How many items a list has; 0 for null. #}
{% macro qonto_json_length(list) %}
  {{- return(adapter.dispatch('qonto_json_length', 'qonto')(list)) -}}
{% endmacro %}
{% macro default__qonto_json_length(list) -%}
  coalesce(cast(json_array_length({{ list }}) as bigint), 0)
{%- endmacro %}
{% macro postgres__qonto_json_length(list) -%}
  coalesce(jsonb_array_length(case jsonb_typeof({{ list }}) when 'array' then {{ list }} end), 0)
{%- endmacro %}

{# The text of an item that is a text; null if it is an object. #}
{% macro qonto_item_text(item) %}
  {{- return(adapter.dispatch('qonto_item_text', 'qonto')(item)) -}}
{% endmacro %}
{% macro default__qonto_item_text(item) -%}
  case json_type({{ item }}) when 'VARCHAR' then {{ item }} ->> '$' end
{%- endmacro %}
{% macro postgres__qonto_item_text(item) -%}
  case jsonb_typeof({{ item }}) when 'string' then {{ item }} #>> '{}' end
{%- endmacro %}
