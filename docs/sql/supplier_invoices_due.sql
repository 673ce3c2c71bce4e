-- Which supplier invoices have to be paid, and by when?
--
-- One row per invoice, the most urgent first; those without a due date come last. `days_left` is
-- negative when it is late. Paid, archived, rejected and discarded ones are left out; every other
-- status counts as to be paid, also one that Qonto invents tomorrow. Credit notes count against
-- what is due. Amounts are cents.

select
    cast(supplier_invoices.due_date as date) as due_date,
    cast(supplier_invoices.due_date as date) - current_date as days_left,
    user_organizations.name as organization,
    coalesce(supplier_invoices.supplier_name, supplier_invoices.issuer_name) as supplier,
    supplier_invoices.invoice_number,
    supplier_invoices.status,
    cast(
        round(cast((supplier_invoices.payable_amount ->> 'value') as decimal(18, 4)) * 100)
        * case when supplier_invoices.is_credit_note then -1 else 1 end
        as bigint
    ) as payable_cents,
    supplier_invoices.payable_amount ->> 'currency' as currency
from supplier_invoices
join user_organizations on user_organizations.id = supplier_invoices.organization_id
where supplier_invoices.status not in ('paid', 'archived', 'rejected', 'discarded')
order by
    cast(supplier_invoices.due_date as date) nulls last,
    organization,
    supplier_invoices.id;
