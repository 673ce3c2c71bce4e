-- Every settled transaction goes on from the balance that another one left.
select * from {{ ref('qonto__balance_gaps') }}
