-- How much did each label (team, project, cost centre) bring and cost each month?
--
-- A transaction with two labels counts in full under each of them, so labels do not add up to the
-- cash flow. Those without any stand in a row of their own (`label` is null).
select
    transactions.organization_id,
    transactions.organization,
    transactions.settled_month as month,
    transactions.currency,
    tagged.label_id,
    coalesce(labels.label, max(tagged.label)) as label,
    labels.parent_label,
    count(*) as transactions,
    cast(sum(case when transactions.amount_cents > 0 then transactions.amount_cents else 0 end) as bigint)
        as in_cents,
    cast(sum(case when transactions.amount_cents < 0 then -transactions.amount_cents else 0 end) as bigint)
        as out_cents,
    cast(sum(transactions.amount_cents) as bigint) as net_cents
from {{ ref('qonto__transactions') }} as transactions
left join {{ ref('stg_qonto__transaction_labels') }} as tagged
    on tagged.organization_id = transactions.organization_id
    and tagged.transaction_id = transactions.transaction_id
left join {{ ref('stg_qonto__labels') }} as labels
    on labels.organization_id = tagged.organization_id
    and labels.label_id = tagged.label_id
where
    transactions.status = 'completed'
    and transactions.settled_month is not null
    and not transactions.is_own_transfer
group by
    transactions.organization_id, transactions.organization, transactions.settled_month,
    transactions.currency, tagged.label_id, labels.label, labels.parent_label
