"""Kinds of streams whose rows hang on something else: an account, a row of a parent, a currency.

PerAccountStream       an UpdatedStream with a partition per bank account
PerRowStream           one request per row of a parent stream: off by default
PerCurrencyStream      one list per currency
"""

from __future__ import annotations

import functools
import threading
import typing as t
from collections import deque

from tap_qonto.api.contract import endpoints
from tap_qonto.errors import (
    LoginRequired,
    QontoError,
    RequestDenied,
    RequestRejected,
)
from tap_qonto.pagination.pages import Page, Query, Records
from tap_qonto.pagination.readers import merged, whole
from tap_qonto.streams.bases import UpdatedStream
from tap_qonto.streams.client import BARE, PLAIN, Params, QontoListing, QontoStream

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from singer_sdk.helpers.types import Record

    from tap_qonto.api.prefetch import Fetch
    from tap_qonto.pagination.pages import Walk


NOT_FOUND = 404
NO_PATH = frozenset({None, "", ".", ".."})  # ids that no address can hold
TRIES = 3  # accounts that are asked whether statuses come together


class PerAccountStream(UpdatedStream):
    """Precondition: rows are listed per bank account, and by status.

    One partition per account (Q27), closed ones included. Whether Qonto honours several
    statuses in one request (Q24-Q26) is found out by asking; if not, one list per status is
    read, merged by `updated_at` so that a run can stop and go on at any row.
    """

    needs_accounts = True

    def __init__(self, tap: t.Any) -> None:
        super().__init__(tap)
        self._asking = threading.Lock()
        self._together: bool | None = None
        self._tries = 0
        self._refused: frozenset[str] = frozenset()  # statuses, while others are accepted

    def doubts(self) -> Iterator[str]:
        """Yield why rows that did not come may not be gone."""
        yield from super().doubts()
        if self._refused:
            yield "Qonto refuses some of transaction_statuses"

    def contexts(self) -> list[dict[str, t.Any]]:
        """One per account of each organization; an organization that can't be read is reported."""
        result = []
        organizations = self.run.organizations
        organizations.ask_all()
        for organization_id in organizations.ids():
            try:
                accounts = organizations.accounts(organization_id)
            except LoginRequired:
                raise
            except RequestDenied as error:
                self.run.report.denied(self.name, organization_id, error.why)
            except QontoError as error:
                self.run.report.failed(self.name, organization_id, str(error))
            else:
                result += [
                    {"organization_id": organization_id, "bank_account_id": account["id"]}
                    for account in accounts
                ]
        return result

    def walk(self, context: Mapping[str, t.Any], fetch: Fetch, since: datetime | None) -> Walk:
        """Read what changed in one account; statuses that are new to it, from the beginning."""
        wanted = self.run.settings.transaction_statuses
        together = len(wanted) > 1 and self._are_together(context, fetch, wanted)
        read = functools.partial(self._of_statuses, context, fetch, together=together)
        statuses = self._accepted()
        known = self.bookmark_notes(context).get("statuses", statuses)
        try:
            if since and (new := tuple(one for one in statuses if one not in known)):
                for rows, _ in read(self.run.settings.start_date, new):
                    yield Records(rows)
            yield from read(since, statuses)
        except RequestRejected:
            with self._asking:
                if self._accepted() == statuses:
                    self._find_refused(context, fetch, statuses)
            if self._accepted() == statuses:
                raise
        else:
            return
        yield from self.walk(context, fetch, since)

    def notes(self) -> dict[str, t.Any]:
        """What a bookmark says besides its moment: which statuses were read."""
        return {"statuses": [*self._accepted()]}

    def _accepted(self) -> tuple[str, ...]:
        wanted = self.run.settings.transaction_statuses
        return tuple(one for one in wanted if one not in self._refused)

    def _of_statuses(
        self,
        context: Mapping[str, t.Any],
        fetch: Fetch,
        since: datetime | None,
        statuses: tuple[str, ...],
        *,
        together: bool,
    ) -> Walk:
        account = {"bank_account_id": context["bank_account_id"]}
        if len(statuses) > 1 and not together:
            walks = [
                self.changed(
                    context,
                    fetch.branch(),
                    since,
                    (*account.items(), ("status[]", status)),
                    given=account,
                )
                for status in statuses
            ]
            return merged(walks, since)
        extra = (*account.items(), ("status[]", statuses))
        return self.changed(context, fetch, since, extra, given=account)

    def _are_together(
        self, context: Mapping[str, t.Any], fetch: Fetch, statuses: tuple[str, ...]
    ) -> bool:
        """Does Qonto give rows of several statuses in one response (Q25)? Asked a few times."""
        with self._asking:
            if self._together is None and self._tries < TRIES and self._holds_money(context):
                self._tries += 1
                self._together = self._seen_together(context, fetch, statuses)
            return bool(self._together)

    def _holds_money(self, context: Mapping[str, t.Any]) -> bool:
        """Whether the account of `context` may tell: one that holds nothing mostly has no rows."""
        names = ("balance_cents", "authorized_balance_cents")
        return any(
            account.get(name) != 0
            for account in self.run.organizations.accounts(context["organization_id"])
            if account["id"] == context["bank_account_id"]
            for name in names
        )

    def _seen_together(
        self, context: Mapping[str, t.Any], fetch: Fetch, statuses: tuple[str, ...]
    ) -> bool | None:
        """Proven by rows of two statuses, or by counts that add up; None: this account is silent.

        The order leaves it open which rows come first: the counts decide where all are alike.
        """
        first = functools.partial(self._first, context, fetch)
        try:
            page = first(*statuses)
            if len({row.get("status") for row in page.rows} & {*statuses}) > 1:
                return True
            if not page.rows or page.total is None:
                return None
            for status in statuses:
                one = self._plain(context, fetch, status)
                one.ahead(Query(size=one.size))
            totals = [first(status).total for status in statuses]
        except RequestRejected:
            return False
        if None in totals or sum(map(bool, totals)) < 2:  # noqa: PLR2004 - one tells nothing
            return None
        return sum(filter(None, totals)) == page.total

    def _plain(self, context: Mapping[str, t.Any], fetch: Fetch, *statuses: str) -> QontoListing:
        account = ("bank_account_id", context["bank_account_id"])
        return QontoListing(self, context, fetch, (account, ("status[]", statuses), *PLAIN))

    def _first(self, context: Mapping[str, t.Any], fetch: Fetch, *statuses: str) -> Page:
        one = self._plain(context, fetch, *statuses)
        return one.ask(Query(size=one.size))

    def _find_refused(
        self, context: Mapping[str, t.Any], fetch: Fetch, statuses: tuple[str, ...]
    ) -> None:
        """Ask for each status alone (Q26): one that is refused must not cost the others."""
        refused = {}
        for status in statuses:
            try:
                self._first(context, fetch, status)
            except RequestRejected as error:
                refused[status] = error.status
        if 0 < len(refused) < len(statuses):
            self._refused |= refused.keys()
            for status, code in refused.items():
                self.run.report.warned(
                    self.name,
                    None,
                    f"Qonto does not accept the status {status} ({code}): what has it is not read. "
                    "If that is known, leave it out of transaction_statuses",
                )


