"""The bank: all organizations' books, their truth, and the edits that tests and the demo make."""

from __future__ import annotations

import random
import typing as t
from threading import RLock

from demo.data import (
    abroad,
    administration,
    banking,
    cards,
    getting_paid,
    invoicing,
    payables,
    transfers,
)
from demo.data.books import Books
from demo.data.facts import OrganizationFacts, facts
from demo.offer import BY_STREAM
from demo.values import local, milliseconds, seconds

if t.TYPE_CHECKING:
    from datetime import datetime

    from demo.clock import Clock
    from demo.data.tables import Row, Table
    from demo.options import Options

AREAS = (administration, banking, cards, transfers, abroad, invoicing, payables, getting_paid)
BUILDERS = {
    stream: getattr(area, stream) for area in AREAS for stream in BY_STREAM if hasattr(area, stream)
}


class Bank:
    """All data, made on demand.

    Its methods may be called from any thread, between and during requests; each change is visible
    to the next answer.
    """

    def __init__(self, options: Options, clock: Clock) -> None:
        self.options = options
        self.clock = clock
        self.lock = RLock()
        anchor = clock.now().replace(minute=0, second=0, microsecond=0)
        self.organizations: list[OrganizationFacts] = facts(options, anchor)
        self.by_id = {one.id: one for one in self.organizations}
        self.by_slug = {one.slug: one for one in self.organizations}
        self._books: dict[str, Books] = {}
        self._random = random.Random(options.seed)

    def books(self, organization_id: str) -> Books:
        with self.lock:
            books = self._books.get(organization_id)
            if books is None:
                books = self._books[organization_id] = Books(self.by_id[organization_id], BUILDERS)
            return books

    def table(self, stream: str, organization_id: str) -> Table:
        with self.lock:
            return self.books(organization_id).table(stream)

    # --- the truth

    def user_organizations(self, ids: t.Collection[str]) -> list[Row]:
        """The rows of `/v2/user_organizations` where the user consented to `ids`."""
        return [
            {
                "id": one.id,
                "name": one.name,
                "legal_name": f"{one.name} {one.company.legal_form}",
                "legal_number": one.legal_number,
                "legal_country": one.country,
                "membership_role": one.role,
            }
            for one in self.organizations
            if one.id in ids
        ]

    def rows(self, stream: str, organization_id: str, *, external: bool = False) -> list[Row]:
        """What all pages of a complete read hold: every status, imported and archived rows too.

        None where the organization lacks the feature. Signed links carry the placeholder of
        `demo.data.embeds.SIGNATURE`. With `external` also what belongs to accounts of other
        banks.
        """
        with self.lock:
            books = self.books(organization_id)
            if self.refuses(stream, organization_id):
                return []
            if stream == "organization":
                return [books.organization(external=external)]
            if stream in {"transaction_attachments", "child_transaction_links"}:
                by_parent = self.children(stream, organization_id, external=external)
                return [row for rows in by_parent.values() for row in rows]
            rows = books.table(stream).rows()
            name = {"bank_accounts": "id", "transactions": "bank_account_id"}.get(stream)
            if name is None or external:
                return rows
            outside = self._external(organization_id)
            return [row for row in rows if row[name] not in outside]

    def refuses(self, stream: str, organization_id: str) -> bool:
        """Whether the organization's plan or features, or age, close this list (403, 404, 410)."""
        endpoint = BY_STREAM[stream]
        gated = endpoint.gate is not None and self.by_id[organization_id].gated
        return gated or endpoint.path in self.options.retired

    def children(
        self, stream: str, organization_id: str, *, external: bool = False
    ) -> dict[str, list[Row]]:
        """Rows of a nested stream by the id of their parent; parents without any are left out.

        International currencies are nested below the currency that they are sent from.
        """
        with self.lock:
            books = self.books(organization_id)
            if self.refuses(stream, organization_id):
                return {}
            found: dict[str, list[Row]] = {}
            if stream in {"payment_link_payments", "international_currencies"}:
                for record in books.table(stream).records.values():
                    found.setdefault(record.hidden["_parent"], []).append(record.row())
                return found
            for parent in self.rows("transactions", organization_id, external=external):
                if stream == "transaction_attachments":
                    rows = parent["attachments"]
                else:
                    rows = books.child_links(parent["id"])
                if rows:
                    found[parent["id"]] = rows
            return found

    def balances(self, organization_id: str) -> dict[str, Row]:
        """Accounts by id: name, currency, balance_cents, authorized_balance_cents."""
        names = ("name", "currency", "balance_cents", "authorized_balance_cents")
        return {
            row["id"]: {name: row[name] for name in names}
            for row in self.rows("bank_accounts", organization_id)
        }

    def _external(self, organization_id: str) -> set[str]:
        return {one.id for one in self.by_id[organization_id].accounts if one.external}

    # --- changes

    def now(self) -> datetime:
        """The clock's time to the millisecond."""
        now = self.clock.now()
        return now.replace(microsecond=now.microsecond // 1000 * 1000)

    def edit(
        self, stream: str, organization_id: str, row_id: str | None = None, **changes: t.Any
    ) -> Row:
        """Change a row: without `row_id` one by chance, without `changes` a note or the like.

        Its `updated_at` becomes now, where it has one and `changes` do not set it. A transaction
        whose status becomes completed is settled, and the balance follows.
        """
        with self.lock:
            books = self.books(organization_id)
            table = books.table(stream)
            if row_id is None:
                row_id = self._random.choice(self._choices(stream, organization_id))
            record = table.records[row_id]
            before = record.hidden | record.row()
            now = self.now()
            row = before | {"updated_at": stamp(now, before)} | (changes or touch(before, now))
            if "updated_at" not in before:
                row.pop("updated_at")
                if "_updated_at" in before:
                    row["_updated_at"] = milliseconds(now)
            if stream == "transactions":
                books.put_transaction(row, before, now)
            else:
                table.put(row)
            return table.records[row_id].row()

    def _choices(self, stream: str, organization_id: str) -> list[str]:
        """The rows that chance may edit: what a complete read finds."""
        records = self.table(stream, organization_id).records
        if stream != "transactions":
            return list(records)
        outside = self._external(organization_id)
        return [id_ for id_, one in records.items() if one.marks["bank_account_id"] not in outside]

    def edit_somewhere(self, stream: str) -> None:
        """Change one row of `stream` in each organization whose rows somebody has seen already."""
        with self.lock:
            for id_, books in self._books.items():
                if books.has(stream):
                    self.edit(stream, id_)

    def add_transactions(
        self,
        organization_id: str,
        count: int = 1,
        account_id: str | None = None,
        status: str | None = "completed",
        **fields: t.Any,
    ) -> list[str]:
        """New transactions on an account, by default the main one. Returns their ids.

        They are dated now unless `fields` say otherwise, and the balance follows. `status` None
        takes any.
        """
        with self.lock:
            books = self.books(organization_id)
            account = next(
                one
                for one in books.facts.accounts
                if one.id == account_id or (account_id is None and one.main)
            )
            return [
                books.add_transaction(self.now(), account, status, fields) for _ in range(count)
            ]

    def delete(self, stream: str, organization_id: str, row_id: str) -> Row:
        """Take a row away; balances stay as they are. Returns it."""
        with self.lock:
            return self.table(stream, organization_id).remove(row_id)

    def advance(self, edits: int = 5, adds: int = 5) -> dict[str, dict[str, list[str]]]:
        """A day at the office, in each organization that has rows.

        `edits` changes are spread over transactions (pending ones settle), invoices and clients;
        `adds` transactions are new. Returns the ids touched, by organization and stream.
        """
        touched: dict[str, dict[str, list[str]]] = {}
        with self.lock:
            for one in self.organizations:
                if one.empty:
                    continue
                here = touched.setdefault(one.id, {})
                for number in range(edits):
                    stream, row = self._errand(one.id, number)
                    here.setdefault(stream, []).append(row["id"])
                ids = self.add_transactions(one.id, adds)
                here.setdefault("transactions", []).extend(ids)
        return touched

    def _errand(self, organization_id: str, number: int) -> tuple[str, Row]:
        if number % 5 == 0:
            table = self.table("transactions", organization_id)
            for id_, record in table.records.items():
                if record.marks["status"] == "pending":
                    return "transactions", self.edit(
                        "transactions", organization_id, id_, status="completed"
                    )
        stream = ("transactions", "transactions", "client_invoices", "supplier_invoices", "clients")
        name = stream[number % 5] if stream[number % 5] in BY_STREAM else "transactions"
        return name, self.edit(name, organization_id)


def stamp(now: datetime, row: Row) -> str | None:
    """`now` in the style of the row's own timestamps (Q53)."""
    style = str(row.get("updated_at") or row.get("created_at") or "")
    if "+" in style:
        return local(now)
    return milliseconds(now) if "." in style else seconds(now)


def touch(row: Row, now: datetime) -> Row:
    """A change that somebody could make to `row` by hand."""
    for field in ("note", "description", "header", "internal_note", "nickname", "name", "email"):
        if field in row:
            return {field: f"Edited {now:%H:%M:%S}.{now.microsecond // 1000:03d}"}
    return {}
