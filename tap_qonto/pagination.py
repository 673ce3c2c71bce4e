"""Reading lists page by page without losing a row while they change.

Why it is correct
-----------------
*One page is a snapshot.* A list that fits in one answer needs nothing else.

*Page numbers are not.* When a row leaves a list, every later row moves one place forward, across
the border between two pages. Two facts are proof that none did:

1. **The witness.** In a list with a stable order, in which rows may leave, or move to the end,
   but never come in before a row already read: if a page begins with a row that was read before,
   then nothing lies unseen between what was read and this page. (All that followed that row was
   read up to a row; what follows now is a part of the same, then the unread rest, in the same
   order.) A page that begins with an unknown row proves nothing: step back and read again.
   Pages are made to overlap by choosing a page size whose border falls before the end of what
   was read, or by beginning the next request at the last timestamp read.
2. **The count.** In a *closed window* (an upper bound on the sort key that lies in the past)
   rows only leave, since every change sets `updated_at` to now. Its count can only fall. If two
   answers name the same count, nothing left between them, in whatever order they arrived: the
   pages of one count are one snapshot and may be read in parallel, at full size.

`changed` reads a closed window in parallel as long as the count stands still, and goes on from a
witness when it fell. Whether the upper bound and the count can be trusted is asked of the API
once per stream and run; if not, it walks by key, one page after the other, and needs neither.

*Bookmarks.* What is returned, or handed over with a batch, is a moment up to which every row was
read: never later than the server's clock at the first answer, less `MARGIN`, and never later than
our own clock. The next run begins there: rows of the margin may come twice, none is missed, also
if a commit becomes visible a little after its timestamp, or if servers disagree about the time.
Lower bounds are sent one millisecond early: it does not matter whether Qonto includes them.
"""

from __future__ import annotations

import itertools
import typing as t
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

from tap_qonto.errors import RequestFailed

if t.TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

Row = dict[str, t.Any]

MARGIN = timedelta(seconds=60)
TICK = timedelta(milliseconds=1)
SLACK = 3  # rows of overlap asked for at first; doubled whenever they were not enough
MEMORY = 4  # pages whose rows are remembered as witnesses
NEVER = datetime.min.replace(tzinfo=timezone.utc)
PATIENCE = 100  # pages without a proof, one after the other, before a list counts as unreadable


class Query(t.NamedTuple):
    """One page of a list: bounds on the key (both in UTC, both optional), number and size."""

    since: datetime | None = None
    until: datetime | None = None
    number: int = 1
    size: int = 100


class Page(t.NamedTuple):
    """One answer. `total` is the count of the whole list, `date` the server's clock, if told."""

    rows: list[Row]
    total: int | None
    is_last: bool
    date: datetime | None


class Batch(t.NamedTuple):
    """Rows to emit, and a moment up to which every row has been handed over with them."""

    rows: list[Row]
    upto: datetime | None = None


@dataclass
class Trust:
    """What was found out about a list of the API, shared by all partitions of a stream."""

    closes: bool | None = None
    """Is the upper bound honoured, and the count right? None: not asked yet."""
    filters: bool = True
    """Is the lower bound honoured?"""


@dataclass
class Listing:
    """A list of one partition: how to ask for a page, and what makes a row."""

    page: Callable[[Query], Page]
    """Ask for one page, now. Raises what `Transport.send` raises."""
    ahead: Callable[[Query], bool] = lambda _: False
    """Ask for a page ahead of need; False when no more can be sent ahead."""
    forget: Callable[[], None] = lambda: None
    """Drop what was asked ahead."""
    identity: Callable[[Row], t.Hashable] = lambda row: row.get("id")
    """What tells a row from all others of the list."""
    key: Callable[[Row], datetime | None] = lambda _: None
    """The row's value of the sort key, in UTC; None if it has none."""
    size: int = 100
    """Rows of a full page."""
    can_close: bool = True
    """Does the list take an upper bound at all?"""
    trust: Trust = field(default_factory=Trust)
    warn: Callable[[str], None] = lambda _: None
    """Say something about this list, for the log and the closing report."""


