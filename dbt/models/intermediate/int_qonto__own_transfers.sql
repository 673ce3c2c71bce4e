-- One row per transaction between two accounts of one's own, in one organization or between two.
--
-- Own is what any organization here has the IBAN of, accounts of other banks included. Both sides
-- are paired: the n-th payment out of one account into another with the n-th that came in, among
-- those of one amount that lie close together (`qonto__transfer_days`), so that a side that was not
-- read leaves only its neighbours unpaired. Declined and reversed ones moved nothing: left out.
with accounts as (
    select organization_id, bank_account_id, iban, currency, is_external
    from {{ ref('stg_qonto__bank_accounts') }}
),
candidates as (
    select
        transactions.organization_id,
        transactions.transaction_id,
        transactions.bank_account_id,
        transactions.amount_cents,
        transactions.currency,
        transactions.emitted_at,
        other.organization_id as counterpart_organization_id,
        other.bank_account_id as counterpart_bank_account_id,
        transactions.amount_cents < 0 as is_out,
        case when transactions.amount_cents < 0 then transactions.currency else other.currency end
            as from_currency,
        case when transactions.amount_cents < 0 then other.currency else transactions.currency end
            as to_currency,
        -- the amount as it arrives, where this side tells it
        case
            when transactions.amount_cents > 0 or transactions.currency = other.currency
                then abs(transactions.amount_cents)
            when transactions.local_currency = other.currency
                then abs(transactions.local_amount_cents)
        end as arriving_cents,
        row_number() over (
            partition by transactions.organization_id, transactions.transaction_id
            order by
                case when other.organization_id = transactions.organization_id then 0 else 1 end,
                case when other.is_external then 1 else 0 end,
                other.organization_id,
                other.bank_account_id
        ) as place
    from {{ ref('stg_qonto__transactions') }} as transactions
    inner join accounts as other
        on other.iban = transactions.counterparty_iban
        and not (
            other.organization_id = transactions.organization_id
            and other.bank_account_id = transactions.bank_account_id
        )
    where transactions.status in ('completed', 'pending')
),
sides as (
    select
        candidates.*,
        case when is_out then organization_id else counterpart_organization_id end
        || ' ' || case when is_out then bank_account_id else counterpart_bank_account_id end
        || ' ' || case when is_out then counterpart_organization_id else organization_id end
        || ' ' || case when is_out then counterpart_bank_account_id else bank_account_id end
        || ' ' || to_currency || ' ' || cast(arriving_cents as text) as route
    from candidates
    where place = 1
),
gaps as (
    select
        sides.*,
        case
            when emitted_at - lag(emitted_at) over (partition by route order by emitted_at, transaction_id)
                <= interval '{{ var("qonto__transfer_days") }} days' then 0
            else 1
        end as begins
    from sides
),
episodes as (
    select
        gaps.*,
        sum(begins) over (
            partition by route order by emitted_at, transaction_id rows unbounded preceding
        ) as episode
    from gaps
),
numbered as (
    select
        episodes.*,
        row_number() over (
            partition by route, episode, is_out order by emitted_at, transaction_id
        ) as n
    from episodes
)
select
    numbered.organization_id,
    numbered.transaction_id,
    case
        when numbered.organization_id = numbered.counterpart_organization_id
            then 'within organization'
        else 'between organizations'
    end as kind,
    numbered.counterpart_organization_id,
    numbered.counterpart_bank_account_id,
    other.transaction_id as counterpart_transaction_id,
    case when numbered.is_out then numbered.transaction_id else other.transaction_id end
        as sending_transaction_id,
    numbered.currency,
    numbered.amount_cents,
    least(numbered.emitted_at, other.emitted_at) as began_at
from numbered
left join numbered as other
    on other.route = numbered.route
    and other.episode = numbered.episode
    and other.n = numbered.n
    and other.is_out <> numbered.is_out
