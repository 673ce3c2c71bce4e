"""QontoStream: from a declaration to requests, rows and bookmarks.

A stream declares facts (`name`, `path`, query parameters); the contract adds what it knows (keys,
schema, scopes, envelope, page size). Each partition is read by a walk that runs ahead on a thread,
while the rows leave, in order, through the SDK: see `partitioned`.
"""

from __future__ import annotations

import functools
import typing as t
from operator import itemgetter
from types import MappingProxyType

from singer_sdk.schema.source import StreamSchema

from tap_qonto.api.contract import CONTRACT, endpoints, row_facts
from tap_qonto.api.responses import Request
from tap_qonto.errors import RequestDenied, RequestFailed
from tap_qonto.pagination.pages import Listing, Observed, Page, Query, page_of
from tap_qonto.pagination.readers import whole
from tap_qonto.sync.rows import moment_of, row_shaper, timestamp
from tap_qonto.sync.stream import PartitionedStream

if t.TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping
    from datetime import datetime

    from singer_sdk.helpers.types import Record

    from tap_qonto.api.prefetch import Fetch
    from tap_qonto.pagination.readers import Walk

Params = tuple[tuple[str, str], ...]


class QontoStream(PartitionedStream):
    """A list of each organization, read whole at every run. Other kinds refine it: `kinds`."""

    path: str
    """As in the contract, from `/v2`."""
    params: t.ClassVar[Mapping[str, str | tuple[str, ...]]] = {}
    """Query parameters sent with every request, a stable order (`sort_by`) among them."""
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
        endpoint, facts = endpoints()[source], row_facts(source)
        super().__init__(tap)
        if self.derived_from is None:
            self.primary_keys = endpoint.primary_keys
        self.scopes = endpoint.scopes
        self.envelope = endpoint.envelope
        self.http_method = endpoint.method
        self.is_paged = endpoint.pagination["style"] != "none"
        self.page_size: int = endpoint.pagination.get("max-size") or 100
        self.known_fields = facts.known
        self.observed = Observed()
        self._shape = row_shaper(facts, self._unreadable)
        own = [key for key in self.primary_keys if key != "organization_id"]
        self.identity: Callable[[Record], Hashable] = itemgetter(*own) if own else lambda _: None
        """What tells a row from the others of its organization, if anything does."""

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
            upto = yield from self.walk(context, fetch, self.since(context))
        except RequestDenied as error:
            organizations.refused(error, organization_id)
            raise
        organizations.answered(organization_id)
        return upto

    def walk(
        self,
        context: Mapping[str, t.Any],
        fetch: Fetch,
        since: datetime | None,  # noqa: ARG002 - for the incremental kinds
    ) -> Walk:
        """Yield the batches of one partition and return its bookmark. Kinds override this."""
        return whole(self.listing(context, fetch))

    def listing(
        self,
        context: Mapping[str, t.Any],
        fetch: Fetch,
        extra: Params = (),
        given: Mapping[str, str] = MappingProxyType({}),
    ) -> Listing:
        """Make the list of a partition: `extra` parameters choose a part of it.

        `given` are values that rows get which lack them: the parent's id (Q79).
        """
        organization_id = context["organization_id"]

        def request(query: Query) -> Request:
            return self.request(organization_id, query, extra)

        def page(query: Query) -> Page:
            answer = fetch(request(query))
            body = answer.body
            rows = self.rows_of(body)
            for name, value in given.items():
                for row in rows:
                    if row.get(name) is None:
                        row[name] = value
            rows = [self._shape(row, organization_id) for row in rows]
            self._require_keys(rows)
            if not self.is_paged:
                return Page(rows, len(rows), is_last=True, date=answer.date)  # all there is
            meta = body.get("meta") if isinstance(body, dict) else None
            return page_of(rows, meta, query, answer.date)

        return Listing(
            page=page,
            ahead=lambda query: fetch.ahead(request(query)),
            forget=fetch.forget,
            identity=self.identity,
            key=self.key,
            size=self.page_size,
            can_close=self.until_param is not None,
            observed=self.observed,
            warn=functools.partial(self.run.report.warned, self.name, organization_id),
        )

    def request(self, organization_id: str, query: Query, extra: Params = ()) -> Request:
        """Make the request for one page. `extra` may hold path parameters as `{name}`."""
        path = self.path
        params: dict[str, str | tuple[str, ...]] = dict(self.params)
        for name, value in extra:
            if name.startswith("{"):
                path = path.replace(name, value)
            else:
                params[name] = value
        for param, bound in ((self.since_param, query.since), (self.until_param, query.until)):
            if param and bound:
                params[param] = timestamp(bound)
        if self.is_paged:
            params |= {"page": str(query.number), "per_page": str(query.size)}
        pairs = tuple(
            (name, value)
            for name, values in params.items()
            for value in ((values,) if isinstance(values, str) else values)
            if value
        )
        return Request(self.name, organization_id, path, pairs)

    def rows_of(self, body: t.Any) -> list[Record]:
        """Unwrap the rows of an answer: under the envelope, under another name, or bare (Q69)."""
        rows = body.get(self.envelope) if isinstance(body, dict) else body
        if rows is None and isinstance(body, dict) and "errors" not in body:
            lists = [value for value in body.values() if isinstance(value, list)]
            rows = lists[0] if len(lists) == 1 else None
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise RequestFailed(f"{self.name}: the answer is not the list it should be")
        return rows

    def key(self, row: Record) -> datetime | None:
        """The replication key of a row."""
        return moment_of(row.get(self.replication_key)) if self.replication_key else None

    def _unreadable(self, field: str) -> None:
        self.run.report.unreadable(self.name, field)

    def _require_keys(self, rows: list[Record]) -> None:
        for name in self.primary_keys:
            if None in [row.get(name) for row in rows]:
                raise RequestFailed(f"{self.name}: a row came without its key ({name})")
