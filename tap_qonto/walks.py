"""How each kind of list is read from end to end: which rows, in which order, with what bookmark.

Every walk is a generator: it yields `Batch`es and returns the bookmark of the partition, the
moment from which the next run reads; None where there is nothing to remember. It runs on any
thread and knows no Singer. Why no row is lost: see `pagination`.
"""

from __future__ import annotations

import typing as t
from collections import deque

from tap_qonto.errors import RequestFailed
from tap_qonto.pagination import (
    NEVER,
    Batch,
    Listing,
    Memory,
    Query,
    Row,
    by_key,
    closed,
    closes,
    early,
    first_page,
    frozen,
    has_older,
    highest,
    honoured,
    is_ascending,
    lowest,
    numbered,
    opening,
    refuse_repetition,
    send_ahead,
)

if t.TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from datetime import datetime

Walk: t.TypeAlias = "Generator[Batch, None, datetime | None]"


def changed(listing: Listing, since: datetime | None) -> Walk:
    """Read rows whose key is `since` or later, from a list sorted by that key, ascending.

    Returns the new bookmark; None if nothing is known about time.

    Raises:
        RequestFailed: the list changes faster than it can be read, or repeats its pages.
    """
    query = opening(listing, since)
    first = first_page(listing, query)
    upto = frozen(first.date)
    memory = Memory(listing)
    yield Batch(memory.new(first.rows))
    if first.is_last:
        return upto or highest(listing, first.rows)
    if not is_ascending(listing, first.rows):
        listing.warn("the rows do not come in the order asked for: read without resuming")
    elif honoured(listing, first.rows, since):
        reached = highest(listing, first.rows)
        if upto and listing.can_close and closes(listing, first, since):
            reached = yield from closed(listing, Query(early(reached), upto), memory)
        if (yield from by_key(listing, reached, upto, memory)):
            return upto
    for rows in numbered(listing, query, memory, offset=len(first.rows)):
        yield Batch(rows)
    return upto


def changed_unsorted(listing: Listing, since: datetime | None) -> Walk:
    """Read rows changed from `since` on, from a list in another, stable order (Q31).

    The bookmark moves only at the end: the highest key seen says nothing about the rest.
    """
    query = opening(listing, since)
    first = first_page(listing, query)
    memory = Memory(listing)
    yield Batch(memory.new(first.rows))
    if not first.is_last:
        for rows in numbered(listing, query, memory, offset=len(first.rows)):
            yield Batch(rows)
    return frozen(first.date)


def newest_first(listing: Listing, since: datetime | None) -> Walk:
    """Read a list sorted by its key, descending, until a row is older than `since` (Q35).

    A row that changes meanwhile moves to the front, behind our back: its key is then later than
    the bookmark that is returned, so the next run reads it.
    """
    query = Query(size=listing.size)
    first = first_page(listing, query)
    memory = Memory(listing)
    yield Batch(memory.new(first.rows))
    if not first.is_last and not has_older(listing, first.rows, since):
        for rows in numbered(listing, query, memory, offset=len(first.rows)):
            yield Batch(rows)
            if has_older(listing, rows, since):
                break
    return frozen(first.date) or highest(listing, first.rows)


def whole(listing: Listing) -> Walk:
    """Read a whole list, and once more, carefully, if it gave fewer rows than it counts.

    Without a filter on changes there is no closed window: rows come and go anywhere. So the
    pages are read in parallel, and what came is compared with the count. Returns None: there is
    nothing to remember for the next run.
    """
    query = Query(size=listing.size)
    page = first_page(listing, query)
    seen = {listing.identity(row) for row in page.rows}
    yield Batch(page.rows)
    counts = {page.total}
    former = page
    while not page.is_last:
        query = query._replace(number=query.number + 1)
        send_ahead(listing, query, page.total)
        former, page = page, listing.page(query)
        refuse_repetition(listing, former.rows, page.rows)
        seen.update(map(listing.identity, page.rows))
        counts.add(page.total)
        yield Batch(page.rows)
    listing.forget()
    if query.number == 1:
        return None
    if len(counts) > 1 or len(seen) < (page.total or 0):
        memory = Memory(listing)
        try:
            for rows in numbered(listing, Query(size=listing.size), memory):
                fresh = [row for row in rows if listing.identity(row) not in seen]
                seen.update(map(listing.identity, fresh))
                yield Batch(fresh)
        except RequestFailed as error:
            listing.warn(str(error))
        if len(seen) < (memory.total or 0):
            listing.warn(f"Qonto counts {memory.total} rows and gave {len(seen)}, twice")
    return None


def merged(listings: list[Listing], since: datetime | None) -> Walk:
    """Merge the `changed` rows of several lists of one partition into one ascending walk.

    So the whole can stop and go on at any row: its bookmark is the lowest of all.
    """
    for listing in listings:
        listing.ahead(opening(listing, since))
    walks = [changed(listing, since) for listing in listings]
    heads: list[deque[Row]] = [deque() for _ in walks]
    uptos: list[datetime | None] = [None] * len(walks)
    key = listings[0].key

    def pull(number: int) -> bool:
        """Fetch the next rows of a walk; False when it has ended."""
        try:
            while not heads[number]:
                rows, uptos[number] = next(walks[number])
                heads[number].extend(rows)
        except StopIteration as end:
            uptos[number] = end.value
            return False
        return True

    live = [number for number in range(len(walks)) if pull(number)]
    rows: list[Row] = []
    while live:
        number = min(live, key=lambda one: key(heads[one][0]) or NEVER)
        rows.append(heads[number].popleft())
        if not heads[number] and not pull(number):
            live.remove(number)
        if len(rows) >= listings[0].size:
            yield Batch(rows, lowest([key(rows[-1]), *uptos]))
            rows = []
    yield Batch(rows)
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
