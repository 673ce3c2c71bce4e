-- The balance that the last settled transaction left is the one that Qonto tells of the account, and
-- where Qonto's counts were read, there are as many transactions.
select * from {{ ref('qonto__account_checks') }}
where verdict not in ('ok', 'not asked for')