def page_of(rows: list[Row], meta: t.Any, query: Query, date: datetime | None) -> Page:
    """Make a page of the rows and the `meta` of an answer (Q17-Q19).

    The last one is empty, or its number reaches `total_pages`. `next_page` alone is not believed:
    cards leave it out on the last page, payment links send 0. Without `meta`, a short page ends.
    """
    meta = meta if isinstance(meta, dict) else {}
    pages, following, total = (
        value if isinstance(value, int) and not isinstance(value, bool) else None
        for value in (meta.get("total_pages"), meta.get("next_page"), meta.get("total_count"))
    )
    if not rows:
        is_last = True
    elif pages is None and "next_page" not in meta and "total_pages" not in meta:
        is_last = len(rows) < query.size
    else:
        is_last = query.number >= (pages or 0) and (following or 0) <= query.number
    return Page(rows, total, is_last, date)


def frozen(date: datetime | None) -> datetime | None:
    """Up to when an answer of that server time is surely complete; None if it told no time."""
    return min(date, datetime.now(timezone.utc)) - MARGIN if date else None


class Memory:
    """The rows read last, in their version, as witnesses; and the count told last."""

    def __init__(self, listing: Listing) -> None:
        self._version = lambda row: (listing.identity(row), listing.key(row))
        self._pages: deque[set[t.Hashable]] = deque(maxlen=MEMORY)
        self.total: int | None = None

    def knows(self, row: Row) -> bool:
        version = self._version(row)
        return any(version in page for page in self._pages)

    def new(self, rows: list[Row]) -> list[Row]:
        """Remember `rows`; return those that were not known in this version."""
        fresh = [row for row in rows if not self.knows(row)]
        self._pages.append({self._version(row) for row in rows})
        return fresh


def opening(listing: Listing, since: datetime | None) -> Query:
    return Query(since=early(since), size=listing.size)


def first_page(listing: Listing, query: Query) -> Page:
    """Ask for the first page; once more if it is the only one and holds less than it counts."""
    for _ in range(2):
        page = listing.page(query)
        if not page.is_last or len(page.rows) >= (page.total or 0):
            return page
    listing.warn(f"Qonto counts {page.total} rows and gave {len(page.rows)}, twice")
    return page


def closes(listing: Listing, first: Page, since: datetime | None) -> bool:
    """Ask once per stream whether the upper bound cuts the list, and the count with it."""
    if listing.trust.closes is None:
        begin = listing.key(first.rows[0])
        if first.total is None or begin is None or begin == highest(listing, first.rows):
            return False  # a page of one timestamp can't tell
        part = listing.page(Query(early(since), begin, 1, listing.size))
        listing.trust.closes = (
            part.total is not None
            and part.total < first.total
            and all((listing.key(row) or begin) <= begin for row in part.rows)
        )
    return listing.trust.closes


def closed(
    listing: Listing, window: Query, memory: Memory
) -> Generator[Batch, None, datetime | None]:
    """Read a closed window in parallel. Returns the key up to which it was read.

    Stops early if the window turns out to be open: whoever called goes on by key.
    """
    reached = window.since
    for rows in numbered(listing, window._replace(size=listing.size), memory, parallel=True):
        if any(window.until < (listing.key(row) or NEVER) for row in rows if window.until):
            listing.trust.closes = False
            break
        yield Batch(rows, reached)
        reached = highest(listing, rows) or reached
    return reached


def by_key(
    listing: Listing, reached: datetime | None, upto: datetime | None, memory: Memory
) -> Generator[Batch, None, bool]:
    """Go on from the last key read, one request after the other, to the end of the list.

    The end is the last page, or the moment at which the first answer was given: what changes
    later belongs to the next run. A page that begins at the last key read can't leave a gap.
    False if the lower bound is not honoured: the list has to be read by number.
    """
    while True:
        query = opening(listing, reached)
        page = listing.page(query)
        if not honoured(listing, page.rows, reached):
            return False
        bookmark = min(reached, upto) if reached and upto else reached
        yield Batch(memory.new(page.rows), bookmark)
        last = highest(listing, page.rows)
        if page.is_last or (upto and last and last > upto + MARGIN):
            return True
        if last == reached:  # a whole page of one timestamp: go through it by number
            for rows in numbered(listing, query, memory, offset=len(page.rows)):
                yield Batch(rows, bookmark)
                last = highest(listing, rows) or last
                if last != reached:
                    break
            else:
                return True
        reached = last


