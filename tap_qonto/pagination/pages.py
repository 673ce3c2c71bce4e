"""Reading lists page by page without losing a row while they change.

Why it is correct
-----------------
The rows of one answer are a slice of the list as it stood at one moment. Between two answers rows
come, go and move, so page numbers alone prove nothing: a row that leaves pulls every later row one
place forward, across the border between two pages, unseen. Assumed is only this: rows that do not
change keep their order, and a row that changes gets a key (`updated_at`) of now. So in a list
sorted by that key rows come in at the end and leave anywhere. Each of three observations proves
that nothing fell between two slices:

1. **The key.** A slice that begins at the key up to which all was read goes on from there,
   whenever it was taken. It takes one request after the other, and keys that move on.
2. **The witness.** A slice with a row that was read before, unchanged, goes on from there: what
   follows that row in the list was read, or follows it in the slice, or lies behind both. Nothing
   is said about time, so pages may be sent ahead. They are made to overlap by choosing page sizes
   whose borders fall before the end of what was read; this costs a seventh more requests.
3. **The place.** Before a row at place p there are p rows, and later no others: they only leave.
   If slices taken afterwards show p different rows of lower keys, none is missing. So full pages
   may be read in parallel, the last one first. If another number is seen, something moved: then
   nothing counts as read, and the key goes on.

They look at rows, which come from one query, and not at counts, totals and upper bounds, which
may be absent, stale or wrong (Q17-Q22): those are hints what to ask for, when to give up early,
and whether to look again at the end. One thing more may go wrong with the place: several servers,
of which some lag. So leaps are made where an upper bound cuts the count, which then tells when an
answer is of another moment than the others.

*Bookmarks.* What is returned, or handed over with a batch, is a moment up to which every row was
handed over: never later than the server's clock at the first answer, less `MARGIN`. The next run
begins there. So what becomes visible a little after its timestamp, or differs between servers,
comes again or later, but comes. Lower bounds are sent one `TICK` early: it does not matter
whether Qonto includes them. Rows behind the bookmark are read as well, but need no proof.
"""

from __future__ import annotations

import typing as t
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

if t.TYPE_CHECKING:
    from collections.abc import Callable

Row = dict[str, t.Any]

MARGIN = timedelta(seconds=60)
TICK = timedelta(milliseconds=1)
SECOND = timedelta(seconds=1)
MEMORY = 4  # pages whose rows are remembered as witnesses
NEVER = datetime.min.replace(tzinfo=timezone.utc)


class Query(t.NamedTuple):
    """One page of a list: bounds on the key (both in UTC, both optional), number and size."""

    since: datetime | None = None
    until: datetime | None = None
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
    """One answer. `total` is the count of the whole list, `date` the server's clock, if told."""

    rows: list[Row]
    total: int | None
    is_last: bool
    date: datetime | None
    keys: t.Sequence[datetime | None] = ()
    """The sort keys of the rows; filled in by `ask`, so that each is read once."""


class Records(t.NamedTuple):
    """Rows to emit, and a moment: with them, every row up to it has been handed over."""

    rows: list[Row]
    upto: datetime | None = None


@dataclass
class Observed:
    """What was found out about a list of the API, shared by all partitions of a stream."""

    filters: bool = True
    """Is the lower bound honoured?"""
    sizes: bool = True
    """Are smaller page sizes honoured?"""
    overlaps: bool = False
    """Were they, so far?"""
    counts: bool = True
    """Is the total the number of rows that can be read?"""
    closes: bool | None = None
    """Does an upper bound cut the list, and the count with it? None: not asked yet."""
    leaps: bool = True
    """Are far pages accepted?"""
    size: int | None = None
    """Rows of a page, if not as many as were asked for at first."""
    longest: int = 0
    """The most rows of a page so far."""


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
    """What tells a row from all others of the list; None, or a tuple with None, if nothing does."""
    key: Callable[[Row], datetime | None] = lambda _: None
    """The row's value of the sort key, in UTC; None if it has none."""
    size: int = 100
    """Rows of a full page: what is asked for, or what came, if that was less."""
    can_close: bool = True
    """Does the list take an upper bound at all?"""
    observed: Observed = field(default_factory=Observed)
    warn: Callable[[str], None] = lambda _: None
    """Say something about this list, for the log and the closing report."""


def page_of(rows: list[Row], meta: t.Any, query: Query, date: datetime | None) -> Page:
    """Make a page of the rows and the `meta` of an answer (Q17-Q19).

    The last one is empty; or it is not full, its number reaches `total_pages`, and `next_page`
    does not say otherwise. `next_page` alone is not believed: cards leave it out on the last
    page, payment links send 0.
    """
    meta = meta if isinstance(meta, dict) else {}
    pages, following, total = (
        _number(meta.get(name)) for name in ("total_pages", "next_page", "total_count")
    )
    is_last = len(rows) < query.size and max(pages or 0, following or 0) <= query.number
    return Page(rows, total, is_last or not rows, date)


def frozen(date: datetime | None) -> datetime | None:
    """Up to when an answer of that server time is surely complete; None if it told no time."""
    return date - MARGIN if date else None


