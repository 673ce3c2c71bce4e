-- How much did the organizations send each other each month, and does the other side know of it?
--
-- Seen from `organization`. A transfer counts in the month in which it began, on both sides.
-- `unpaired` is what the other organization's accounts do not show (not yet).
select
    own.organization_id,
    organizations.organization,
    own.counterpart_organization_id,
    counterparts.organization as counterpart,
    {{ qonto_month(qonto_local_date('own.began_at')) }} as month,
    own.currency,
    count(*) as transfers,
    cast(sum(case when own.amount_cents < 0 then -own.amount_cents else 0 end) as bigint) as sent_cents,
    cast(sum(case when own.amount_cents > 0 then own.amount_cents else 0 end) as bigint) as received_cents,
    cast(sum(own.amount_cents) as bigint) as net_cents,
    count(case when own.counterpart_transaction_id is null then 1 end) as unpaired,
    cast(sum(case when own.counterpart_transaction_id is null then abs(own.amount_cents) else 0 end) as bigint)
        as unpaired_cents
from {{ ref('int_qonto__own_transfers') }} as own
left join {{ ref('stg_qonto__organizations') }} as organizations
    on organizations.organization_id = own.organization_id
left join {{ ref('stg_qonto__organizations') }} as counterparts
    on counterparts.organization_id = own.counterpart_organization_id
where own.kind = 'between organizations'
group by
    own.organization_id, organizations.organization, own.counterpart_organization_id,
    counterparts.organization, {{ qonto_month(qonto_local_date('own.began_at')) }}, own.currency
