"""QontoStream: from a declaration to requests, records and bookmarks.

A stream declares facts (`name`, `path`, query parameters); the contract adds what it knows (keys,
schema, scopes, envelope, page size). Each partition is read by a walk that runs ahead on a thread,
while the records leave, in order, through the SDK: see `sync.stream`.
"""

from __future__ import annotations

import typing as t
from operator import itemgetter
from types import MappingProxyType
from urllib.parse import quote

from singer_sdk.schema.source import StreamSchema

from tap_qonto.api.contract import CONTRACT, UNKNOWN_FIELDS, derived_facts, endpoints, row_facts
from tap_qonto.api.responses import Request, is_error
from tap_qonto.errors import RequestDenied, RequestFailed, RequestRejected
from tap_qonto.pagination.pages import Listing, Observed, Page, Query
from tap_qonto.pagination.readers import whole
from tap_qonto.settings import STATUSES
from tap_qonto.streams.meta import page_of
from tap_qonto.streams.ways import apart, first_accepted
from tap_qonto.sync.moments import moment_of, timestamp
from tap_qonto.sync.rows import row_shaper
from tap_qonto.sync.stream import PartitionedStream

if t.TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
    from datetime import datetime

    from singer_sdk.helpers.types import Record

    from tap_qonto.api.prefetch import Fetch
    from tap_qonto.pagination.pages import Walk
    from tap_qonto.streams.ways import Way
    from tap_qonto.sync.fit import Kind

Params = tuple[tuple[str, t.Any], ...]
PLACE = frozenset({"organization_id", UNKNOWN_FIELDS})  # what every row has
USUAL = 100  # rows of a page that every list takes
PLAIN: Params = (("sort_by", ""), ("includes[]", ""))
BARE: Params = (*PLAIN, ("per_page", ""))


