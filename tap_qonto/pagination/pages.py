"""A list of Qonto as its readers see it: ask for a page, get records, a count and a date."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from tap_qonto.errors import RequestDenied, RequestRejected

if t.TYPE_CHECKING:
    from collections.abc import Generator, Hashable, Sequence

Row = dict[str, t.Any]

MARGIN = timedelta(minutes=10)
"""What becomes visible later than this after its timestamp can be missed."""
SECOND = timedelta(seconds=1)
DEPTH = 9_000
"""Rows of a window at most: behind 10,000 search engines give none."""

Walk: t.TypeAlias = "Generator[Records, None, datetime | None]"


class Unsorted(Exception):  # noqa: N818 - what the list is
    """The list can't be read by its key: rows lack it, or come in no order, or too fast."""


class Ignored(Unsorted):
    """The list has rows below the lower bound that was asked for (Q33)."""


class Query(t.NamedTuple):
    """One page: a lower bound on the sort key (UTC, optional), number from 1, and size."""

    since: datetime | None = None
    number: int = 1
    size: int = 100

    @property
    def start(self) -> int:
        """The place of the first row, from 0."""
        return (self.number - 1) * self.size

    @property
    def end(self) -> int:
        """The place after the last row."""
        return self.number * self.size


class Page(t.NamedTuple):
    """One response. `total` is the count of the whole list, `date` the server's clock, if told."""

    rows: list[Row]
    total: int | None
    is_last: bool | None
    """None: the response does not tell, or tells what does not fit its rows."""
    date: datetime | None
    keys: Sequence[datetime | None] = ()
    """The sort keys of the rows, if the list has one; filled in by `ask`, each read once."""


class Records(t.NamedTuple):
    """Records to hand over, and a moment: with them, every row up to it has been handed over."""

    rows: list[Row]
    upto: datetime | None = None


@dataclass
class Observed:
    """What was found out about an endpoint, shared by all partitions of a stream."""

    size: int | None = None
    """Rows of a full page, where fewer come than were asked for."""
    way: int = 0
    """Which of the ways to ask is the first that is accepted."""


class Listing:
    """A list of one partition: how to ask for a page, and what makes a row."""

    observed: Observed
    size: int = 100
    """Rows of a full page: what is asked for, or what came, if that was less."""
    is_sorted: bool = True
    """Is it asked for in the order of `key`?"""
    is_descending: bool = False
    grows: bool = True
    """Does the next run read what has a key later than the start of this one?"""
    can_open: bool = True
    """Does the list take a lower bound on its sort key?"""
    expected: int | None = None
    """How many rows another response has told of: that there are so many, or more than a page."""

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


def ask(listing: Listing, query: Query) -> Page:
    """Ask for a page and, if the list is sorted by them, read its keys.

    A refusal (400, 404, 422) of a page behind an accepted one is an empty page: the end of the
    list, or as far as it can be read.
    """
    try:
        page = listing.page(query)
    except (RequestRejected, RequestDenied) as error:
        if query.number == 1 or error.status not in {400, 404, 422}:
            raise
        return Page([], None, is_last=None, date=None)
    if query.number == 1 and len(page.rows) == listing.expected:
        page = page._replace(is_last=page.is_last is not False)
    return page._replace(keys=[*map(listing.key, page.rows)]) if listing.is_sorted else page


def is_last(listing: Listing, query: Query, page: Page) -> bool:
    """Does the list end with this page? Looks behind a short page where nothing tells.

    Notes the size of full pages where Qonto gives another number of rows than was asked for.
    """
    ends, length = page.is_last, len(page.rows)
    if ends is None and 0 < length < query.size:
        known = named(listing, page.rows)
        behind = named(listing, ask(listing, query._replace(number=query.number + 1)).rows)
        ends = not behind
        if ends and query.number == 1:  # or the page was cut, and a row has left in front
            ends = named(listing, ask(listing, query).rows).keys() == known.keys()
        if behind.keys() <= known.keys() and len(behind) >= len(known):  # numbers tell nothing
            if query.number > 1 or (page.total or 0) > length:
                return False
            third = ask(listing, query._replace(number=3))  # or as many rows came in front
            return named(listing, third.rows).keys() == known.keys()
    elif ends is None:
        ends = not page.rows and query.number == 1
    if ends and query.end > DEPTH and (page.total or 0) > query.start + length:
        return False  # as far as the list can be read
    if not ends and query.number == 1 and 0 < length != query.size:
        listing.size = listing.observed.size = length
    return ends


def named(listing: Listing, rows: list[Row]) -> dict[Hashable, Row]:
    """Return rows by what tells each from the others: all of it, if it has no identity."""
    found: dict[Hashable, Row] = {}
    for row in rows:
        name = listing.identity(row)
        lacks = name is None or (isinstance(name, tuple) and (not name or None in name))
        found[repr(row) if lacks else name] = row
    return found
