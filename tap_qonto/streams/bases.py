"""Kinds of streams: what differs is which part of a list has to be read again, and how.

QontoStream            the whole list, at every run                         (client.py)
OneRowStream           one object per organization
UpdatedStream          filter and sort on updated_at: incremental, resumable
UpdatedAnyOrderStream  filter on updated_at without that sort: bookmark at the end
RecentFirstStream      fixed order, newest first: incremental by stopping early
CreatedStream          filter on created_at only: reads again from the oldest row still open
PerAccountStream       an UpdatedStream with a partition per bank account, a list per status
PerRowStream           one request per row of a parent stream: off by default
PerCurrencyStream      one list per currency
SearchStream           a list that is read with POST
"""

from __future__ import annotations

import functools
import threading
import typing as t
from collections import deque
from datetime import timedelta

import msgspec

from tap_qonto.api.contract import endpoints
from tap_qonto.api.responses import Request
from tap_qonto.errors import (
    LoginRequired,
    QontoError,
    RequestDenied,
    RequestFailed,
    RequestRejected,
)
from tap_qonto.pagination.pages import SECOND, Page, Query, Records, ask
from tap_qonto.pagination.readers import (
    changed,
    changed_unsorted,
    counted,
    held_back,
    merged,
    newest_first,
    whole,
)
from tap_qonto.streams.client import BARE, Params, QontoListing, QontoStream
from tap_qonto.sync.moments import timestamp

if t.TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime

    from singer_sdk.helpers.types import Record

    from tap_qonto.api.prefetch import Fetch
    from tap_qonto.pagination.pages import Walk


NOT_FOUND = 404
TRIES = 3  # accounts that are asked whether statuses come together


class OneRowStream(QontoStream):
    """Precondition: the body is one object, in its envelope or bare (both are accepted)."""

    def walk(self, context: Mapping[str, t.Any], fetch: Fetch, since: datetime | None) -> Walk:
        """Read the row."""
        del since
        body = fetch(self.request(context["organization_id"], Query())).body
        row = body.get(self.envelope, body) if isinstance(body, dict) else None
        yield Records([self.one_row(row, context["organization_id"])])
        return None

    def one_row(self, row: t.Any, organization_id: str) -> Record:
        """Check and shape the row: an object in which something is known."""
        if not isinstance(row, dict) or row.keys().isdisjoint(self.known_fields):
            raise RequestFailed(f"{self.name}: the answer is not the object it should be")
        shaped: Record = self._shape(row, organization_id)
        self._require_keys([shaped])
        return shaped


class UpdatedStream(QontoStream):
    """Precondition: `updated_at` can be filtered, both ways, and sorted.

    Where the API refuses sort or filter (Q32-Q34), it falls back to another order, then to the
    whole list: correct each time, only slower.
    """

    replication_key = "updated_at"
    since_param: str | None = "updated_at_from"
    until_param: str | None = "updated_at_to"
    params: t.ClassVar[Mapping[str, str | tuple[str, ...]]] = {"sort_by": "updated_at:asc"}
    missed = "Deletions."
    apart_by = "created_at"
    """The field to sort by where more rows than fill a page share one `updated_at`."""

    def walk(self, context: Mapping[str, t.Any], fetch: Fetch, since: datetime | None) -> Walk:
        """Read what changed since the bookmark, in the best way that the API accepts."""
        return self.changed(context, fetch, since)

    def changed(
        self,
        context: Mapping[str, t.Any],
        fetch: Fetch,
        since: datetime | None,
        extra: Params = (),
        **facts: t.Any,
    ) -> Walk:
        """Read what changed in a list since then; `extra` parameters choose a part of it."""
        filters = (self.since_param, self.until_param)
        changes = self.filter_on_changes(since)

        def listing(*more: tuple[str, t.Any], **how: t.Any) -> QontoListing:
            return QontoListing(self, context, fetch, (*extra, *more), **facts, **how)

        def by_key(more: Params) -> Walk:
            return changed(listing(*more, filters=filters, apart_by=self.apart_by), since)

        created = ("sort_by", "created_at:asc")
        return self.accepted(
            lambda: by_key(()),
            *self.smaller(by_key),
            lambda: changed_unsorted(listing(*changes, created), since),
            lambda: counted(listing(*changes, ("sort_by", ""))),
            lambda: whole(listing(created)),
            lambda: counted(listing(*BARE)),
        )

    def filter_on_changes(self, since: datetime | None) -> Params:
        """The parameter that leaves out what has not changed since then."""
        if since is None or self.since_param is None:
            return ()
        return ((self.since_param, timestamp(since - SECOND)),)


