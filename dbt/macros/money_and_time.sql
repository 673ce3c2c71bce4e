{# `{"value": "12.50", "currency": "EUR"}` as whole cents. #}
{% macro qonto_value_cents(amount) -%}
  cast(round(cast(nullif({{ amount }} ->> 'value', '') as decimal(20, 4)) * 100) as bigint)
{%- endmacro %}

{# A decimal text or number of major units as whole cents. #}
{% macro qonto_to_cents(amount) -%}
  cast(round(cast({{ amount }} as decimal(20, 4)) * 100) as bigint)
{%- endmacro %}

{# Whole cents as an exact decimal of major units. #}
{% macro qonto_amount(cents) -%}
  cast({{ cents }} * 0.01 as decimal(18, 2))
{%- endmacro %}

{# The day of a UTC moment where the company is (`qonto__timezone`). #}
{% macro qonto_local_date(moment) -%}
  cast(({{ moment }} at time zone 'UTC') at time zone '{{ var("qonto__timezone") }}' as date)
{%- endmacro %}

{# Today, where the company is; `qonto__today` answers as of another day. #}
{% macro qonto_today() -%}
  {%- if var('qonto__today') -%}
  date '{{ var("qonto__today") }}'
  {%- else -%}
  cast(current_timestamp at time zone '{{ var("qonto__timezone") }}' as date)
  {%- endif -%}
{%- endmacro %}

{% macro qonto_month(day) -%}
  cast(date_trunc('month', {{ day }}) as date)
{%- endmacro %}

{# Select expression: a row for each day from `first` to `last`. #}
{% macro qonto_each_day(first, last) %}
  {{- return(adapter.dispatch('qonto_each_day', 'qonto')(first, last)) -}}
{% endmacro %}
{% macro default__qonto_each_day(first, last) -%}
  cast(unnest(generate_series(cast({{ first }} as timestamp), cast({{ last }} as timestamp), interval '1 day')) as date)
{%- endmacro %}
{% macro postgres__qonto_each_day(first, last) -%}
  cast(generate_series(cast({{ first }} as timestamp), cast({{ last }} as timestamp), interval '1 day') as date)
{%- endmacro %}

{# Select expression: a row for each word of a text, in capitals. #}
{% macro qonto_words(text) %}
  {{- return(adapter.dispatch('qonto_words', 'qonto')(text)) -}}
{% endmacro %}
{% macro default__qonto_words(text) -%}
  unnest(string_split_regex(upper({{ text }}), '[\s,;:()]+'))
{%- endmacro %}
{% macro postgres__qonto_words(text) -%}
  regexp_split_to_table(upper({{ text }}), '[\s,;:()]+')
{%- endmacro %}

{# How long payments are overdue, in words that sort. #}
{% macro qonto_age(days_overdue) -%}
  case
      when {{ days_overdue }} is null then '0 no due date'
      when {{ days_overdue }} <= 0 then '1 not yet due'
      when {{ days_overdue }} <= 30 then '2 up to 30 days'
      when {{ days_overdue }} <= 60 then '3 31 to 60 days'
      when {{ days_overdue }} <= 90 then '4 61 to 90 days'
      else '5 more than 90 days'
  end
{%- endmacro %}

{# The amount `name` of an invoice line as whole cents, told as cents or as an amount. #}
{% macro qonto_item_cents(name) -%}
  coalesce(
        cast(items.item ->> '{{ name }}_cents' as bigint),
        {{ qonto_value_cents("(items.item -> '" ~ name ~ "')") }}
    )
{%- endmacro %}
