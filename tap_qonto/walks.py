"""How each kind of list is read from end to end: which rows, in which order, with what bookmark.

Every walk is a generator: it yields `Batch`es and returns the bookmark of the partition, the
moment from which the next run reads; None where there is nothing to remember. It runs on any
thread and knows no Singer. Why no row is lost: see `pagination`.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from datetime import datetime, timezone

from tap_qonto.errors import RequestFailed
from tap_qonto.pagination import (
    MARGIN,
    NEVER,
    SECOND,
    Batch,
    Listing,
    Memory,
    Page,
    Query,
    Row,
    ask,
    frozen,
    honours,
    lacks,
    lowest,
    opening,
)
from tap_qonto.slices import PATIENCE, by_number, is_ascending, leap, numbered, plain

if t.TYPE_CHECKING:
    from collections.abc import Callable, Generator

Walk: t.TypeAlias = "Generator[Batch, None, datetime | None]"


def changed(listing: Listing, since: datetime | None) -> Walk:
    """Read rows whose key is `since` or later, from a list sorted by that key, ascending.

    By key, with leaps; all by number where order or filter are not what was asked for. The
    bookmark moves with the batches. It is None, or stays `since`, if nothing is known of time.

    Raises:
        RequestFailed: the list changes faster than it can be read, or ignores page numbers.
    """
    query = opening(listing, since)
    first = page = ask(listing, query)
    upto = frozen(first.date)  # rows of a lower key can only leave
    late = (first.date or datetime.now(timezone.utc)) + MARGIN
    memory, pace = Memory(listing), _Pace()
    reached = since  # every row of a lower key was handed over

    def bookmark() -> datetime | None:
        if reached is None or upto:
            return reached and min(reached, upto or reached)
        return max(reached - MARGIN, since or NEVER)

    while honours(listing, page, reached) and (page.is_last or _is_in_order(page, upto)):
        rows, top = memory.new(page), _top(page, reached, upto)
        if page.is_last or _is_beyond(page, late, enough=memory.seen >= (first.total or 0)):
            reached = top
            yield Batch(rows, upto or bookmark())
            if page.is_last and lacks(listing, memory.seen, first.total):
                first = ask(listing, query)  # rows may have been deleted meanwhile
                if lacks(listing, memory.seen, first.total):
                    break
            return upto or bookmark()
        if top and (reached is None or top > reached):
            reached = top
            yield Batch(rows, bookmark())
            pages = pace.pages(listing, page) if upto and reached < upto else 0
            if upto and pages:
                far = yield from leap(listing, memory, reached, upto, pages)
                pace.leapt(well=far is not None)
                reached = far or reached
            page = ask(listing, opening(listing, reached))
        else:
            yield Batch(rows, bookmark())
            reached = t.cast("datetime", reached)
            reached, later = yield from _past(listing, memory, page, reached, upto)
            if later is None:
                return bookmark()
            page = later
    return upto if (yield from by_number(listing, query, first)) else since


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
    yield Batch(memory.new(first))
    if not (first.is_last or _is_older(listing, first, since)):
        for rows, page in numbered(listing, query, memory, offset=len(first.rows)):
            yield Batch(rows)
            if _is_older(listing, page, since):
                return frozen(first.date)
        if not page.is_last:
            for rows, _ in plain(listing, query, memory):
                yield Batch(rows)
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
            yield Batch(rows, lowest(uptos))
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
        yield Batch(rows, min(upto, earliest) if upto and earliest else upto)


@dataclass
class _Pace:
    """How far to leap: twice as far after each success; after failures ever more pages by key."""

    span: int = 64  # pages, from 4 to 512: so many have their rows named until it is proven
    failures: int = 0
    rest: int = 0

    def pages(self, listing: Listing, page: Page) -> int:
        """Of how many pages the leap behind `page` is; 0 if it is not worth it now."""
        if self.rest:
            self.rest -= 1
            return 0
        left = (page.total or 0) - len(page.rows) + 1  # the next window begins one row earlier
        pages = min(self.span, -(-left // listing.size))
        return pages if listing.trust.leaps and pages > 2 else 0  # noqa: PLR2004 - one by one

    def leapt(self, *, well: bool) -> None:
        """Note how a leap ended."""
        self.span = min(2 * self.span, 512) if well else max(self.span // 2, 4)
        self.failures = 0 if well else self.failures + 1
        self.rest = 2**self.failures if self.failures else 0


def _past(
    listing: Listing, memory: Memory, page: Page, reached: datetime, upto: datetime | None
) -> Generator[Batch, None, tuple[datetime, Page | None]]:
    """Get past a page that moves the key no further; return a later page, or the last.

    Its rows all have one key, or the lower bound is cut to whole seconds. With it comes the key up
    to which all was read. No page: the rest can't be read for sure; it is left to the next run.
    """
    window, bookmark = opening(listing, reached), min(reached, upto or reached)
    for rows, other in numbered(listing, window, memory, offset=len(page.rows)):
        yield Batch(rows, bookmark)
        if other.is_last or (_top(other, reached, upto) or reached) >= reached + SECOND:
            return reached, other
    # page sizes can't be chosen
    pages = max(2, -(-(page.total or 0) // listing.size))
    for more in range(PATIENCE):
        if not upto or reached >= upto:
            break
        if far := (yield from leap(listing, memory, reached, upto, pages + more)):
            return far, ask(listing, opening(listing, far))
    else:
        raise RequestFailed("the list changes faster than it can be read")
    if not upto:  # nothing can be proven
        for rows, _ in plain(listing, window, memory):
            yield Batch(rows)
    return reached, None


def _top(page: Page, reached: datetime | None, upto: datetime | None) -> datetime | None:
    """The key to which a page moves the walk.

    That of a row that changes while it is read may be later than its place in the list says:
    keys after `upto` only count if most are such.
    """
    keys = [key for key in page.keys if key]
    settled = [key for key in keys if not upto or key <= upto]
    return max(settled if 2 * len(settled) >= len(keys) else keys, default=reached)


def _is_in_order(page: Page, upto: datetime | None) -> bool:
    return is_ascending(key for key in page.keys if not (key and upto and key > upto))


def _is_beyond(page: Page, late: datetime, *, enough: bool) -> bool:
    """Did the walk pass all that was there at its first answer?"""
    key = page.keys[-1]
    return enough and key is not None and key > late


def _is_older(listing: Listing, page: Page, since: datetime | None) -> bool:
    """Does a page of a descending list reach behind `since`?"""
    if not is_ascending(reversed(page.keys)):
        listing.warn("Qonto does not sort this list as it should: all rows are read each time")
        return False
    return since is not None and page.keys[-1] is not None and page.keys[-1] < since
