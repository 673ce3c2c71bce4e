{{ config(severity='warn') }}
-- What the cards were charged this month is what Qonto says was spent with them, payments and
-- withdrawals together. Not at the turn of a month, when the cards were read before it.
with spend as (
    select organization_id, card_id, sum(paid_cents) as paid_cents, sum(spend_cents) as spend_cents
    from {{ ref('qonto__card_spend') }}
    where month = {{ qonto_month(qonto_today()) }}
    group by organization_id, card_id
)
select
    cards.organization_id,
    cards.card_id,
    cards.payment_monthly_spent_cents + coalesce(cards.atm_monthly_spent_cents, 0) as card_says_cents,
    coalesce(spend.paid_cents, 0) as paid_cents,
    coalesce(spend.spend_cents, 0) as spend_cents
from {{ ref('stg_qonto__cards') }} as cards
left join spend
    on spend.organization_id = cards.organization_id
    and spend.card_id = cards.card_id
where
    cards.payment_monthly_spent_cents is not null
    and cards.payment_monthly_spent_cents + coalesce(cards.atm_monthly_spent_cents, 0)
        not in (coalesce(spend.paid_cents, 0), coalesce(spend.spend_cents, 0))
