"""Bases of streams: one for each way in which Qonto lets a list be asked for changes.

QontoStream            the whole list, at every run                         (client.py)
OneRowStream           one object per organization
UpdatedStream          filter and sort on updated_at: incremental, resumable
UpdatedAnyOrderStream  filter on updated_at without that sort: bookmark at the end
RecentFirstStream      fixed order, newest first: incremental by stopping early
CreatedStream          filter on created_at only: reads again from the oldest row still open
SearchStream           a list that is read with POST

Those with a list per account, per row of a parent, or per currency are in `nested`.
"""

from __future__ import annotations

import functools
import typing as t
from datetime import timedelta

import msgspec

from tap_qonto.api.responses import Request, is_error
from tap_qonto.errors import (
    RequestFailed,
)
from tap_qonto.pagination.pages import SECOND, Query, Records
from tap_qonto.pagination.readers import (
    changed,
    changed_unsorted,
    held_back,
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


class OneRowStream(QontoStream):
    """Precondition: the body is one object, in its envelope or bare (both are accepted)."""

    def walk(self, context: Mapping[str, t.Any], fetch: Fetch, since: datetime | None) -> Walk:
        """Read the row."""
        del since
        body = fetch(self.request(context["organization_id"], Query())).body
        if is_error(body):
            raise RequestFailed(f"{self.name}: Qonto answers 200 with an error in place of the row")
        yield Records([self.one_row(self.row_of(body), context["organization_id"])])

    def row_of(self, body: t.Any) -> t.Any:
        """Unwrap the row of a response; it may be none."""
        return body.get(self.envelope, body) if isinstance(body, dict) else None

    def one_row(self, row: t.Any, organization_id: str) -> Record:
        """Check and shape the row: an object in which something is known."""
        if not isinstance(row, dict) or row.keys().isdisjoint(self.known_fields):
            raise RequestFailed(f"{self.name}: the response is not the object it should be")
        shaped: Record = self._shape(row, organization_id)
        self._look_for_keys([shaped])
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
            lambda: whole(listing(*changes, ("sort_by", ""))),
            lambda: whole(listing(created)),
            lambda: whole(listing(*BARE)),
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
            lambda: whole(QontoListing(self, context, fetch, (*changes, ("sort_by", "")))),
            lambda: whole(QontoListing(self, context, fetch)),
            lambda: whole(QontoListing(self, context, fetch, BARE)),
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

        def listing(more: Params, field: str) -> QontoListing:
            found = QontoListing(self, context, fetch, more)
            found.sort_field, found.is_sorted, found.is_descending = field, True, True
            return found

        def filtered(field: str) -> Walk:
            return changed_unsorted(listing(changes, field), since)

        def newest(more: Params = ()) -> Walk:
            return changed(listing(more, self.replication_key), since)

        fields = ("created_at", self.replication_key) if self.since_param else ()
        return self.accepted(
            *(functools.partial(filtered, field) for field in fields),
            newest,
            *self.smaller(newest),
            lambda: whole(QontoListing(self, context, fetch, BARE)),
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


class SearchStream(QontoStream):
    """Precondition: the list is read with POST; page and size are in the JSON body (Q44)."""

    search: t.ClassVar[Mapping[str, t.Any]]

    def request(self, organization_id: str, query: Query, extra: Params = ()) -> Request:
        """Put the page into the body."""
        size = {"per_page": query.size} if ("per_page", "") not in extra else {}
        paging = {"page": query.number, **size}
        search = dict(self.search)
        if ("sort_by", "") in extra:
            search.pop("sort", None)
        body = msgspec.json.encode({**search, "pagination": paging})
        return Request(self.name, organization_id, self.path, (), "POST", body)
