-- Who spends how much by card each month, in which team, and how close to the card's limit?
--
-- Refunds are subtracted; pending payments count, declined and reversed ones do not. The month is
-- that of the payment. The limit is the card's limit of today.
with months as (
    select
        organization_id,
        organization,
        emitted_month as month,
        card_id,
        card,
        card_last_digits,
        initiator_id,
        person,
        team,
        currency,
        count(case when amount_cents < 0 then 1 end) as payments,
        count(case when amount_cents > 0 then 1 end) as refunds,
        sum(-amount_cents) as spend_cents,
        sum(case when amount_cents < 0 then -amount_cents else 0 end) as paid_cents,
        count(case when is_receipt_required and not is_receipt_lost and receipts = 0 then 1 end)
            as missing_receipts
    from {{ ref('qonto__transactions') }}
    where operation_type = 'card' and status in ('completed', 'pending')
    group by
        organization_id, organization, emitted_month, card_id, card, card_last_digits, initiator_id,
        person, team, currency
)
select
    months.organization_id,
    months.organization,
    months.month,
    months.card_id,
    months.card,
    months.card_last_digits,
    months.initiator_id,
    coalesce(months.person, holders.person, '(unknown)') as person,
    coalesce(months.team, holders.team, '(no team)') as team,
    months.currency,
    months.payments,
    months.refunds,
    cast(months.spend_cents as bigint) as spend_cents,
    {{ qonto_amount('months.spend_cents') }} as spend,
    cast(months.paid_cents as bigint) as paid_cents,
    cards.payment_monthly_limit_cents as limit_cents,
    case
        when cards.payment_monthly_limit_cents > 0
            then cast(months.paid_cents * 100.0 / cards.payment_monthly_limit_cents as decimal(18, 1))
    end as percent_of_limit,
    months.missing_receipts
from months
left join {{ ref('stg_qonto__cards') }} as cards
    on cards.organization_id = months.organization_id
    and cards.card_id = months.card_id
left join {{ ref('stg_qonto__memberships') }} as holders
    on holders.organization_id = cards.organization_id
    and holders.membership_id = cards.holder_id
