"""What the API offers: each list, its envelope, scope, page sizes, filters and orders.

The facts are those of the contract (Qonto's reference pages, 2026-11); Q numbers name the traps.
"""

from __future__ import annotations

from dataclasses import dataclass

STATUSES = ("pending", "declined", "completed", "reversed")
TRANSFER_STATUSES = ("pending", "processing", "canceled", "declined", "settled")


@dataclass(frozen=True)
class Among:
    """Keeps rows whose `field` has one of the values given.

    `names` are the spellings of the parameter that are understood (Q42); `commas` splits one value
    into several; `known` values are the only ones accepted (422 not_in_list otherwise).
    """

    field: str
    names: tuple[str, ...]
    known: tuple[str, ...] = ()
    commas: bool = False


@dataclass(frozen=True)
class Range:
    """Bounds on `field` by `{prefix}{field}_from` and, unless `only_from`, `_to`."""

    field: str
    nested: bool = False
    only_from: bool = False

    @property
    def names(self) -> tuple[str, str]:
        pattern = "filter[{}]" if self.nested else "{}"
        return pattern.format(f"{self.field}_from"), pattern.format(f"{self.field}_to")


@dataclass(frozen=True)
class Endpoint:
    """One bulk endpoint. `scopes`: any of them will do. `size`: default and maximum `per_page`.

    `sorts` are the fields that `sort_by` accepts, `default` the order without it. `gate` names the
    feature that an organization may lack. `one`: a body of one row. `fixed`: field and value that
    every row of the list has.
    """

    stream: str
    path: str
    envelope: str | None
    scopes: tuple[str, ...]
    key: str = "id"
    api_key: bool = True
    size: tuple[int, int] | None = (100, 100)
    meta: bool = True
    filters: tuple[Among | Range, ...] = ()
    sorts: tuple[str, ...] = ()
    default: str | None = None
    gate: str | None = None
    one: bool = False
    fixed: tuple[tuple[str, object], ...] = ()
    parent: str | None = None

    @property
    def fields(self) -> tuple[str, ...]:
        """What the rows are compared by."""
        names = [one.field for one in self.filters] + list(self.sorts)
        names += [field for field, _ in self.fixed]
        if self.default:
            names.append(self.default.partition(":")[0])
        return tuple(dict.fromkeys(names))


ORGANIZATION = ("organization.read",)
INVOICES = ("client_invoices.read",)
PAYMENT_LINKS = ("payment_link.read",)
DIRECT_DEBIT = ("sepa_direct_debit.read",)
CREATED, UPDATED = Range("created_at", nested=True), Range("updated_at", nested=True)

BANKING = (
    Endpoint(
        "organization", "/v2/organization", "organization", ORGANIZATION, size=None, one=True
    ),
    Endpoint(
        "bank_accounts", "/v2/bank_accounts", "bank_accounts", ORGANIZATION, meta=False,
        fixed=(("_external", False),),  # Q28
    ),
    Endpoint("memberships", "/v2/memberships", "memberships", ORGANIZATION),
    Endpoint(
        "membership", "/v2/membership", "membership", ("membership.read",), size=None, one=True
    ),
    Endpoint("teams", "/v2/teams", "teams", ("team.read",), api_key=False),
    Endpoint(
        "subscription", "/v2/subscription", None, ("subscription.read",), size=None, one=True
    ),
    Endpoint(
        "einvoicing_settings", "/v2/einvoicing/settings", None, ("einvoicing.read",),
        api_key=False, size=None, one=True,
    ),
    Endpoint(
        "transactions", "/v2/transactions", "transactions", ORGANIZATION,
        filters=(
            Among("bank_account_id", ("bank_account_id",)),
            Among("status", ("status[]",), STATUSES),
            Among("side", ("side",), ("credit", "debit")),
            Among("operation_type", ("operation_type[]",)),
            Among("attachment_ids", ("with_attachments",), ("true", "false")),
            Range("updated_at"), Range("emitted_at"), Range("settled_at"), Range("created_at"),
        ),
        sorts=("updated_at", "settled_at", "emitted_at", "created_at"),
        default="settled_at:desc",
    ),
    Endpoint(
        "statements", "/v2/statements", "statements", ORGANIZATION,
        filters=(Among("bank_account_id", ("bank_account_ids[]",)), Range("period")),
        sorts=("period",), default="period:desc",
    ),
    Endpoint("labels", "/v2/labels", "labels", ORGANIZATION),
)  # fmt: skip
INVOICING = (
    Endpoint(
        "clients", "/v2/clients", "clients", ("client.read",), size=(25, 100), filters=(UPDATED,),
        sorts=("name", "created_at", "updated_at"), default="name:asc",
    ),
    Endpoint(
        "client_invoices", "/v2/client_invoices", "client_invoices", INVOICES, size=(100, 500),
        filters=(
            Among("status", ("filter[status]",), ("draft", "unpaid", "paid", "canceled"), True),
            Among("_imported", ("exclude_imported",), ("true", "false")),
            Range("due_date", nested=True), CREATED, UPDATED,
        ),
        sorts=("created_at",), default="created_at:desc",
    ),
)  # fmt: skip
PAYABLES = (
    Endpoint(
        "supplier_invoices", "/v2/supplier_invoices", "supplier_invoices",
        ("supplier_invoice.read",),
        filters=(
            Among(
                "status", ("filter[status]", "filter[status][]"),
                (
                    "to_review", "to_approve", "awaiting_payment", "pending", "scheduled", "paid",
                    "archived", "rejected", "discarded",
                ),
            ),
            CREATED, UPDATED,
        ),
        sorts=(
            "updated_at", "created_at", "file_name", "supplier_name", "payment_date", "due_date",
            "scheduled_date", "total_amount",
        ),
        default="created_at:desc",
    ),
)  # fmt: skip
ENDPOINTS = (*BANKING, *INVOICING, *PAYABLES)
BY_PATH = {endpoint.path: endpoint for endpoint in ENDPOINTS}
BY_STREAM = {endpoint.stream: endpoint for endpoint in ENDPOINTS}
