{# Delete from `table` what `source` does not have any more: rows that the loader marked or dropped. #}
{% macro qonto_delete_gone(table, source, keys) %}
delete from {{ table }} as known
where not exists (
    select 1
    from {{ source }} as source
    where
    {%- for key in keys %}
        {{ 'and ' if not loop.first }}source.{{ key }} = known.{{ key }}
    {%- endfor %}
)
{% endmacro %}
