"""How streams join: which field of which stream names a row of which other stream.

All joins are within one organization: `organization_id` is equal on both sides as well.
Sources: the contract's descriptions of fields, Q48 and Q49; the demo's rows hold to them.
"""

from __future__ import annotations

from typing import NamedTuple


class Join(NamedTuple):
    """`stream.field` holds a value of `of.key`; `[]` means each item of a list."""

    stream: str
    field: str
    of: str
    key: str = "id"


JOINS: dict[str, tuple[Join, ...]] = {
    "Accounts and transactions": (
        Join("transactions", "bank_account_id", "bank_accounts"),
        Join("bank_account_balances", "bank_account_id", "bank_accounts"),
        Join("transaction_counts", "bank_account_id", "bank_accounts"),
        Join("statements", "bank_account_id", "bank_accounts"),
        Join("transactions", "initiator_id", "memberships"),
        Join("transactions", "label_ids[]", "labels"),
        Join("labels", "parent_id", "labels"),
        Join("transactions", "cashflow_category.id", "cash_flow_categories"),
        Join(
            "transactions", "cashflow_subcategory.id", "cash_flow_categories", "subcategories[].id"
        ),
        Join("transaction_attachments", "id", "transactions", "attachment_ids[]"),
        Join("transaction_attachments", "transaction_id", "transactions"),
        Join("child_transaction_links", "parent_transaction_id", "transactions"),
        Join("child_transaction_links", "transaction_id", "transactions"),
    ),
    "People and cards": (
        Join("memberships", "team_id", "teams"),
        Join("membership", "id", "memberships"),
        Join("cards", "holder_id", "memberships"),
        Join("cards", "initiator_id", "memberships"),
        Join("cards", "bank_account_id", "bank_accounts"),
        Join("transactions", "card_id", "cards"),
    ),
    "Transfers and requests": (
        Join("sepa_transfers", "transaction_id", "transactions"),
        Join("sepa_transfers", "bank_account_id", "bank_accounts"),
        Join("sepa_transfers", "beneficiary_id", "sepa_beneficiaries"),
        Join("sepa_transfers", "initiator_id", "memberships"),
        Join("sepa_transfers", "recurring_transfer_id", "sepa_recurring_transfers"),
        Join("sepa_bulk_transfers", "results[].transfer_id", "sepa_transfers"),
        Join("sepa_bulk_transfers", "initiator_id", "memberships"),
        Join("sepa_recurring_transfers", "bank_account_id", "bank_accounts"),
        Join("sepa_recurring_transfers", "beneficiary_id", "sepa_beneficiaries"),
        Join("sepa_recurring_transfers", "initiator_id", "memberships"),
        Join("international_transfers", "transaction_id", "transactions"),
        Join("international_transfers", "bank_account_id", "bank_accounts"),
        Join("international_transfers", "beneficiary_id", "international_beneficiaries"),
        Join("external_transfers", "transaction_id", "transactions"),
        Join("external_transfers", "beneficiary_id", "beneficiaries_legacy"),
        Join("external_transfers", "initiator_id", "memberships"),
        Join("requests", "initiator_id", "memberships"),
        Join("requests", "approver_id", "memberships"),
    ),
    "Invoices to clients": (
        Join("client_invoices", "client.id", "clients"),
        Join("client_invoices", "credit_notes_ids[]", "credit_notes"),
        Join("credit_notes", "invoice_id", "client_invoices"),
        Join("credit_notes", "client.id", "clients"),
        Join("quotes", "client.id", "clients"),
        Join("quotes", "invoice_ids[]", "client_invoices"),
        Join("recurring_invoices", "client_id", "clients"),
        Join("payment_reminders", "client_id", "clients"),
    ),
    "Invoices from suppliers": (
        Join("supplier_invoices", "supplier_id", "suppliers"),
        Join("supplier_invoices", "matched_transactions[].transaction_id", "transactions"),
        Join("supplier_invoices", "transfer_ids[]", "sepa_transfers"),
        Join("supplier_invoices", "initiator_id", "memberships"),
        Join("supplier_invoices", "approval_workflow.approver_ids[]", "memberships"),
    ),
    "Getting paid": (
        Join("payment_links", "invoice_id", "client_invoices"),
        Join("payment_link_payments", "payment_link_id", "payment_links"),
        Join("payment_link_connection", "bank_account_id", "bank_accounts"),
        Join("sdd_mandates", "client_id", "clients"),
        Join("sdd_subscriptions", "direct_debit_mandate_id", "sdd_mandates"),
        Join("sdd_subscriptions", "bank_account_id", "bank_accounts"),
        Join("sdd_collections", "direct_debit_subscription_id", "sdd_subscriptions"),
        Join("webhook_subscriptions", "membership_id", "memberships"),
    ),
}