class UpdatedAnyOrderStream(UpdatedStream):
    """Precondition: `updated_at` can be filtered, and rows come in the order of another key.

    `open_param` is the filter on that key, where there is one.
    """

    open_param: str | None = None

    def walk(self, context: Mapping[str, t.Any], fetch: Fetch, since: datetime | None) -> Walk:
        """Read what changed since the bookmark, which moves at the end only."""
        changes = self.filter_on_changes(since)
        filters = (self.open_param, None)

        def by_key(more: Params) -> Walk:
            listing = QontoListing(self, context, fetch, (*changes, *more), filters=filters)
            return changed_unsorted(listing, since)

        return self.accepted(
            lambda: by_key(()),
            *self.smaller(by_key),
            lambda: counted(QontoListing(self, context, fetch, (*changes, ("sort_by", "")))),
            lambda: whole(QontoListing(self, context, fetch)),
            lambda: counted(QontoListing(self, context, fetch, BARE)),
        )


class RecentFirstStream(QontoStream):
    """Precondition: the order is fixed, the latest value of the replication key first.

    `again` is how far before the bookmark rows are read once more, where they can still change
    without moving to the front. With `since_param`, the API is asked for what changed; the order
    may then be that of `created_at` too.
    """

    replication_key = "updated_at"
    again = timedelta(0)
    missed = "Deletions."

    def walk(self, context: Mapping[str, t.Any], fetch: Fetch, since: datetime | None) -> Walk:
        """Read from the newest row to the bookmark, and `again` further."""
        changes: Params = ()
        if since and self.since_param:
            changes = ((self.since_param, timestamp(since - SECOND)),)
        since = since - self.again if since else None

        def listing(more: Params, field: str | None) -> QontoListing:
            found = QontoListing(self, context, fetch, more)
            found.sort_field, found.is_descending = field or "", True
            return found

        def filtered(field: str | None) -> Walk:
            return changed_unsorted(listing(changes, field), since)

        def newest(more: Params = ()) -> Walk:
            return newest_first(listing(more, self.replication_key), since)

        fields = ("created_at", self.replication_key) if self.since_param else ()
        return self.accepted(
            *(functools.partial(filtered, field) for field in fields),
            newest,
            *self.smaller(newest),
            lambda: counted(QontoListing(self, context, fetch, BARE)),
        )