class QontoStream(PartitionedStream):
    """A list of each organization, read whole at every run. Others refine it: `bases`."""

    path: str
    """As in the contract, from `/v2`."""
    params: t.ClassVar[Mapping[str, str | tuple[str, ...]]] = {}
    """Query parameters sent with every request, an order (`sort_by`) among them."""
    since_param: str | None = None
    until_param: str | None = None
    """Names of the filters on the replication key, where the endpoint has them."""
    derived_from: str | None = None
    """The contract's stream that this one is made of, if it is not one itself."""
    missed: str = "Nothing: every run reads the whole list."
    """What an incremental run can miss, for the documentation."""

    schema = StreamSchema(CONTRACT)

    def __init__(self, tap: t.Any) -> None:
        source = self.derived_from or self.name
        endpoint = endpoints()[source]
        super().__init__(tap)
        facts = derived_facts(self.schema) if self.derived_from else row_facts(source)
        if self.derived_from is None:
            self.primary_keys = endpoint.primary_keys
        self.scopes = endpoint.scopes
        self.envelope = endpoint.envelope
        self.http_method = endpoint.method
        self.is_paged = endpoint.pagination["style"] != "none"
        self.page_size: int = endpoint.pagination.get("max-size") or USUAL
        self.known_fields = facts.known
        self.observed = Observed()
        self._shape = row_shaper(facts, self._tell)
        own = [key for key in self.primary_keys if key != "organization_id"]
        self.identity: Callable[[Record], Hashable] = itemgetter(*own) if own else lambda _: None
        """What tells a row from the others of its organization, if anything does."""

    def doubts(self) -> Iterator[str]:
        """Yield why rows that did not come may not be gone."""
        yield from super().doubts()
        chosen = self.run.settings.transaction_statuses
        if self.path.startswith("/v2/transactions") and not {*STATUSES}.issubset(chosen):
            yield "transaction_statuses selects some of the transactions"

    # -- reading ---------------------------------------------------------------------------

    def read(self, context: Mapping[str, t.Any], fetch: Fetch) -> Walk:
        """Walk over one partition; runs on any thread."""
        organization_id, organizations = context["organization_id"], self.run.organizations
        if organizations.is_revoked(organization_id):
            raise RequestDenied(
                f"{self.name} of organization {organization_id}",
                "no longer in the consent. If it should be: tap-qonto-auth login",
                403,
            )
        try:
            yield from self.walk(context, fetch, self.since(context))
        except RequestDenied as error:
            organizations.refused(error, organization_id)
            raise
        organizations.answered(organization_id)

    def lacks_scope(self) -> bool:
        """Try with one organization: a refusal that names a scope holds for all of them."""
        ids = self.run.organizations.ids()
        try:
            if ids and "{" not in self.path:
                self.run.transport.send(self.request(ids[0], Query(size=1)))
        except RequestDenied as error:
            return error.lacks_scope
        except (RequestRejected, RequestFailed):
            return False
        return False

    def walk(
        self,
        context: Mapping[str, t.Any],
        fetch: Fetch,
        since: datetime | None,  # noqa: ARG002 - for the incremental kinds
    ) -> Walk:
        """Yield the records of one partition, and its bookmark with them. Bases override this."""
        return self.whole(context, fetch)

    def whole(
        self,
        context: Mapping[str, t.Any],
        fetch: Fetch,
        extra: Params = (),
        **facts: t.Any,
    ) -> Walk:
        """Read a whole list, `extra` parameters choose a part of it."""

        def listing(more: Params = ()) -> QontoListing:
            return QontoListing(self, context, fetch, (*extra, *more), **facts)

        return self.accepted(
            lambda: whole(listing()),
            *self.smaller(lambda more: whole(listing(more))),
            lambda: whole(listing(BARE)),
        )

    def accepted(self, *ways: Way) -> Walk:
        """Read in the first of `ways` that Qonto accepts; the last is the plainest."""
        return first_accepted(ways, self.observed, self._tell_slower)

    def smaller(self, way: Callable[[Params], Walk]) -> Iterator[Way]:
        """The same with pages of the usual size and without `includes[]`, where that differs."""
        if self.page_size > USUAL:
            yield lambda: way((("per_page", USUAL),))
        if "includes[]" in self.params:
            yield lambda: way((("includes[]", ""),))

    def _tell_slower(self) -> None:
        self.logger.warning("Qonto refuses how %s is asked: asking in a plainer way.", self.name)

    def request(self, organization_id: str, query: Query, extra: Params = ()) -> Request:
        """Make the request for one page. `extra` goes over `params`; `{name}` is for the path."""
        path = self.path
        params: dict[str, t.Any] = dict(self.params)
        if self.is_paged:
            params |= {"page": str(query.number), "per_page": str(query.size)}
        for name, value in extra:
            if name.startswith("{"):
                path = path.replace(name, quote(value, safe=""))
            else:
                params[name] = value
        pairs = tuple(
            (name, value)
            for name, values in params.items()
            for value in ((values,) if isinstance(values, str) else values)
            if value
        )
        return Request(self.name, organization_id, path, pairs)

    def rows_of(self, body: t.Any) -> list[Record]:
        """Unwrap the rows of a response: under the envelope, under another name, or bare (Q69)."""
        rows = body.get(self.envelope) if isinstance(body, dict) else body
        if rows is None and isinstance(body, dict) and not is_error(body):
            lists = [value for value in body.values() if isinstance(value, list)]
            rows = lists[0] if len(lists) == 1 else None
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise RequestFailed(f"{self.name}: the response is not the list it should be")
        return rows

    def shaped(self, body: t.Any, organization_id: str, given: Mapping[str, t.Any]) -> list[Record]:
        """The records of a response, as the schema promises them.

        `given` are values that rows get which lack them: the parent's id (Q79).
        """
        rows = self.rows_of(body)
        for name, value in given.items():
            for row in rows:
                if row.get(name) is None:
                    row[name] = value
        rows = [self._shape(row, organization_id) for row in rows]
        self._look_for_keys(rows, given)
        return rows

    def key(self, row: Record, field: str | None = None) -> datetime | None:
        """A moment of a row: the replication key, or another `field` that lists are sorted by."""
        name = field or self.replication_key
        return moment_of(row.get(name)) if name else None

    def _tell(self, kind: Kind, field: str) -> None:
        self.run.report.field(self.name, kind, field)

    def _look_for_keys(self, rows: list[Record], given: Iterable[str] = ()) -> None:
        """Note if rows lack their key: they are set aside when the others leave.

        They stay in the page until then, since pages are judged by how many rows they have. Rows
        of which nothing is known but what was `given` are no rows.
        """
        for name in self.primary_keys:
            if None in [row.get(name) for row in rows]:
                unsaid = PLACE.union(given)
                if all(row[one] is None for row in rows for one in row.keys() - unsaid):
                    raise RequestFailed(f"{self.name}: the response is not the list it should be")
                self.has_keyless = True
                for row in rows:
                    row.setdefault(name, None)


