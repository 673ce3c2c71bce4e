"""How each kind of list is read from end to end: which rows, in which order, with what bookmark.

Every walk is a generator: it yields `Records` and returns the bookmark of the partition, the
moment from which the next run reads; None where there is nothing to remember. It runs on any
thread and knows no Singer. Why no row is lost: see `keyed` and `counted`.
"""

from __future__ import annotations

import typing as t
from datetime import datetime, timezone

from tap_qonto.errors import RequestRejected
from tap_qonto.pagination.counted import by_count
from tap_qonto.pagination.keyed import Keyed, Unsorted
from tap_qonto.pagination.pages import Listing, Observed, Records, Row, Walk

if t.TYPE_CHECKING:
    from collections.abc import Callable, Sequence

EARLIEST = datetime.min.replace(tzinfo=timezone.utc)

Way: t.TypeAlias = "Callable[[], Walk]"


def first_accepted(ways: Sequence[Way], observed: Observed, told: Callable[[], None]) -> Walk:
    """Read in the first of `ways` that Qonto accepts and whose order is what it should be.

    The best way comes first, the plainest last. Those that were refused are not tried again by
    other partitions of the stream; `told` is called when another way is found.

    Raises:
        RequestRejected: all were refused; what was refused last.
    """
    refused = False
    for number in range(min(observed.way, len(ways) - 1), len(ways)):
        try:
            upto = yield from ways[number]()
        except RequestRejected:
            if number + 1 == len(ways):
                raise
            refused = True
        except Unsorted:  # may be so in this partition alone
            if number + 1 == len(ways):
                raise
        else:
            if refused and number > observed.way:
                observed.way = number
                told()
            return upto
    return None


def changed(listing: Listing, since: datetime | None) -> Walk:
    """Read rows whose key is `since` or later, from a list sorted by that key.

    The bookmark moves with the records.

    Raises:
        Unsorted: the list is not sorted by its key, or rows lack it.
        RequestFailed: it is not proven that no row is missing.
    """
    return Keyed(listing, since).walk()


def changed_unsorted(listing: Listing, since: datetime | None) -> Walk:
    """Read rows that changed from `since` on (a filter of the list), sorted by another key (Q31).

    The bookmark moves only at the end: the highest key seen says nothing about the rest. A row
    that comes in behind our back has changed after that bookmark.

    Raises:
        As `changed`.
    """
    reader = Keyed(listing)
    for rows, _ in reader.walk():
        yield Records(rows)
    return reader.bookmark(ended=True) if reader.is_dated else since


def whole(listing: Listing) -> Walk:
    """Read a whole list, sorted by a key that its rows show. There is nothing to remember.

    Raises:
        As `changed`.
    """
    for rows, _ in Keyed(listing).walk():
        yield Records(rows)
    return None


def counted(listing: Listing, since: datetime | None = None) -> Walk:
    """Read a list in no order that tells anything; the bookmark does not move.

    Raises:
        RequestFailed: rows and count do not add up.
    """
    del since
    for rows in by_count(listing):
        yield Records(rows)
    return None


def newest_first(listing: Listing, since: datetime | None) -> Walk:
    """Read a list sorted by its key, descending, until a row is older than `since` (Q35).

    A row that changes meanwhile moves to the front, behind our back: its key is then later than
    the bookmark that is returned, so the next run reads it.

    Raises:
        As `changed`.
    """
    return Keyed(listing, until=since).walk()


def merged(walks: Sequence[Walk], since: datetime | None) -> Walk:
    """Read several lists as one: the one that is furthest behind goes on.

    The bookmark is the lowest of all, so that a run can stop at any row.
    """
    uptos: dict[int, datetime | None] = dict.fromkeys(range(len(walks)), since)
    open_walks = dict(enumerate(walks))
    while open_walks:
        number = min(open_walks, key=lambda one: uptos[one] or EARLIEST)
        try:
            rows, uptos[number] = next(open_walks[number])
        except StopIteration as end:
            uptos[number] = end.value
            del open_walks[number]
        else:
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
