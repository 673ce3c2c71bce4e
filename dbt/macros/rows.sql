{#
  The rows of a stream as they should be read: the columns asked for, with one type each whatever
  the loader made of them, without rows that the loader marked as deleted.

  A table that is not there gives no rows, a column that is not there gives null: a stream may be
  deselected, and a column may be newer than the table. `qonto__using_<stream>: true` makes a table
  that is not there an error, `false` leaves one unread that is there.
#}
{% macro qonto_rows(stream, columns) %}
  {%- set declared = qonto_declared(stream) -%}
  {%- set table = qonto_table(stream) -%}
  {%- set found = qonto_column_types(table, declared) -%}
  {%- set loaded_at = var('qonto__loaded_at_column') -%}
  {%- set deleted_at = var('qonto__deleted_at_column') -%}
  select
  {%- for name in columns %}
    {{ qonto_column(name, declared.get(name, 'text'), found) }} as {{ adapter.quote(name) }},
  {%- endfor %}
    {{ qonto_column(loaded_at, 'timestamp', found) }} as loaded_at
  {%- if table is none %}
  from (select 1 as nothing) as {{ stream }}
  where false
  {%- else %}
  from {{ table }} as {{ stream }}
  {%- if deleted_at in found %}
  where {{ deleted_at }} is null
  {%- endif %}
  {%- endif %}
{% endmacro %}

{# Column types of a stream as src_qonto.yml declares them: name -> type. #}
{% macro qonto_declared(stream) %}
  {%- set types = {} -%}
  {%- if execute -%}
    {%- set node = graph.sources['source.qonto.qonto.' ~ stream] -%}
    {%- for column in node.columns.values() -%}
      {%- do types.update({column.name: column.data_type}) -%}
    {%- endfor -%}
  {%- endif -%}
  {{ return(types) }}
{% endmacro %}

{# The table of a stream, or none where there is none to read. #}
{% macro qonto_table(stream) %}
  {%- set table = source('qonto', stream) -%}
  {%- set using = var('qonto__using_' ~ stream, none) -%}
  {%- if using is false -%}
    {{ return(none) }}
  {%- elif not execute or not flags.INTROSPECT -%}
    {{ return(table) }}
  {%- endif -%}
  {%- set there = adapter.get_relation(table.database, table.schema, table.identifier) -%}
  {%- if there is none and using -%}
    {{ exceptions.raise_compiler_error(
      'There is no table ' ~ table ~ '. Load the stream ' ~ stream ~ ' with tap-qonto, name the schema'
      ~ ' it is in (qonto_schema), or take qonto__using_' ~ stream ~ ' out of vars.'
    ) }}
  {%- endif -%}
  {{ return(there) }}
{% endmacro %}

{# Column types as the loader made them: name -> type; without a connection, as declared. #}
{% macro qonto_column_types(table, declared) %}
  {%- set types = {} -%}
  {%- if not execute or table is none -%}
    {{ return(types) }}
  {%- elif not flags.INTROSPECT -%}
    {{ return(declared) }}
  {%- endif -%}
  {%- for column in adapter.get_columns_in_relation(table) -%}
    {%- do types.update({column.name: column.dtype | lower}) -%}
  {%- endfor -%}
  {%- for name, type in declared.items() if type == 'json' and name not in types -%}
    {%- for flat in types if flat.startswith(name ~ '__') and loop.first -%}
      {{ exceptions.raise_compiler_error(
        table ~ ' has ' ~ flat ~ ' in place of ' ~ name ~ ': load it without flattening_enabled.'
      ) }}
    {%- endfor -%}
  {%- endfor -%}
  {{ return(types) }}
{% endmacro %}

{# A column as `type` (text, bigint, numeric, boolean, timestamp, date, json); empty text is null. #}
{% macro qonto_column(name, type, found) %}
  {%- set is = found.get(name) -%}
  {%- set column = adapter.quote(name) -%}
  {%- set is_text = is in ('varchar', 'text', 'character varying', 'string') -%}
  {%- if is is none -%}
    {%- set same = {'json': qonto_json_type(), 'numeric': 'decimal(18, 4)'} -%}
    cast(null as {{ same.get(type, type) }})
  {%- elif type == 'text' -%}
    nullif(cast({{ column }} as text), '')
  {%- elif type == 'json' -%}
    {{ qonto_as_json(column, is_text) }}
  {%- elif type == 'timestamp' and is_text -%}
    cast(cast(nullif({{ column }}, '') as timestamp with time zone) at time zone 'UTC' as timestamp)
  {%- elif type == 'timestamp' and ('with time zone' in is or 'timestamptz' in is) -%}
    cast({{ column }} at time zone 'UTC' as timestamp)
  {%- elif type == 'timestamp' -%}
    {{ column }}
  {%- elif type == 'date' -%}
    cast(nullif(cast({{ column }} as text), '') as date)
  {%- elif type == 'numeric' -%}
    cast({{ column }} as decimal(18, 4))
  {%- else -%}
    cast({{ column }} as {{ type }})
  {%- endif -%}
{% endmacro %}
