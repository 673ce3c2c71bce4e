"""How each kind of list is read from end to end: which rows, in which order, with what bookmark.

Every walk is a generator: it yields `Records`es and returns the bookmark of the partition, the
moment from which the next run reads; None where there is nothing to remember. It runs on any
thread and knows no Singer. Why no row is lost: see `pagination`.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from datetime import datetime, timezone

from tap_qonto.errors import RequestFailed
from tap_qonto.pagination.pages import (
    MARGIN,
    NEVER,
    SECOND,
    Listing,
    Memory,
    Page,
    Query,
    Records,
    Row,
    ask,
    frozen,
    honours,
    lacks,
    lowest,
    opening,
)
from tap_qonto.pagination.slices import (
    PATIENCE,
    by_number,
    closes,
    is_ascending,
    leap,
    numbered,
    plain,
)

if t.TYPE_CHECKING:
    from collections.abc import Callable, Generator

WORTH = 3  # pages: so many are read by key in the time of a leap

Walk: t.TypeAlias = "Generator[Records, None, datetime | None]"


def changed(listing: Listing, since: datetime | None) -> Walk:
    """Read rows whose key is `since` or later, from a list sorted by that key, ascending.

    By key, with leaps; all by number where order or filter are not what was asked for. The
    bookmark moves with the batches. It is None, or stays `since`, if nothing is known of time.

    Raises:
        RequestFailed: the list changes faster than it can be read, or ignores page numbers.
    """
    return _ByKey(listing, since).walk()


class _ByKey:
    """A walk that knows the key up to which all was read, and goes on from it."""

    def __init__(self, listing: Listing, since: datetime | None) -> None:
        self._listing = listing
        self._since = since
        self._reached = since  # every row of a lower key was handed over
        self._from = since  # of the page in hand
        self._memory = Memory(listing)
        self._pace = _Pace()

    def walk(self) -> Walk:
        listing, memory = self._listing, self._memory
        query = opening(listing, self._since)
        self._first = ask(listing, query)
        self._upto = frozen(self._first.date)  # rows of a lower key can only leave
        self._late = (self._first.date or datetime.now(timezone.utc)) + MARGIN
        page: Page | None = self._first
        while page and honours(listing, page, self._from) and self._is_in_order(page):
            rows, top = memory.new(page), self._settled(page)
            has_moved = top is not None and (self._reached is None or top > self._reached)
            if has_moved:
                self._reached = top
            if self._is_end(page):
                yield Records(rows, self._upto or self._bookmark())
                if not page.is_last or not lacks(listing, memory.seen, self._first.total):
                    return self._upto or self._bookmark()
                self._first = ask(listing, query)  # rows may have been deleted meanwhile
                if not lacks(listing, memory.seen, self._first.total):
                    return self._upto or self._bookmark()
                break
            yield Records(rows, self._bookmark())
            page = yield from (self._next(page) if has_moved else self._past(page))
        if page is None:
            return self._bookmark()
        is_proven = yield from by_number(listing, query, self._first)
        return self._upto if is_proven else self._since

    def _next(self, page: Page) -> Generator[Records, None, Page]:
        """Leap if that is worth it now; ask for the page at the key then reached."""
        listing, reached, upto = self._listing, t.cast("datetime", self._reached), self._upto
        left = (page.total or 0) - len(page.rows)
        pages = self._pace.pages(listing, left) if upto and reached < upto else 0
        if upto and pages and closes(listing, reached, left):
            landing = yield from leap(listing, self._memory, reached, upto, pages, is_closed=True)
            self._pace.leapt(well=landing is not None)
            if landing:
                self._reached = landing.key
                if landing.page.is_last:  # of the window: the same page without a bound goes on
                    page, self._from = ask(listing, landing.query._replace(until=None)), reached
                    self._memory.only(landing.page)
                    if page.is_last and self._memory.knows_any(page):
                        return page
        return self._ask()

    def _ask(self) -> Page:
        """Ask for the page that begins at the key that was reached."""
        self._from = self._reached
        return ask(self._listing, opening(self._listing, self._reached))

    def _past(self, page: Page) -> Generator[Records, None, Page | None]:
        """Get past a page that does not move the key: return one that does, or the last.

        Its rows have one key, or keys behind `upto`, or the lower bound is cut to whole seconds.
        None: the rest can't be read for sure, and is left to the next run.
        """
        listing, reached, upto = self._listing, self._reached, self._upto
        window, enough = opening(listing, reached), (reached or NEVER) + SECOND
        self._memory.only(page)
        self._from = reached
        for rows, other in numbered(listing, window, self._memory, offset=len(page.rows)):
            yield Records(rows, self._bookmark())
            if self._is_end(other) or (self._settled(other) or NEVER) >= enough:
                return other
        # page sizes can't be chosen
        if not (reached and upto and reached < upto):
            if not upto:  # nothing can be proven
                for rows, _ in plain(listing, window, self._memory):
                    yield Records(rows)
            return None
        pages = max(2, -(-(page.total or 0) // listing.size))
        for more in range(PATIENCE):
            landing = yield from leap(
                listing, self._memory, reached, upto, pages + more, is_closed=False
            )
            if landing:
                self._reached = landing.key
                return self._ask()
        raise RequestFailed("the list changes faster than it can be read")

    def _bookmark(self) -> datetime | None:
        if self._reached is None or self._upto:
            return self._reached and min(self._reached, self._upto or self._reached)
        return max(self._reached - MARGIN, self._since or NEVER)

    def _is_end(self, page: Page) -> bool:
        """Is it the last page, or behind all that was there at the first answer?"""
        return page.is_last or (
            self._memory.seen >= (self._first.total or 0)
            and is_ascending(page.keys)
            and (page.keys[0] or NEVER) > self._late
        )

    def _is_in_order(self, page: Page) -> bool:
        """Do the keys ascend? Those behind `upto` may not, and in the last page it is no matter."""
        late = self._upto or datetime.max.replace(tzinfo=timezone.utc)
        return page.is_last or is_ascending(key for key in page.keys if not (key and key > late))

    def _settled(self, page: Page) -> datetime | None:
        """The key to which a page moves the walk: the highest up to `upto`.

        A row that changes while it is read may show a later key than that of its place.
        """
        keys = (key for key in page.keys if key and not (self._upto and key > self._upto))
        return max(keys, default=None)


def changed_unsorted(listing: Listing, since: datetime | None) -> Walk:
    """Read rows changed from `since` on, from a list in another, stable order (Q31).

    The bookmark moves only at the end: the highest key seen says nothing about the rest. A row
    that comes in behind our back has changed after that bookmark.
    """
    query = opening(listing, since)
    first = ask(listing, query)
    is_proven = yield from by_number(listing, query, first)
    return frozen(first.date) if is_proven else since


def newest_first(listing: Listing, since: datetime | None) -> Walk:
    """Read a list sorted by its key, descending, until a row is older than `since` (Q35).

    A row that changes meanwhile moves to the front, behind our back: its key is then later than
    the bookmark that is returned, so the next run reads it.
    """
    query = Query(size=listing.size)
    first = page = ask(listing, query)
    memory = Memory(listing)
    yield Records(memory.new(first))
    if not (first.is_last or _is_older(listing, first, since)):
        for rows, page in numbered(listing, query, memory, offset=len(first.rows)):
            yield Records(rows)
            if _is_older(listing, page, since):
                return frozen(first.date)
        if not page.is_last:
            for rows, _ in plain(listing, query, memory):
                yield Records(rows)
            return since
    return frozen(first.date)


def whole(listing: Listing) -> Walk:
    """Read a whole list, in a stable order. Returns None: there is nothing to remember."""
    query = Query(size=listing.size)
    yield from by_number(listing, query, ask(listing, query))
    return None


def merged(listings: list[Listing], since: datetime | None) -> Walk:
    """Read the `changed` rows of several lists of one partition side by side.

    Always that of the lowest bookmark goes on, and the lowest is the bookmark of all. A row that
    goes from one list to another gets a key later than that.
    """
    for listing in listings:
        listing.ahead(opening(listing, since))
    walks = dict(enumerate(changed(listing, since) for listing in listings))
    uptos: list[datetime | None] = [None] * len(listings)
    while walks:
        number = min(walks, key=lambda one: uptos[one] or NEVER)
        try:
            rows, uptos[number] = next(walks[number])
        except StopIteration as end:
            uptos[number] = end.value
            del walks[number]
        else:
            yield Records(rows, lowest(uptos))
    return lowest(uptos)


def held_back(
    walk: Walk, key: Callable[[Row], datetime | None], is_open: Callable[[Row], bool]
) -> Walk:
    """Keep the bookmark of `walk` at or before every row that can still change (Q37, Q38).

    For lists that only filter on creation: what was open at the last run is read again.
    """
    earliest: datetime | None = None
    while True:
        try:
            rows, upto = next(walk)
        except StopIteration as end:
            upto = t.cast("datetime | None", end.value)
            return min(upto, earliest) if upto and earliest else upto
        for row in rows:
            created = key(row)
            if created and is_open(row) and (earliest is None or created < earliest):
                earliest = created
        yield Records(rows, min(upto, earliest) if upto and earliest else upto)


@dataclass
class _Pace:
    """How far to leap: twice as far after each success; after failures ever more pages by key."""

    span: int = 64  # pages, from 4 to 512: so many have their rows named until it is proven
    failures: int = 0
    rest: int = 0

    def pages(self, listing: Listing, left: int) -> int:
        """Of how many pages a leap over `left` rows is; 0 if it is not worth it now."""
        if self.rest:
            self.rest -= 1
            return 0
        pages = min(self.span, (left + 1) // listing.size)  # it begins one row earlier
        return pages if listing.observed.leaps and pages > WORTH else 0

    def leapt(self, *, well: bool) -> None:
        """Note how a leap ended."""
        self.span = min(2 * self.span, 512) if well else max(self.span // 2, 4)
        self.failures = 0 if well else self.failures + 1
        self.rest = 2**self.failures if self.failures else 0


def _is_older(listing: Listing, page: Page, since: datetime | None) -> bool:
    """Does a page of a descending list reach behind `since`?"""
    if not is_ascending(reversed(page.keys)):
        listing.warn("Qonto does not sort this list as it should: all rows are read each time")
        return False
    return since is not None and page.keys[-1] is not None and page.keys[-1] < since
