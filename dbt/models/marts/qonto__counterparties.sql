-- With whom does each organization do business, since when, and how much?
select
    organization_id,
    max(organization) as organization,
    lower(counterparty_name) as counterparty_key,
    currency,
    max(counterparty_name) as counterparty,
    max(counterparty_iban) as counterparty_iban,
    count(distinct counterparty_iban) as ibans,
    count(*) as transactions,
    min(emitted_on) as first_on,
    max(emitted_on) as last_on,
    cast(sum(case when amount_cents > 0 then amount_cents else 0 end) as bigint) as in_cents,
    cast(sum(case when amount_cents < 0 then -amount_cents else 0 end) as bigint) as out_cents,
    cast(sum(amount_cents) as bigint) as net_cents
from {{ ref('qonto__transactions') }}
where status = 'completed' and counterparty_name is not null and not is_own_transfer
group by organization_id, lower(counterparty_name), currency