def numbered(
    listing: Listing, window: Query, memory: Memory, *, offset: int = 0, parallel: bool = False
) -> Iterator[list[Row]]:
    """Yield the rows that `memory` does not know, page by page, without a gap.

    `offset`: so many rows of the list have been read. `parallel`: the window is closed and its
    count is right, so pages of one count need no witness.
    """
    size, number, slack, misses = listing.size, 1, SLACK, 0
    if offset:
        size, number = _overlapping(offset, slack, listing.size)
    former: list[Row] = []
    try:
        while True:
            query = window._replace(number=number, size=size)
            if parallel:
                send_ahead(listing, query, memory.total)
            page = listing.page(query)
            start = (number - 1) * size
            counted = parallel and page.total is not None and page.total == memory.total
            witnessed = bool(page.rows) and memory.knows(page.rows[0])
            if start and not counted and not witnessed:
                # a gap is possible: step back, further each time
                listing.forget()
                misses += 1
                if misses > PATIENCE:
                    raise RequestFailed(
                        "the list changes faster than it can be read, or has no stable order"
                    )
                if slack < listing.size // 2:
                    slack *= 2
                else:
                    offset = max(0, offset - listing.size // 2)
                if page.total is not None:
                    offset = min(offset, page.total)
                size, number = _overlapping(offset, slack, listing.size)
                continue
            refuse_repetition(listing, former, page.rows)
            misses, former, memory.total = 0, page.rows, page.total
            slack = max(SLACK, slack // 2)
            yield memory.new(page.rows)
            if page.is_last:
                return
            offset = start + len(page.rows)
            if parallel:
                number += 1
            else:
                size, number = _overlapping(offset, slack, listing.size)
    finally:
        listing.forget()


def _overlapping(offset: int, slack: int, largest: int) -> tuple[int, int]:
    """Choose (size, number) of the page that reaches furthest and begins `slack` rows early.

    Pages begin at multiples of their size: of all sizes, some border lies just before the row
    wanted. The page's end lies behind `offset` as long as `slack` is at most half of `largest`.
    """
    start = max(0, offset - slack)
    return max(
        ((size, start // size + 1) for size in range(largest // 2 + 1, largest + 1)),
        key=lambda page: page[0] * page[1],
    )


def send_ahead(listing: Listing, query: Query, total: int | None) -> None:
    """Ask for the pages after `query`, as many as the count has and the transport takes."""
    last = -(-(total or 0) // query.size)
    listing.ahead(query)
    for number in range(query.number + 1, last + 1):
        if not listing.ahead(query._replace(number=number)):
            break


def refuse_repetition(listing: Listing, former: list[Row], rows: list[Row]) -> None:
    if (
        rows
        and len(rows) == len(former)
        and [*map(listing.identity, rows)] == [*map(listing.identity, former)]
    ):
        raise RequestFailed("Qonto repeats the former page: page numbers are ignored")


def honoured(listing: Listing, rows: list[Row], since: datetime | None) -> bool:
    """Does the first row respect the lower bound (Q33)? Says so once per stream if not."""
    lowest = listing.key(rows[0]) if rows else None
    if since is None or lowest is None or lowest >= since - timedelta(seconds=1):
        return True
    if listing.trust.filters:
        listing.trust.filters = False
        listing.warn("Qonto ignores the filter on changes here: all rows are read each time")
    return False


def is_ascending(listing: Listing, rows: list[Row]) -> bool:
    keys = [key for key in map(listing.key, rows) if key is not None]
    return bool(keys) and all(one <= other for one, other in itertools.pairwise(keys))


def has_older(listing: Listing, rows: list[Row], since: datetime | None) -> bool:
    return since is not None and any((listing.key(row) or since) < since for row in rows)


def highest(listing: Listing, rows: list[Row]) -> datetime | None:
    return max((key for key in map(listing.key, rows) if key is not None), default=None)


def lowest(moments: list[datetime | None]) -> datetime | None:
    """The lowest of `moments`; None if one is unknown."""
    known = [moment for moment in moments if moment is not None]
    return min(known) if len(known) == len(moments) else None


def early(since: datetime | None) -> datetime | None:
    return since - TICK if since else None
