"""How each kind of list is read from end to end: which rows, in which order, with what bookmark.

Every walk is a generator: it yields `Records` and returns the bookmark of the partition, the
moment from which the next run reads; None where there is nothing to remember. It runs on any
thread and knows no Singer. Why no row is lost: see `keyed` and `counted`, which also say what
they raise: `Unsorted`, or `RequestFailed` where it is not proven that no row is missing.
"""

from __future__ import annotations

import typing as t
from collections import deque

from tap_qonto.pagination.counted import by_count
from tap_qonto.pagination.keyed import Keyed
from tap_qonto.pagination.pages import Listing, Records, Row, Walk

if t.TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime


def changed(listing: Listing, since: datetime | None) -> Walk:
    """Read rows whose key is `since` or later, from a list sorted by it: the bookmark moves along.

    A descending list (Q35) is read until a row is older. What changes meanwhile moves to its
    front, behind our back, with a key later than the bookmark: the next run reads it.
    """
    return Keyed(listing, since).walk()


def changed_unsorted(listing: Listing, since: datetime | None) -> Walk:
    """Read rows that changed from `since` on (a filter of the list), sorted by another key (Q31).

    The bookmark moves only at the end: the highest key seen says nothing about the rest. A row
    that comes in behind our back has changed after that bookmark.
    """
    reader = Keyed(listing)
    for rows, _ in reader.walk():
        yield Records(rows)
    return reader.upto or since


def whole(listing: Listing) -> Walk:
    """Read a whole list, by the key that it is sorted by, or by its count. No bookmark."""
    walk = Keyed(listing).walk() if listing.is_sorted else by_count(listing)
    for rows, _ in walk:
        yield Records(rows)
    return None


def merged(walks: Sequence[Walk], since: datetime | None) -> Walk:
    """Read several lists as one, a page of each in turn: while one waits, the others go on.

    The bookmark is the lowest of all, so that a run can stop at any row.
    """
    uptos: dict[int, datetime | None] = dict.fromkeys(range(len(walks)), since)
    turns = deque(enumerate(walks))
    while turns:
        number, walk = turns.popleft()
        try:
            rows, upto = next(walk)
        except StopIteration as end:
            uptos[number] = end.value
        else:
            uptos[number] = upto or uptos[number]
            turns.append((number, walk))
            yield Records(rows, lowest(uptos.values()))
    return lowest(uptos.values())


def lowest(moments: t.Iterable[datetime | None]) -> datetime | None:
    """The lowest of `moments`; None if one is unknown."""
    known = [*moments]
    return None if None in known else min(t.cast("list[datetime]", known), default=None)


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
