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
from tap_qonto.pagination.pages import Query, Records
from tap_qonto.pagination.readers import (
    changed,
    changed_unsorted,
    held_back,
    merged,
    newest_first,
    whole,
)
from tap_qonto.streams.client import Params, QontoStream

if t.TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from datetime import datetime

    from singer_sdk.helpers.types import Record

    from tap_qonto.api.prefetch import Fetch
    from tap_qonto.pagination.readers import Walk


NOT_FOUND = 404


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

    Where the API refuses sort or filter (Q32-Q34), it falls back to a stable order, then to the
    whole list: correct each time, only slower.
    """

    replication_key = "updated_at"
    since_param: str | None = "updated_at_from"
    until_param: str | None = "updated_at_to"
    params: t.ClassVar[Mapping[str, str | tuple[str, ...]]] = {"sort_by": "updated_at:asc"}
    missed = "Deletions."
    _refused = 0

    def walk(self, context: Mapping[str, t.Any], fetch: Fetch, since: datetime | None) -> Walk:
        """Read what changed since the bookmark, in the best way that the API accepts."""
        ways: tuple[Callable[[], Walk], ...] = (
            lambda: changed(self.listing(context, fetch), since),
            lambda: changed_unsorted(
                self.listing(context, fetch, (("sort_by", "created_at:asc"),)),
                since,
            ),
            lambda: whole(self.listing(context, fetch, (("sort_by", "created_at:asc"),))),
            lambda: whole(self.listing(context, fetch, (("sort_by", ""),))),
        )
        for number, way in enumerate(ways):
            if number < self._refused:
                continue
            try:
                upto = yield from way()
            except RequestRejected as error:
                if number + 1 == len(ways):
                    raise
                self.logger.debug("%s Reading in another way.", error)
            else:
                if number > self._refused:
                    self._refused = number
                    self.logger.warning("Qonto refuses how %s is asked: slower now.", self.name)
                return upto
        return None


class UpdatedAnyOrderStream(QontoStream):
    """Precondition: `updated_at` can be filtered, and rows come in another, stable order."""

    replication_key = "updated_at"
    missed = "Deletions."

    def walk(self, context: Mapping[str, t.Any], fetch: Fetch, since: datetime | None) -> Walk:
        """Read what changed since the bookmark, which moves at the end only."""
        return changed_unsorted(self.listing(context, fetch), since)


class RecentFirstStream(QontoStream):
    """Precondition: the order is fixed, the latest value of the replication key first.

    `again` is how far before the bookmark rows are read once more, where they can still change
    without moving to the front.
    """

    replication_key = "updated_at"
    again = timedelta(0)
    missed = "Deletions."

    def walk(self, context: Mapping[str, t.Any], fetch: Fetch, since: datetime | None) -> Walk:
        """Read from the newest row to the bookmark, and `again` further."""
        return newest_first(self.listing(context, fetch), since - self.again if since else None)


class CreatedStream(QontoStream):
    """Precondition: `created_at` can be filtered and sorted; changes can't be asked for.

    The bookmark stays at or before the oldest row that is still open, so that a row is read
    again until it is settled.
    """

    replication_key = "created_at"
    since_param: str | None = "filter[created_at_from]"
    until_param: str | None = "filter[created_at_to]"
    params: t.ClassVar[Mapping[str, str | tuple[str, ...]]] = {"sort_by": "created_at:asc"}
    open_field = "status"
    open_values: Collection[str | None] = ()

    def walk(self, context: Mapping[str, t.Any], fetch: Fetch, since: datetime | None) -> Walk:
        """Read what was created since the oldest row that was open."""
        walk = changed(self.listing(context, fetch), since)
        return held_back(walk, self.key, lambda row: row.get(self.open_field) in self.open_values)


class PerAccountStream(UpdatedStream):
    """Precondition: rows are listed per bank account and, surely, for one status at a time.

    One partition per account (Q27), closed ones included; one list per status (Q24-Q26), merged
    by `updated_at` so that a run can stop and go on at any row.
    """

    needs_accounts = True

    def contexts(self) -> list[dict[str, t.Any]]:
        """One per account of each organization; an organization that can't be read is reported."""
        result = []
        for organization_id in self.run.organizations.ids():
            try:
                accounts = self.run.organizations.accounts(organization_id)
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
        """Read what changed in one account."""
        account = {"bank_account_id": context["bank_account_id"]}
        return merged(
            [
                self.listing(
                    context, fetch.branch(), (*account.items(), ("status[]", status)), account
                )
                for status in self.run.settings.transaction_statuses
            ],
            since,
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

    def walk(self, context: Mapping[str, t.Any], fetch: Fetch, since: datetime | None) -> Walk:
        """Read the lists of all parent rows, several ahead."""
        del since
        of = self._parent_facts
        asked, gone = 0, []
        for batch in self.parent.walk(context, fetch.branch(), since=None):
            parents = [row[of["from"]] for row in batch.rows if self.wanted(row)]
            lists = [
                self.listing(
                    context,
                    fetch.branch(),
                    (("{" + of["param"] + "}", parent),),
                    {of["property"]: parent},
                )
                for parent in parents
            ]
            upcoming = deque(lists)
            for listing in lists:
                while upcoming and upcoming[0].ahead(Query(size=upcoming[0].size)):
                    upcoming.popleft()
                if upcoming and upcoming[0] is listing:
                    upcoming.popleft()
                asked += 1
                try:
                    yield from whole(listing)
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
        lists = {
            currency: self.listing(context, fetch.branch(), ((self.currency_param, currency),))
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
        return None


class SearchStream(QontoStream):
    """Precondition: the list is read with POST; page and size are in the JSON body (Q44)."""

    search: t.ClassVar[Mapping[str, t.Any]]

    def request(self, organization_id: str, query: Query, extra: Params = ()) -> Request:
        """Put the page into the body."""
        del extra
        paging = {"page": query.number, "per_page": query.size}
        body = msgspec.json.encode({**self.search, "pagination": paging})
        return Request(self.name, organization_id, self.path, (), "POST", body)