class CreatedStream(UpdatedStream):
    """Precondition: `created_at` can be filtered and sorted; changes can't be asked for.

    The bookmark stays at or before the oldest row that is still open, so that a row is read
    again until it is settled.
    """

    replication_key = "created_at"
    since_param: str | None = "filter[created_at_from]"
    until_param: str | None = "filter[created_at_to]"
    params: t.ClassVar[Mapping[str, str | tuple[str, ...]]] = {"sort_by": "created_at:asc"}
    apart_by = ""
    open_field = "status"
    open_values: Collection[str | None] = ()

    def walk(self, context: Mapping[str, t.Any], fetch: Fetch, since: datetime | None) -> Walk:
        """Read what was created since the oldest row that was open."""
        walk = self.changed(context, fetch, since)
        return held_back(walk, self.key, lambda row: row.get(self.open_field) in self.open_values)


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
        statuses = self.run.settings.transaction_statuses
        known = self.bookmark_notes(context).get("statuses", statuses)
        if since and (new := tuple(one for one in statuses if one not in known)):
            for rows, _ in self._of_statuses(context, fetch, self.run.settings.start_date, new):
                yield Records(rows)
        return (yield from self._of_statuses(context, fetch, since, statuses))

    def notes(self) -> dict[str, t.Any]:
        """What a bookmark says besides its moment: which statuses were read."""
        return {"statuses": [*self.run.settings.transaction_statuses]}

    def _of_statuses(
        self,
        context: Mapping[str, t.Any],
        fetch: Fetch,
        since: datetime | None,
        statuses: tuple[str, ...],
    ) -> Walk:
        account = {"bank_account_id": context["bank_account_id"]}
        if len(statuses) > 1 and not self._are_together(context, fetch, statuses):
            walks = [
                self.changed(
                    context,
                    fetch.branch(len(statuses)),
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
            if self._together is None and self._tries < TRIES:
                self._tries += 1
                self._together = self._seen_together(context, fetch, statuses)
            return bool(self._together)

    def _seen_together(
        self, context: Mapping[str, t.Any], fetch: Fetch, statuses: tuple[str, ...]
    ) -> bool | None:
        """Proven by rows of two statuses, or by counts that add up; None: this account is silent.

        The sort leaves it open which rows come first: the counts decide where all are alike.
        """
        account = ("bank_account_id", context["bank_account_id"])

        def first(*asked: str) -> Page:
            listing = QontoListing(self, context, fetch, (account, ("status[]", asked)))
            return ask(listing, Query(size=listing.size))

        try:
            page = first(*statuses)
            if len({row.get("status") for row in page.rows} & {*statuses}) > 1:
                return True
            if not page.rows or page.total is None:
                return None
            totals = [first(status).total for status in statuses]
        except RequestRejected:
            return False
        if None in totals or sum(map(bool, totals)) < 2:  # noqa: PLR2004 - one tells nothing
            return None
        return sum(filter(None, totals)) == page.total


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
        return t.cast("QontoStream", self._tap.streams[self._parent_facts["stream"]])

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

    def expected(self, row: Record) -> int | None:  # noqa: ARG002
        """How many rows hang on a parent row, if it tells."""
        return None

    def walk(self, context: Mapping[str, t.Any], fetch: Fetch, since: datetime | None) -> Walk:
        """Read the lists of all parent rows, several ahead."""
        del since
        of = self._parent_facts
        asked, gone = 0, []
        for batch in self.parent.walk(context, fetch.branch(), since=None):
            lists = [
                QontoListing(
                    self,
                    context,
                    fetch.branch(),
                    (("{" + of["param"] + "}", row[of["from"]]),),
                    given={of["property"]: row[of["from"]]},
                    expected=self.expected(row),
                )
                for row in batch.rows
                if self.wanted(row)
            ]
            upcoming = deque(lists)
            for listing in lists:
                while upcoming and upcoming[0].ahead(Query(size=upcoming[0].size)):
                    upcoming.popleft()
                if upcoming and upcoming[0] is listing:
                    upcoming.popleft()
                asked += 1
                try:
                    yield from whole(listing) if listing.sort_field else counted(listing)
                except RequestDenied as error:
                    if error.status != NOT_FOUND:
                        raise
                    gone.append(error)
        if gone and len(gone) == asked:
            raise gone[0]
        if gone:
            self.logger.info("%d rows were deleted while %s was read.", len(gone), self.name)
        return None


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
            parent = t.cast("PerCurrencyStream", self._tap.streams["international_currencies"])
            walk = parent.walk(context, fetch.branch(), None)
            currencies = {row["currency_code"] for batch in walk for row in batch.rows}
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
                yield from counted(listing)
            except RequestRejected as error:  # Q43
                rejected[currency] = error
        for currency, rejection in rejected.items():
            if len(rejected) == len(lists):
                raise rejection
            lists[currency].warn(f"Qonto does not accept the currency {currency} here (422)")
        return None


class SearchStream(QontoStream):
    """Precondition: the list is read with POST; page and size are in the JSON body (Q44)."""

    search: t.ClassVar[Mapping[str, t.Any]]

    def request(self, organization_id: str, query: Query, extra: Params = ()) -> Request:
        """Put the page into the body."""
        size = {"per_page": query.size} if ("per_page", "") not in extra else {}
        paging = {"page": query.number, **size}
        body = msgspec.json.encode({**self.search, "pagination": paging})
        return Request(self.name, organization_id, self.path, (), "POST", body)
