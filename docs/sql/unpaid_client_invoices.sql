-- What do clients owe, and for how long has it been due?
--
-- One row per organization, currency and age. `open_cents` is the total less what was paid already.
-- Drafts, paid and canceled invoices are left out.

with unpaid as (
    select
        organization_id,
        currency,
        current_date - cast(due_date as date) as days_late,
        total_amount_cents
            - coalesce(round(cast((amount_paid ->> 'value') as decimal(18, 4)) * 100), 0)
            as open_cents
    from client_invoices
    where status = 'unpaid'
),
aged as (
    select
        unpaid.*,
        case
            when days_late is null then 'no due date'
            when days_late <= 0 then 'not yet due'
            when days_late <= 30 then 'up to 30 days late'
            when days_late <= 60 then '31 to 60 days late'
            when days_late <= 90 then '61 to 90 days late'
            else 'more than 90 days late'
        end as age
    from unpaid
)
select
    user_organizations.name as organization,
    aged.currency,
    aged.age,
    count(*) as invoices,
    cast(sum(aged.open_cents) as bigint) as open_cents
from aged
join user_organizations on user_organizations.id = aged.organization_id
group by aged.organization_id, user_organizations.name, aged.currency, aged.age
order by organization, aged.currency, min(aged.days_late) nulls last;
