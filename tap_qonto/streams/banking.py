"""Accounts, their transactions, and what is filed with them."""

from __future__ import annotations

import contextlib
import typing as t
from datetime import datetime, timezone

from singer_sdk import typing as th

from tap_qonto.api.contract import own_schema
from tap_qonto.api.responses import Request
from tap_qonto.errors import QontoError, RequestFailed, RequestRejected
from tap_qonto.pagination.pages import Query, Records
from tap_qonto.streams.client import QontoStream
from tap_qonto.streams.meta import page_of
from tap_qonto.streams.nested import PerAccountStream, PerRowStream
from tap_qonto.sync.moments import timestamp

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from singer_sdk.helpers.types import Record

    from tap_qonto.api.prefetch import Fetch
    from tap_qonto.pagination.pages import Walk


class BankAccounts(QontoStream):
    """Business accounts, closed ones included; of other banks if the setting wants them (Q28)."""

    name = "bank_accounts"
    path = "/v2/bank_accounts"

    def walk(self, context: Mapping[str, t.Any], fetch: Fetch, since: datetime | None) -> Walk:
        """Read the list; then the accounts of other banks, which only the organization has."""
        del since
        external, expected = self.run.settings.include_external_accounts, None
        with contextlib.suppress(QontoError):  # it is told where the organization is read
            accounts = self.run.organizations.accounts(context["organization_id"])
            expected = None if external else len(accounts)
        listed: set[str] = set()
        for records in self.whole(context, fetch, expected=expected):
            listed.update(row["id"] for row in records.rows if row.get("id"))
            yield records
        if external:
            organization_id = context["organization_id"]
            accounts = self.run.organizations.accounts(organization_id)
            others = (dict(one) for one in accounts if one["id"] not in listed)
            yield Records([self._shape(one, organization_id) for one in others])


class BankAccountBalances(QontoStream):
    """What each account held when the run asked: Qonto only tells "now", this keeps it.

    One row per account and run, so the table grows into a history.
    """

    name = "bank_account_balances"
    path = "/v2/organization"
    derived_from = "organization"
    primary_keys = ("organization_id", "bank_account_id", "observed_at")
    replication_key = "observed_at"
    is_history = True
    missed = "Balances between two runs."
    schema = own_schema(
        th.Property("organization_id", th.StringType, required=True),
        th.Property("bank_account_id", th.StringType, required=True),
        th.Property(
            "observed_at", th.DateTimeType, required=True, description="When, by Qonto's clock."
        ),
        th.Property("currency", th.StringType, description="ISO 4217."),
        th.Property("balance_cents", th.IntegerType, description="Cents of the currency."),
        th.Property(
            "authorized_balance_cents",
            th.IntegerType,
            description="Cents, less pending debits.",
        ),
        th.Property("status", th.StringType, description="Of the account: active or closed."),
    )

    def walk(
        self,
        context: Mapping[str, t.Any],
        fetch: Fetch,  # noqa: ARG002 - asked once for all streams
        since: datetime | None,  # noqa: ARG002
    ) -> Walk:
        """Read the accounts in the response that the run keeps for everybody."""
        organization_id = context["organization_id"]
        accounts = self.run.organizations.accounts(organization_id)
        observed = self.run.organizations.body(organization_id).date or datetime.now(timezone.utc)
        names = ("currency", "balance_cents", "authorized_balance_cents", "status")
        rows: list[Record] = [
            self._shape(
                {
                    "bank_account_id": account["id"],
                    "observed_at": timestamp(observed),
                    **{name: account.get(name) for name in names},
                },
                organization_id,
            )
            for account in accounts
        ]
        yield Records(rows, observed)


class Transactions(PerAccountStream):
    """Every movement of every account, in every status, with labels, VAT and attachments."""

    name = "transactions"
    path = "/v2/transactions"
    apart_by = "emitted_at"
    params: t.ClassVar = {
        "sort_by": "updated_at:asc",
        "includes[]": ("labels", "attachments", "vat_details"),
    }


class TransactionCounts(QontoStream):
    """How many transactions Qonto counts in each account and status: a check of the warehouse.

    Off by default: a request per account and status.
    """

    name = "transaction_counts"
    path = "/v2/transactions"
    derived_from = "transactions"
    primary_keys = ("organization_id", "bank_account_id", "status")
    selected_by_default = False
    needs_accounts = True
    schema = own_schema(
        th.Property("organization_id", th.StringType, required=True),
        th.Property("bank_account_id", th.StringType, required=True),
        th.Property("status", th.StringType, required=True, description="Of the transactions."),
        th.Property("count", th.IntegerType, description="Qonto's own count."),
        th.Property("observed_at", th.DateTimeType, description="When, by Qonto's clock."),
    )

    def walk(
        self,
        context: Mapping[str, t.Any],
        fetch: Fetch,
        since: datetime | None,  # noqa: ARG002 - counts are of all time
    ) -> Walk:
        """Ask for one row of each list, and keep what the response counts."""
        organization_id = context["organization_id"]
        requests = {
            (account["id"], status): Request(
                self.name,
                organization_id,
                self.path,
                (
                    ("bank_account_id", account["id"]),
                    ("status[]", status),
                    ("page", "1"),
                    ("per_page", "1"),
                ),
            )
            for account in self.run.organizations.accounts(organization_id)
            for status in self.run.settings.transaction_statuses
        }
        for request in requests.values():
            fetch.ahead(request)
        rows: list[Record] = []
        refused: RequestRejected | None = None
        for (account_id, status), request in requests.items():
            try:
                response = fetch(request)
            except RequestRejected as error:  # of a status (Q26): `transactions` tells
                refused = error
                continue
            body = response.body
            meta = body.get("meta") if isinstance(body, dict) else None
            count = page_of([], meta, Query(size=1), response.date).total
            if count is None:
                raise RequestFailed(f"{self.name}: the response does not say how many there are")
            row = {
                "bank_account_id": account_id,
                "status": status,
                "count": count,
                "observed_at": timestamp(response.date or datetime.now(timezone.utc)),
            }
            rows.append(self._shape(row, organization_id))
        if refused and not rows:
            raise refused
        yield Records(rows)
        return None


class TransactionAttachments(PerRowStream):
    """Receipts of each transaction: their metadata come with `transactions` already."""

    name = "transaction_attachments"
    path = "/v2/transactions/{id}/attachments"

    def wanted(self, row: Record) -> bool:
        """Ask only for transactions that name an attachment."""
        return any(row.get("attachment_ids") or ())

    def expected(self, row: Record) -> int | None:
        """As many as it names."""
        return sum(map(bool, row["attachment_ids"]))


class ChildTransactionLinks(PerRowStream):
    """Fees and repayments that belong to a transaction."""

    name = "child_transaction_links"
    path = "/v2/transactions/{id}/child_transaction_links"


class Statements(QontoStream):
    """Monthly statements: which exist; their files are in `files`."""

    name = "statements"
    path = "/v2/statements"
    params: t.ClassVar = {"sort_by": "period:asc"}


class Labels(QontoStream):
    """Labels that members give to transactions."""

    name = "labels"
    path = "/v2/labels"


class CashFlowCategories(QontoStream):
    """Categories of cash flow, with their subcategories."""

    name = "cash_flow_categories"
    path = "/v2/cash_flow_categories"
