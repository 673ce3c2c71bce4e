"""The bulk endpoints as Qonto's reference describes them (2026-11); Q numbers name the traps.

`/v2/user_organizations` is answered by `demo/routes/api.py` itself.
"""

from __future__ import annotations

import typing as t

from demo.endpoints import Among, Contains, Endpoint, Needs, Range

STATUSES = ("pending", "declined", "completed", "reversed")  # Q26
BENEFICIARY = ("pending", "validated", "declined")
TRANSFER = ("pending", "processing", "canceled", "declined", "settled")
PAYABLE = (
    "to_review", "to_approve", "awaiting_payment", "pending", "scheduled", "paid", "archived",
    "rejected", "discarded",
)  # fmt: skip
QUOTE = ("pending_approval", "approved", "canceled")
INVOICE = ("draft", "unpaid", "paid", "canceled")
YES_NO = ("true", "false")

ORGANIZATION = ("organization.read",)
INVOICES = ("client_invoices.read",)
SUPPLIERS = ("supplier_invoice.read",)
CARDS = ("card.read",)
LINKS = ("payment_link.read",)
DEBITS = ("sepa_direct_debit.read",)
ATTACHMENTS = ("attachment.read", "organization.read")  # Q11

CREATED, UPDATED = Range("created_at", nested=True), Range("updated_at", nested=True)
BY_CREATION: dict[str, t.Any] = {"sorts": ("created_at",), "default": "created_at:desc"}
BY_UPDATE: dict[str, t.Any] = {"sorts": ("updated_at",), "default": "updated_at:desc"}
ONE_ROW: dict[str, t.Any] = {"size": None, "one": True}
UNPAGED: dict[str, t.Any] = {"size": None}

