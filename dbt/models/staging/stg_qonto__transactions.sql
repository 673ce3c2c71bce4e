{{ config(
    materialized='incremental',
    unique_key=['organization_id', 'transaction_id'],
    incremental_strategy='delete+insert',
    on_schema_change='fail',
    post_hook="{% if is_incremental() %}{{ qonto_delete_gone(this, ref('base_qonto__transactions'), ['organization_id', 'transaction_id']) }}{% endif %}"
) }}
-- One row per transaction. Each row is made of one row of the source alone, so what the loader has
-- not written again since the last build is as it was; without the loader's time all rows are made
-- anew.
select *
from {{ ref('base_qonto__transactions') }}
{%- if flags.INTROSPECT and is_incremental() %}
where
    loaded_at is null
    or loaded_at >= (
        select
            coalesce(max(known.loaded_at), timestamp '1970-01-01')
            - interval '{{ var("qonto__lookback_hours") }} hours'
        from {{ this }} as known
    )
{%- endif %}