class QontoListing(Listing):
    """A list of one partition: its pages are requests with the header of its organization.

    The way of an organization id: `context` → `Request.organization_id` → `Transport`, which sets
    `X-Qonto-Organization-Id`.
    """

    def __init__(  # noqa: PLR0913 - how it is asked, and what is known of it
        self,
        stream: QontoStream,
        context: Mapping[str, t.Any],
        fetch: Fetch,
        extra: Params = (),
        *,
        given: Mapping[str, t.Any] = MappingProxyType({}),
        filters: tuple[str | None, str | None] = (None, None),
        apart_by: str | None = None,
        expected: int | None = None,
    ) -> None:
        """`filters`: names of the bounds on the key that the list is sorted by.

        `apart_by`: the field by which rows of one key are told apart.
        """
        self._stream, self._context, self._fetch = stream, context, fetch
        self._organization_id: str = context["organization_id"]
        self._extra, self._given, self._filters = extra, given, filters
        self._apart_by = apart_by
        asked = {**stream.params, **dict(extra)}
        self.sort_field, _, direction = str(asked.get("sort_by") or "").partition(":")
        self.is_sorted = bool(self.sort_field)
        self.is_descending = direction == "desc"
        self.can_open = filters[0] is not None
        self.observed, self.expected = stream.observed, expected
        sizes = (stream.page_size, asked.get("per_page"), self.observed.size)
        self.size = min(filter(None, sizes))
        self._is_bare = asked.get("per_page") == ""

    def request(self, query: Query) -> Request:
        """Make the request for one page."""
        extra = self._extra if self._is_bare else (*self._extra, ("per_page", str(query.size)))
        if query.since and self._filters[0]:
            extra = (*extra, (self._filters[0], timestamp(query.since)))
        return self._stream.request(self._organization_id, query, extra)

    def page(self, query: Query) -> Page:
        """Ask for one page; its rows are shaped."""
        stream, response = self._stream, self._fetch(self.request(query))
        body = response.body
        rows = stream.shaped(body, self._organization_id, self._given)
        if not stream.is_paged:
            return Page(rows, len(rows), is_last=True, date=response.date)  # all there is
        meta = body.get("meta") if isinstance(body, dict) else None
        return page_of(rows, meta, query, response.date)

    def ahead(self, query: Query) -> bool:
        """Send the request for a page ahead of need."""
        return self._fetch.ahead(self.request(query))

    def is_here(self, query: Query) -> bool:
        """Has the response to a page that was asked for ahead come, and is it none of an error?"""
        return self._fetch.is_here(self.request(query))

    def forget(self) -> None:
        """Drop what this list sent ahead."""
        self._fetch.forget()

    def identity(self, row: Record) -> Hashable:
        """The key of a row within its organization."""
        return self._stream.identity(row)

    def key(self, row: Record) -> datetime | None:
        """The moment that the list is sorted by."""
        return self._stream.key(row, self.sort_field)

    def apart(self, since: datetime, until: datetime) -> Walk:
        """Send for the rows whose key lies between, and read them: by another key, or by count."""
        return apart(self._within, since, until, self._apart_by)

    def _within(self, since: datetime, until: datetime | None, field: str | None) -> QontoListing:
        bounds = zip(self._filters, (since, until), strict=True)
        extra = {name: timestamp(bound) for name, bound in bounds if name and bound}
        if field:
            extra["sort_by"] = f"{field}:asc"
        found = QontoListing(
            self._stream,
            self._context,
            self._fetch.branch(),
            (*self._extra, *extra.items()),
            given=self._given,
        )
        found.is_sorted, found.grows = bool(field), False
        found.expected = found.size + 1  # or more: they are read apart where a page can't hold them
        return found

    def warn(self, text: str) -> None:
        """Say something about this list, for the log and the closing table."""
        self._stream.run.report.warned(self._stream.name, self._organization_id, text)