class PerRowStream(QontoStream):
    """Precondition: the rows hang on each row of a parent, named by the contract.

    A request per parent row: off by default. `wanted` spares those that surely have none.
    """

    selected_by_default = False

    def __init__(self, tap: t.Any) -> None:
        super().__init__(tap)
        self._parent_facts = t.cast("dict[str, str]", endpoints()[self.name].parent)

    @property
    def parent(self) -> QontoStream:
        """The stream whose rows are the parents."""
        return t.cast("QontoStream", self.tap.streams[self._parent_facts["stream"]])

    @property
    def needs_accounts(self) -> bool:  # type: ignore[override]
        """As the parent."""
        return self.parent.needs_accounts

    def contexts(self) -> list[dict[str, t.Any]]:
        """The parent's partitions."""
        return self.parent.partitions

    def wanted(self, row: Record) -> bool:  # noqa: ARG002
        """Whether this parent row can have rows here."""
        return True

    def _has_path(self, row: Record) -> bool:
        """Whether an address can be made for the list of this parent row; told if not."""
        parent_id = row.get(self._parent_facts["from"])
        if parent_id in NO_PATH:
            where = row.get("organization_id")
            self.run.report.set_aside(self.parent.name, where, self._parent_facts["from"])
        return parent_id not in NO_PATH

    def expected(self, row: Record) -> int | None:  # noqa: ARG002
        """How many rows hang on a parent row, if it tells."""
        return None

    def walk(self, context: Mapping[str, t.Any], fetch: Fetch, since: datetime | None) -> Walk:
        """Read the lists of all parent rows, several ahead."""
        del since
        asked, gone = 0, []
        for records in self.parent.walk(context, fetch.branch(), since=None):
            rows = [row for row in records.rows if self.wanted(row) and self._has_path(row)]
            lists = [self._listing(context, fetch, row) for row in rows]
            upcoming = deque(lists)
            for row, listing in zip(rows, lists, strict=True):
                while upcoming and upcoming[0].ahead(Query(size=upcoming[0].size)):
                    upcoming.popleft()
                if upcoming and upcoming[0] is listing:
                    upcoming.popleft()
                asked += 1
                try:
                    yield from self.accepted(
                        functools.partial(whole, listing),
                        functools.partial(self._plainly, context, fetch, row),
                    )
                except RequestDenied as error:
                    if error.status != NOT_FOUND:
                        raise
                    gone.append(error)
        if gone and len(gone) == asked:
            raise gone[0]
        if gone:
            self.logger.info("%d rows were deleted while %s was read.", len(gone), self.name)

    def _listing(
        self, context: Mapping[str, t.Any], fetch: Fetch, row: Record, more: Params = ()
    ) -> QontoListing:
        of = self._parent_facts
        return QontoListing(
            self,
            context,
            fetch.branch(),
            (("{" + of["param"] + "}", row[of["from"]]), *more),
            given={of["property"]: row[of["from"]]},
            expected=self.expected(row),
        )

    def _plainly(self, context: Mapping[str, t.Any], fetch: Fetch, row: Record) -> Walk:
        return whole(self._listing(context, fetch, row, BARE))


