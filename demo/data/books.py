"""Everything one organization has: a table for each stream, made on first demand."""

from __future__ import annotations

import gc
import typing as t
from datetime import timedelta

from demo.data.ledger import Ledger, Use
from demo.data.tables import Row, Table
from demo.data.transactions import At
from demo.offer import BY_STREAM
from demo.values import milliseconds

if t.TYPE_CHECKING:
    from datetime import datetime

    from demo.data.facts import Account, OrganizationFacts

    Builder = t.Callable[["Books"], list[Row]]

# what a payment changes of its card
SPENT = (
    "payment_monthly_spent",
    "payment_daily_spent",
    "payment_lifespan_spent",
    "last_activity_at",
    "updated_at",
    "had_operation",
)


class Books:
    """The tables of one organization. Not safe for threads: `Bank` holds the lock.

    `builders` make the rows of each stream; those of accounts are the ledgers' own.
    """

    def __init__(self, facts: OrganizationFacts, builders: t.Mapping[str, Builder]) -> None:
        self.facts, self._builders = facts, builders
        self._tables: dict[str, Table] = {}
        self._ledgers: dict[str, Ledger] = {}

    def table(self, stream: str) -> Table:
        table = self._tables.get(stream)
        if table is None:
            endpoint = BY_STREAM[stream]
            if stream in {"transactions", "bank_accounts"}:
                self._open_accounts()
                return self._tables[stream]
            table = Table(self._builders[stream](self), endpoint.fields, endpoint.key)
            self._tables[stream] = table
        return table

    def has(self, stream: str) -> bool:
        """Whether there are rows of `stream`, and they were asked for."""
        return stream in self._tables and bool(self._tables[stream].records)

    def _open_accounts(self) -> None:
        """Transactions and accounts come together: the ones make the balances of the others."""
        gc.disable()  # a hundred thousand rows and no garbage: it would look at them ever again
        try:
            self._write_accounts()
        finally:
            gc.enable()

    def _write_accounts(self) -> None:
        rows: list[Row] = []
        accounts: list[Row] = []
        for account in self.facts.accounts:
            ledger = self._ledgers[account.id] = Ledger(self.facts, account)
            count = 0 if self.facts.empty else round(self.facts.transactions * account.share)
            rows += ledger.history(count)
            accounts.append(ledger.bank_account())
        endpoint = BY_STREAM["transactions"]
        self._tables["transactions"] = Table(rows, endpoint.fields, "id", embeds=True)
        endpoint = BY_STREAM["bank_accounts"]
        self._tables["bank_accounts"] = Table(accounts, endpoint.fields, "id")

    def organization(self, *, external: bool) -> Row:
        """The body of `/v2/organization`: accounts with slug, without organization_id (Q57)."""
        (row,) = self.table("organization").rows()
        accounts = []
        for record in self.table("bank_accounts").records.values():
            hidden = record.hidden
            if hidden["_external"] and not external:
                continue
            account = record.row()
            del account["organization_id"]
            accounts.append({"id": account.pop("id"), "slug": hidden["_slug"], **account})
        row["bank_accounts"] = accounts
        return row

    def card_use(self, card_id: str) -> Use:
        """What was paid with a card, which belongs to one account."""
        self.table("transactions")
        uses = [ledger.uses[card_id] for ledger in self._ledgers.values() if card_id in ledger.uses]
        return uses[0] if uses else Use()

    def links(self, transaction_id: str) -> list[tuple[str, str]]:
        """Child links of a transaction: type and id of the child."""
        self.table("transactions")
        for ledger in self._ledgers.values():
            if transaction_id in ledger.links:
                return ledger.links[transaction_id]
        return []

    def below(self, stream: str, parent: str) -> Table | None:
        """What a nested stream lists for one `parent`; None when there is no such parent."""
        endpoint = BY_STREAM[stream]
        if stream == "payment_link_payments":
            return self.table(stream) if parent in self.table("payment_links").records else None
        record = self.table("transactions").records.get(parent)
        if record is None:
            return None
        if stream == "transaction_attachments":
            return Table(record.row()["attachments"], endpoint.fields, endpoint.key)
        rows = [{"_key": row["transaction"]["id"], **row} for row in self.child_links(parent)]
        return Table(rows, endpoint.fields, endpoint.key)

    def child_links(self, parent: str) -> list[Row]:
        """The rows of `/v2/transactions/{id}/child_transaction_links`."""
        records = self.table("transactions").records
        return [
            {
                "link_type": kind,
                "related_transaction_id": parent,
                "transaction": records[child].row(),
            }
            for kind, child in self.links(parent)
            if child in records
        ]

    def add_transaction(
        self, now: datetime, account: Account, status: str | None, fields: Row
    ) -> str:
        """One movement on `account`, done at `now`; the balance follows."""
        self.table("transactions")
        ledger = self._ledgers[account.id]
        (row,) = ledger.movement(At(now, now + timedelta(days=99), live=True), status=status)
        row.update(fields)
        self.put_transaction(row, None, now)
        return t.cast("str", row["id"])

    def put_transaction(self, row: Row, before: Row | None, now: datetime) -> None:
        """Write `row`, which was `before`; the account's balances follow.

        A row that becomes completed is settled: it goes to the end of the chain.
        """
        account_id = row["bank_account_id"]
        ledger = self._ledgers[account_id]
        if row["status"] == "completed" and (before is None or before["status"] != "completed"):
            row["settled_at"] = row["settled_at"] or milliseconds(now)
            ledger.settle([row])
        ledger.pending_debits += _pending(row) - (_pending(before) if before else 0)
        if before is not None:
            ledger.use(before, now, -1)
        ledger.use(row, now)
        self._show_use(row["card_id"])
        self._tables["transactions"].put(row)
        table, held = self._tables["bank_accounts"], ledger.bank_account()
        known = table.records[account_id].row()
        if any(held[name] != known[name] for name in ("balance", "authorized_balance")):
            table.put(held | {"updated_at": milliseconds(now)})

    def _show_use(self, card_id: str | None) -> None:
        """Bring a card that was read already up to what was paid with it."""
        table = self._tables.get("cards")
        if table is not None and card_id in table.records:
            known = table.records[card_id].row()
            (row,) = (one for one in self._builders["cards"](self) if one["id"] == card_id)
            table.put(known | {name: row[name] for name in SPENT})


def _pending(row: Row) -> int:
    """Cents that `row` holds back from the authorized balance."""
    return row["amount_cents"] if (row["status"], row["side"]) == ("pending", "debit") else 0