COMPANY = (
    Endpoint("organization", "/v2/organization", "organization", ORGANIZATION, **ONE_ROW),
    Endpoint(
        "bank_accounts", "/v2/bank_accounts", "bank_accounts", ORGANIZATION, meta=False,
        fixed=(("_external", False),), single="bank_account",  # Q19, Q28
    ),
    Endpoint("memberships", "/v2/memberships", "memberships", ORGANIZATION),
    Endpoint("membership", "/v2/membership", "membership", ("membership.read",), **ONE_ROW),
    Endpoint("teams", "/v2/teams", "teams", ("team.read",), api_key=False),
    Endpoint("subscription", "/v2/subscription", None, ("subscription.read",), **ONE_ROW),
    Endpoint(
        "einvoicing_settings", "/v2/einvoicing/settings", None, ("einvoicing.read",),
        api_key=False, **ONE_ROW,
    ),
)  # fmt: skip
MONEY = (
    Endpoint(
        "transactions", "/v2/transactions", "transactions", ORGANIZATION,
        filters=(
            Among("bank_account_id", ("bank_account_id",)),
            Among("status", ("status[]",), STATUSES, default=("completed",)),  # Q24
            Among("side", ("side",), ("credit", "debit")),
            Among("operation_type", ("operation_type[]",)),
            Among("attachment_ids", ("with_attachments",), YES_NO),
            Range("updated_at"), Range("emitted_at"), Range("settled_at"), Range("created_at"),
        ),
        sorts=("updated_at", "settled_at", "emitted_at", "created_at"),
        default="settled_at:desc", single="transaction",
    ),
    Endpoint(
        "transaction_attachments", "/v2/transactions/{id}/attachments", "attachments", ATTACHMENTS,
        meta=False,  # Q19
    ),
    Endpoint(
        "child_transaction_links", "/v2/transactions/{id}/child_transaction_links", "links",
        ORGANIZATION, key="_key", filters=(Among("link_type", ("link_type",)),),
    ),
    Endpoint(
        "statements", "/v2/statements", "statements", ORGANIZATION,
        filters=(
            Among("bank_account_id", ("bank_account_ids[]",)), Among("_iban", ("ibans[]",)),
            Range("period"),
        ),
        sorts=("period",), default="period:desc", single="statement",
    ),
    Endpoint("labels", "/v2/labels", "labels", ORGANIZATION, single="label"),
    Endpoint(
        "cash_flow_categories", "/v2/cash_flow_categories", "cash_flow_categories",
        ("cash_flow_category.read",), **UNPAGED,
    ),
)  # fmt: skip
TRANSFERS = (
    Endpoint(
        "sepa_beneficiaries", "/v2/sepa/beneficiaries", "beneficiaries", ORGANIZATION,
        size=(25, 100), **BY_UPDATE, single="beneficiary",
        filters=(
            Among("iban", ("iban[]",)), Among("status", ("status[]",), BENEFICIARY),
            Among("trusted", ("trusted",), YES_NO), Range("updated_at"),
        ),
    ),
    Endpoint(
        "international_beneficiaries", "/v2/international/beneficiaries", "beneficiaries",
        ORGANIZATION, api_key=False, needs=Needs("currency", 422, "invalid_currency"),
        filters=(Among("currency", ("currency",)),),
    ),
    Endpoint(
        "international_currencies", "/v2/international/currencies", "currencies", ORGANIZATION,
        key="_key", needs=Needs("source", 400, "bad_request"),
        filters=(Among("_parent", ("source",)),), **UNPAGED,
    ),
    Endpoint(  # which date the order goes by is not told (Q89)
        "international_transfers", "/v2/international/transfers", "transfers", ORGANIZATION,
        filters=(
            Among("bank_account_id", ("bank_account_id",)), Among("status", ("status[]",)),
            Range("updated_at"),
        ),
        default="created_at:desc", single="transfer",
    ),
    Endpoint(
        "international_eligibility", "/v2/international/eligibility", None, ORGANIZATION, **ONE_ROW
    ),
    Endpoint(
        "beneficiaries_legacy", "/v2/beneficiaries", "beneficiaries", ORGANIZATION, **BY_UPDATE,
        single="beneficiary",
        filters=(
            Among("trusted", ("trusted",), YES_NO), Among("status", ("status[]",), BENEFICIARY),
            Range("updated_at", earliest="2015-01-01"),  # Q29
        ),
    ),
    Endpoint(
        "sepa_transfers", "/v2/sepa/transfers", "transfers", ORGANIZATION,
        filters=(
            Among("status", ("status[]", "status"), TRANSFER),
            Range("updated_at"), Range("scheduled_date"),
            Among("beneficiary_id", ("beneficiary_ids[]",)), Among("id", ("ids[]", "ids")),
            Among("recurring_transfer_id", ("recurring_transfer_ids", "recurring_transfer_ids[]")),
        ),
        sorts=("updated_at", "scheduled_date"), default="updated_at:desc", single="transfer",
    ),
    Endpoint(  # neither filter nor sort (Q35)
        "sepa_bulk_transfers", "/v2/sepa/bulk_transfers", "bulk_transfers", ORGANIZATION,
        default="updated_at:desc", single="bulk_transfer",
    ),
    Endpoint(
        "sepa_recurring_transfers", "/v2/sepa/recurring_transfers", "recurring_transfers",
        ORGANIZATION, api_key=False, default="updated_at:desc", single="recurring_transfer",
    ),
    Endpoint(  # filters by what it does not return (Q39)
        "external_transfers", "/v2/external_transfers", "external_transfers", ORGANIZATION,
        filters=(
            Among("status", ("status[]",), TRANSFER), Range("_updated_at", "updated_at"),
            Range("scheduled_date"), Among("beneficiary_id", ("beneficiary_ids[]",)),
        ),
        sorts=("scheduled_date",), aliases=(("updated_at", "_updated_at"),),
        default="_updated_at:desc", gate="retired", single="external_transfer",
    ),
    Endpoint(
        "requests", "/v2/requests", "requests", ORGANIZATION, gate="plan",
        filters=(
            Among("status", ("status[]",), ("pending", "approved", "declined", "canceled")),
            Among(
                "request_type", ("request_type[]",),
                ("flash_card", "virtual_card", "transfer", "multi_transfer"),
            ),
            Range("created_at", only_from=True), Range("processed_at", only_from=True),  # Q38
        ),
        sorts=("created_at", "processed_at"), aliases=(("status", "_rank"),),
        default="created_at:desc",
    ),
)  # fmt: skip
CARD_LISTS = (
    Endpoint(
        "cards", "/v2/cards", "cards", CARDS, api_key=False,
        filters=(
            Among("holder_id", ("holder_ids[]",)), Among("status", ("statuses[]",)),
            Among("bank_account_id", ("bank_account_ids[]",)),
            Among("card_level", ("card_levels[]",)), Among("id", ("ids[]",)),
        ),
        sorts=("status", "nickname", "last_activity_at", "created_at"), default="status:asc",
        single="card",
    ),
    Endpoint(
        "card_appearances", "/v2/cards/appearances", "card_type_appearances", CARDS,
        key="card_type", api_key=False, **UNPAGED,
    ),
)  # fmt: skip
INVOICING = (
    Endpoint(
        "clients", "/v2/clients", "clients", ("client.read",), size=(25, 100),
        filters=(
            Contains("name", ("filter[name]",)), Among("email", ("filter[email]",)),
            Among("vat_number", ("filter[vat_number]",)),
            Among("tax_identification_number", ("filter[tax_identification_number]",)), UPDATED,
        ),
        sorts=("name", "created_at", "updated_at"), default="name:asc", single="client",
    ),
    Endpoint(
        "client_invoices", "/v2/client_invoices", "client_invoices", INVOICES, size=(100, 500),
        filters=(
            Among("status", ("filter[status]",), INVOICE, commas=True),
            Among("_imported", ("exclude_imported",), YES_NO, default=(False,)),  # Q30
            Range("due_date", nested=True), CREATED, UPDATED,
        ),
        **BY_CREATION, single="client_invoice",  # Q31
    ),
    Endpoint(
        "credit_notes", "/v2/credit_notes", "credit_notes", INVOICES, filters=(CREATED,),
        **BY_CREATION, single="credit_note",
    ),
    Endpoint(
        "quotes", "/v2/quotes", "quotes", INVOICES, size=(100, 500), **BY_CREATION, single="quote",
        filters=(
            Among("status", ("filter[status]",), QUOTE, commas=True), CREATED,
        ),
    ),
    Endpoint(
        "recurring_invoices", "/v2/recurring_invoices", "recurring_invoices", INVOICES,
        size=(100, 500), gate="add-on", single="recurring_invoice",
    ),
    Endpoint(
        "payment_reminders", "/v2/reminders", "reminders", INVOICES, size=(100, 500), gate="add-on",
        filters=(Among("client_id", ("client_ids",), commas=True),), single="reminder",
    ),
    Endpoint("invoicing_settings", "/v2/settings", "settings", INVOICES, **ONE_ROW),
    Endpoint(
        "products", "/v2/products", "products", ("product.read",), single="product",
        filters=(Among("type", ("filter[type]",), ("good", "service")),),
        sorts=("title", "created_at"), default="title:asc",
    ),
)  # fmt: skip
PAYABLES = (
    Endpoint(
        "supplier_invoices", "/v2/supplier_invoices", "supplier_invoices", SUPPLIERS,
        filters=(
            Among("status", ("filter[status]", "filter[status][]"), PAYABLE), CREATED, UPDATED,
        ),
        sorts=(
            "updated_at", "created_at", "file_name", "supplier_name", "payment_date", "due_date",
            "scheduled_date", "total_amount",
        ),
        default="created_at:desc", single="supplier_invoice",
    ),
    Endpoint(
        "suppliers", "/v2/suppliers/search", "suppliers", SUPPLIERS, method="POST", size=(25, 100),
        filters=(
            Among("status", ("statuses",), ("unarchived", "archived"), default=("unarchived",)),
            Among("id", ("ids",)), Contains("name", ("search",)),
        ),
        sorts=("name",), default="name:asc",  # Q44
    ),
)  # fmt: skip
COLLECTING = (
    Endpoint(
        "payment_links", "/v2/payment_links", "payment_links", LINKS, api_key=False,
        gate="payment links", single="payment_link",
        filters=(
            Among(
                "status", ("status[]", "status"),
                ("open", "expired", "canceled", "paid", "processing"), commas=True,
            ),
        ),
        sorts=("amount", "expiration_date"), default="created_at:desc",
    ),
    Endpoint(
        "payment_link_payments", "/v2/payment_links/{id}/payments", "payments", LINKS,
        api_key=False, gate="payment links",
        filters=(
            Among("_parent", ("_parent",)),
            Among("status", ("status",), ("failed", "paid", "open", "pending")),
        ),
        aliases=(("creation_date", "created_at"),), default="created_at:desc",
    ),
    Endpoint(
        "payment_link_connection", "/v2/payment_links/connections", None, LINKS, api_key=False,
        gate="payment links", **ONE_ROW,
    ),
    Endpoint(
        "payment_link_methods", "/v2/payment_links/payment_methods",
        "payment_link_payment_methods", LINKS, key="name", api_key=False, gate="payment links",
        **UNPAGED,
    ),
    Endpoint(
        "sdd_mandates", "/v2/sepa/direct_debit_mandates", "direct_debit_mandates", DEBITS,
        filters=(Among("client_id", ("client_id",)),), gate="direct debit",
        single="direct_debit_mandate",
    ),
    Endpoint(
        "sdd_subscriptions", "/v2/sepa/direct_debit_subscriptions", "direct_debit_subscriptions",
        DEBITS, gate="direct debit", single="direct_debit_subscription",
        filters=(Among("status", ("status[]",)),), sorts=("amount",), default="created_at:desc",
    ),
    Endpoint(
        "sdd_collections", "/v2/sepa/direct_debit_collections", "direct_debit_collections", DEBITS,
        gate="direct debit", single="direct_debit_collection",
        filters=(
            Among("direct_debit_subscription_id", ("direct_debit_subscription_id",)),
        ),
        sorts=("collection_date", "status", "amount"), default="collection_date:desc",
    ),
    Endpoint("terminals", "/v2/terminals", "terminals", ("terminal.read",), api_key=False),
    Endpoint(
        "webhook_subscriptions", "/v2/webhook_subscriptions", "subscriptions", ("webhook",),
        api_key=False, single="",  # flat (Q68)
    ),
)  # fmt: skip
ENDPOINTS = (*COMPANY, *MONEY, *TRANSFERS, *CARD_LISTS, *INVOICING, *PAYABLES, *COLLECTING)
BY_PATH = {endpoint.path: endpoint for endpoint in ENDPOINTS}
BY_STREAM = {endpoint.stream: endpoint for endpoint in ENDPOINTS}