class PerCurrencyStream(QontoStream):
    """Precondition: the list wants a currency (Q43); the lists of all of them are one.

    The currencies are those of the organization's accounts, or with `offered` those that can be
    sent abroad from them.
    """

    currency_param: str
    offered = False

    def walk(self, context: Mapping[str, t.Any], fetch: Fetch, since: datetime | None) -> Walk:
        """Read the list of each currency."""
        del since
        accounts = self.run.organizations.accounts(context["organization_id"])
        currencies: set[str | None] = {account.get("currency") for account in accounts}
        if self.offered:
            parent = t.cast("PerCurrencyStream", self.tap.streams["international_currencies"])
            walk = parent.walk(context, fetch.branch(), None)
            currencies = {row.get("currency_code") for records in walk for row in records.rows}
        of = endpoints()[self.name].parent
        lists = {
            currency: QontoListing(
                self,
                context,
                fetch.branch(),
                ((self.currency_param, currency),),
                given={of["property"]: currency} if of else {},
            )
            for currency in sorted(filter(None, currencies))
        }
        for listing in lists.values():
            listing.ahead(Query(size=listing.size))
        rejected = {}
        for currency, listing in lists.items():
            try:
                yield from whole(listing)
            except RequestRejected as error:  # Q43
                rejected[currency] = error
        for currency, rejection in rejected.items():
            if len(rejected) == len(lists):
                raise rejection
            lists[currency].warn(f"Qonto does not accept the currency {currency} here (422)")
