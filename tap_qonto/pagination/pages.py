"""A list of Qonto as its readers see it: ask for a page, get records, a count and a date."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from types import MappingProxyType

from tap_qonto.errors import RequestDenied, RequestRejected

if t.TYPE_CHECKING:
    from collections.abc import Generator, Hashable, Sequence

Row = dict[str, t.Any]
Walk: t.TypeAlias = "Generator[Records]"

SECOND = timedelta(seconds=1)
LATEST = datetime.max.replace(tzinfo=timezone.utc)
MARGIN = timedelta(minutes=10)  # what becomes visible later than this after its key can be missed
DEPTH = 9_000  # rows of a window at most: behind 10,000 search engines give none


class Unsorted(Exception):  # noqa: N818 - what the list is
    """The list can't be read by its key: rows lack it, or come in no order, or too fast."""


class Ignored(Unsorted):
    """The list has rows below the lower bound that was asked for (Q33)."""


class Query(t.NamedTuple):
    """One page: a lower bound on the sort key (UTC), number from 1, size; places of its rows."""

    since: datetime | None = None
    number: int = 1
    size: int = 100

    @property
    def start(self) -> int:  # noqa: D102
        return (self.number - 1) * self.size

    @property
    def end(self) -> int:  # noqa: D102
        return self.number * self.size


class Page(t.NamedTuple):
    """One response; `ask` fills in the keys, if the list is sorted, and the rows by identity."""

    rows: list[Row]
    total: int | None  # rows of the whole list, as it is counted
    is_last: bool | None  # None: nothing tells, or what tells does not fit the rows
    date: datetime | None  # the server's clock, if told
    keys: Sequence[datetime | None] = ()
    named: t.Mapping[Hashable, Row] = MappingProxyType({})


class Records(t.NamedTuple):
    """Records to hand over, and a moment: with them, every row up to it has been handed over."""

    rows: list[Row]
    upto: datetime | None = None


@dataclass
class Observed:
    """What was found out about an endpoint, shared by all partitions of a stream."""

    size: int | None = None  # rows of a full page, where fewer come than were asked for
    way: int = 0  # which of the ways to ask is the first that is accepted


class Listing:
    """A list of one partition: how to ask for a page, and what makes a row."""

    observed: Observed
    size: int = 100  # rows of a full page: what is asked for, or what came, if that was less
    is_sorted: bool = True  # is it asked for in the order of `key`?
    is_descending: bool = False
    grows: bool = True  # does the next run read what has a key later than the start of this one?
    can_open: bool = True  # does the list take a lower bound on its sort key?
    expected: int | None = None  # rows, as another response told; or more than a page, if more

    def page(self, query: Query) -> Page:
        """Ask for one page, now. Raises what `Transport.send` raises."""
        raise NotImplementedError

    def ahead(self, query: Query) -> bool:  # noqa: ARG002
        """Ask for a page ahead of need; False when no more can be sent ahead."""
        return False

    def is_here(self, query: Query) -> bool:  # noqa: ARG002
        """Has the response to a page that was asked for ahead come, and is it none of an error?"""
        return False

    def forget(self) -> None:
        """Drop what was asked ahead."""

    def identity(self, row: Row) -> Hashable:
        """What tells a row from all others; None, or a tuple with None, if nothing does."""
        return t.cast("Hashable", row.get("id"))

    def key(self, row: Row) -> datetime | None:  # noqa: ARG002
        """The row's value of the sort key, in UTC; None if it has none."""
        return None

    def apart(self, since: datetime, until: datetime) -> Walk:
        """Send for the rows whose key lies between, and read them: by another key, or by count."""
        raise NotImplementedError

    def now(self) -> datetime:
        """Our own clock, in UTC."""
        return datetime.now(timezone.utc)

    def warn(self, text: str) -> None:
        """Say something about this list, for the log and the closing table."""

    def ask(self, query: Query) -> Page:
        """Ask for a page; a refusal (400, 404, 422) behind an accepted one is as far as it goes."""
        try:
            page = self.page(query)
        except (RequestRejected, RequestDenied) as error:
            if query.number == 1 or error.status not in {400, 404, 422}:
                raise
            return Page([], None, is_last=None, date=None)
        if query.number == 1 and len(page.rows) == self.expected:
            page = page._replace(is_last=page.is_last is not False)
        keys = [*map(self.key, page.rows)] if self.is_sorted else ()
        return page._replace(keys=keys, named=self.named(page.rows))

    def is_last(self, query: Query, page: Page) -> bool:
        """Does the list end with this page? Looks behind a short page where nothing tells.

        Notes the size of full pages where Qonto gives another number of rows than was asked for.
        """
        ends, length = page.is_last, len(page.rows)
        if ends is None:
            ends = not page.rows and query.number == 1
            if 0 < length < query.size:
                known = page.named.keys()
                behind = self.ask(query._replace(number=query.number + 1)).named.keys()
                if behind == known:  # numbers tell nothing, or as many rows came in front
                    is_all = query.number == 1 and (page.total or 0) <= length
                    return is_all and self.ask(query._replace(number=3)).named.keys() == known
                ends = not behind
                if ends:  # or the page was cut, and a row has left in front
                    ends = self.ask(query).named.keys() == known
        if ends and query.end > DEPTH and (page.total or 0) > query.start + length:
            return False  # as far as the list can be read
        if not ends and query.number == 1 and 0 < length != query.size:
            self.size = self.observed.size = length
        return ends

    def named(self, rows: list[Row]) -> dict[Hashable, Row]:
        """Return rows by what tells each from the others: all of it, if it has no identity."""
        found: dict[Hashable, Row] = {}
        for row in rows:
            name = self.identity(row)
            lacks = name is None or (isinstance(name, tuple) and (not name or None in name))
            found[repr(row) if lacks else name] = row
        return found
