-- One row per transaction and VAT line; where Qonto tells no lines, the VAT of the whole.
select
    transactions.organization_id,
    transactions.transaction_id,
    items.position as line,
    cast(nullif(items.item ->> 'rate', '') as decimal(18, 4)) as vat_rate,
    coalesce(
        cast(items.item ->> 'amount_cents' as bigint),
        {{ qonto_to_cents("nullif(items.item ->> 'amount', '')") }}
    ) as vat_cents,
    coalesce(
        cast(items.item ->> 'amount_excluding_vat_cents' as bigint),
        {{ qonto_to_cents("nullif(items.item ->> 'amount_excluding_vat', '')") }}
    ) as base_cents
from {{ ref('stg_qonto__transactions') }} as transactions
{{ qonto_items("(transactions.vat_details -> 'items')") }}

union all

select
    organization_id,
    transaction_id,
    1 as line,
    vat_rate,
    vat_cents,
    abs(amount_cents) - vat_cents as base_cents
from {{ ref('stg_qonto__transactions') }}
where vat_cents is not null and {{ qonto_json_length("(vat_details -> 'items')") }} = 0
