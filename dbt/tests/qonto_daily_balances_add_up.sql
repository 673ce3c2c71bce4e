-- A day's balance is that of the day before, and what came in less what went out. Where a gap is
-- known (qonto__balance_gaps), the day of the gap does not.
with days as (
    select
        balances.*,
        lag(balance_cents) over (partition by organization_id, bank_account_id order by day) as before_cents
    from {{ ref('qonto__daily_balances') }} as balances
)
select days.*
from days
left join {{ ref('qonto__balance_gaps') }} as gaps
    on gaps.organization_id = days.organization_id
    and gaps.bank_account_id = days.bank_account_id
    and {{ qonto_local_date('gaps.settled_after') }} = days.day
where
    days.before_cents + days.in_cents - days.out_cents <> days.balance_cents
    and gaps.transaction_id is null
