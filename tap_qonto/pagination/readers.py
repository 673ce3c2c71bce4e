"""How each kind of list is read from end to end: which rows, in which order, with what bookmark.

A walk is a generator of `Records`, on any thread; the last moment among them is the bookmark, from
which the next run reads. `keyed` and `counted` say why no row is lost, and what they raise:
`Unsorted`, or `RequestFailed` where it is not proven that none is missing.
"""

from __future__ import annotations

import itertools
import typing as t
from collections import deque

from tap_qonto.pagination.counted import by_count
from tap_qonto.pagination.keyed import Keyed
from tap_qonto.pagination.pages import LATEST, Listing, Records, Row, Walk

if t.TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime


def changed(listing: Listing, since: datetime | None) -> Walk:
    """Read rows whose key is `since` or later, from a list sorted by it: the bookmark moves along.

    A descending list (Q35) is read until a row is older; what moves to its front, by the next run.
    """
    return Keyed(listing, since).walk()


def changed_unsorted(listing: Listing, since: datetime | None) -> Walk:
    """Read rows that changed from `since` on (a filter of the list), sorted by another key (Q31).

    The bookmark moves at the end only. What comes in behind our back has changed after it.
    """
    reader = Keyed(listing)
    for rows, _ in reader.walk():
        yield Records(rows)
    yield Records([], reader.upto or since)


def whole(listing: Listing) -> Walk:
    """Read a whole list, by the key that it is sorted by, or by its count. No bookmark."""
    walk = Keyed(listing).walk() if listing.is_sorted else by_count(listing)
    return (Records(rows) for rows, _ in walk)


def merged(walks: Sequence[Walk], since: datetime | None) -> Walk:
    """Read several lists as one, a page of each in turn: while one waits, the others go on.

    The bookmark is the lowest of all, so that a run can stop at any row.
    """
    uptos: dict[int, datetime | None] = dict.fromkeys(range(len(walks)), since)
    turns = deque(enumerate(walks))
    while turns:
        number, walk = turns.popleft()
        for rows, upto in itertools.islice(walk, 1):
            uptos[number] = upto or uptos[number]
            turns.append((number, walk))
            told = [*filter(None, uptos.values())]
            yield Records(rows, min(told) if len(told) == len(walks) else None)


def held_back(
    walk: Walk, key: Callable[[Row], datetime | None], is_open: Callable[[Row], bool]
) -> Walk:
    """Keep the bookmark of `walk` at or before every row that can still change (Q37, Q38).

    For lists that only filter on creation: what was open at the last run is read again.
    """
    earliest = LATEST
    for rows, upto in walk:
        earliest = min([earliest, *filter(None, map(key, filter(is_open, rows)))])
        yield Records(rows, upto and min(upto, earliest))
