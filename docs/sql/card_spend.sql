-- Who spends how much by card, and in which team?
--
-- One row per month, person and currency. Refunds are subtracted; payments that are still pending
-- count, declined and reversed ones do not. The month is that of the payment, not of its
-- settlement, in UTC. Amounts are cents of the account's currency.

select
    cast(date_trunc('month', transactions.emitted_at) as date) as month,
    user_organizations.name as organization,
    coalesce(teams.name, '(no team)') as team,
    coalesce(memberships.first_name || ' ' || memberships.last_name, '(unknown)') as person,
    transactions.currency,
    count(case transactions.side when 'debit' then 1 end) as payments,
    cast(
        sum(
            case transactions.side
                when 'debit' then transactions.amount_cents
                else -transactions.amount_cents
            end
        ) as bigint
    ) as spend_cents
from transactions
join user_organizations on user_organizations.id = transactions.organization_id
left join memberships
    on memberships.organization_id = transactions.organization_id
    and memberships.id = transactions.initiator_id
left join teams
    on teams.organization_id = memberships.organization_id
    and teams.id = memberships.team_id
where transactions.operation_type = 'card' and transactions.status in ('completed', 'pending')
group by
    cast(date_trunc('month', transactions.emitted_at) as date),
    transactions.organization_id,
    user_organizations.name,
    coalesce(teams.name, '(no team)'),
    transactions.initiator_id,
    coalesce(memberships.first_name || ' ' || memberships.last_name, '(unknown)'),
    transactions.currency
order by month, organization, team, person, transactions.currency;