class Memory:
    """The rows of the last pages, as witnesses; and how many different ones were seen."""

    def __init__(self, listing: Listing) -> None:
        self._identity = listing.identity
        self._rows: dict[t.Hashable, tuple[datetime | None, Row, int]] = {}
        self._pages: deque[list[t.Hashable]] = deque()
        self._serial = 0
        self.seen = 0

    @property
    def last(self) -> list[t.Hashable]:
        """The names of the rows of the last page."""
        return self._pages[-1]

    def names(self, rows: list[Row]) -> list[t.Hashable]:
        """Return what tells each row from the others: all of it, if it has no identity."""
        names: list[t.Hashable] = [*map(self._identity, rows)]
        for place, name in enumerate(names):
            if name is None or (isinstance(name, tuple) and (not name or None in name)):
                names[place] = repr(rows[place])
        return names

    def only(self, page: Page) -> None:
        """Remember the rows of `page` alone: those of a leap may not be witnesses."""
        self._rows.clear()
        self._pages.clear()
        seen = self.seen
        self.new(page)
        self.seen = seen

    def knows_any(self, page: Page) -> bool:
        """Is one of the rows remembered, with the same key?"""
        known = self._rows
        return any(
            name in known and known[name][0] == key
            for name, key in zip(self.names(page.rows), page.keys, strict=True)
        )

    def new(self, page: Page) -> list[Row]:
        """Remember the rows; return those that were not known as they are now."""
        names, known = self.names(page.rows), self._rows
        fresh = []
        self._serial += 1
        for name, key, row in zip(names, page.keys, page.rows, strict=True):
            former = known.get(name)
            if former is None or former[0] != key:
                self.seen += 1
                fresh.append(row)
            elif former[1] != row:
                fresh.append(row)
            known[name] = (key, row, self._serial)
        self._pages.append(names)
        if len(self._pages) > MEMORY:
            forgotten = self._serial - MEMORY
            for name in self._pages.popleft():
                if name in known and known[name][2] <= forgotten:
                    del known[name]
        return fresh


def opening(listing: Listing, since: datetime | None) -> Query:
    """Return the query of the first page of what changed since then."""
    listing.size = listing.observed.size or listing.size
    return Query(since=since - TICK if since else None, size=listing.size)


def ask(listing: Listing, query: Query) -> Page:
    """Ask for a page and read its keys; learn from it what the API honours.

    A list of one page that holds less than it counts is asked for once more. A page that is not
    full is the last if longer ones were seen, or if the next one is empty, or, without `meta`
    (Q19), the same: totals may be wrong, and pages shorter than they were asked for (Q22). Where
    the count tells of more, it must also still be what it was: then no row left it in between.
    """
    observed = listing.observed
    page = listing.page(query)
    if query.number == 1 and page.is_last and lacks(listing, len(page.rows), page.total):
        page = listing.page(query)
        if page.is_last and lacks(listing, len(page.rows), page.total):
            observed.counts = False
            listing.warn(f"Qonto counts {page.total} rows and gave {len(page.rows)}, twice")
    count, is_cut = len(page.rows), False
    if 0 < count < query.size and not (page.is_last and page.total is not None):
        is_last = count < observed.longest
        if not is_last:
            behind = listing.page(query._replace(number=query.number + 1)).rows
            is_cut = bool(behind) and not (page.total is None and behind[0] == page.rows[0])
            is_last = not is_cut
            if is_last and page.total is not None:
                page, is_last = _settled(listing, query, page)
                count = len(page.rows)
        page = page._replace(is_last=is_last)
    if count > query.size or (count < query.size and not page.is_last):
        if query.size == listing.size:
            listing.size = count
            if is_cut or count > query.size:  # else it is this list alone that moved
                observed.size = count
        else:
            observed.sizes = False
    observed.longest = max(observed.longest, count)
    return page._replace(keys=[*map(listing.key, page.rows)])


def _settled(listing: Listing, query: Query, page: Page) -> tuple[Page, bool]:
    """Is a short page the last, whose count tells of more while nothing was seen behind it?

    If it still is what it was, no row left it before the look behind it. If it is cut short it
    has as many rows again, but others. If it grew, rows came in while they were counted.
    """
    for _ in range(3):
        before, page = page, listing.page(query)
        if page.is_last or page.rows == before.rows or len(page.rows) < len(before.rows):
            return page, True
        if len(page.rows) == len(before.rows):
            return page, False
    return page, True


def honours(listing: Listing, page: Page, since: datetime | None) -> bool:
    """Do the rows respect the lower bound (Q33)? Says so once per stream if not."""
    lowest = min((key for key in page.keys if key is not None), default=None)
    if since is None or lowest is None or lowest >= since - SECOND:
        return True
    if listing.observed.filters:
        listing.observed.filters = False
        listing.warn("Qonto ignores the filter on changes here: all rows are read each time")
    return False


def lowest(moments: list[datetime | None]) -> datetime | None:
    """The lowest of `moments`; None if one is unknown."""
    known = [moment for moment in moments if moment is not None]
    return min(known, default=None) if len(known) == len(moments) else None


def lacks(listing: Listing, seen: int, *totals: int | None) -> bool:
    """Were fewer rows seen than each of these counts says?"""
    told = [total for total in totals if total is not None]
    return listing.observed.counts and len(told) == len(totals) and seen < min(told)


def _number(value: t.Any) -> int | None:
    """A whole number of `meta`, also where it is sent as text."""
    try:
        return None if isinstance(value, bool) else int(value)
    except (TypeError, ValueError, ArithmeticError):
        return None
