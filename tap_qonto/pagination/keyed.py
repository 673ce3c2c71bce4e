"""A list that is sorted by a key which its rows show, read by that key alone.

Rows of one key have no order of their own: a database may give them in another one at each
request. The key holds in any order. `reached` is a moment: all rows of lower keys were handed over.

1. A page that opens a window at `reached` (lower bound, number 1) goes on from there.
2. A page further in goes on if its first key is lower than `reached`: the rows before it have keys
   no higher than that. Pages overlap, so that it is. If not, there is a gap from `reached` to it.
3. Either way `reached` is then the highest key of the page. A gap is owed: windows at its lower key
   are read, until one reaches beyond its higher key; where one key fills the page, its rows are
   read by another (`Listing.apart`). Until then the bookmark stays before the gap.
4. At the last page, or at one later than the start, with nothing owed, all rows were handed over.

Keys later than the first response are set aside in 2 and 3: a row may show its new key at its old
place. Without a lower bound, more overlap closes a gap. A descending list is the same, mirrored.
"""

from __future__ import annotations

import itertools
import operator
import typing as t
from datetime import datetime, timedelta

from tap_qonto.pagination.pages import LATEST, MARGIN, SECOND, Ignored, Query, Records, Unsorted
from tap_qonto.pagination.plan import OVERLAP, Plan

if t.TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from tap_qonto.pagination.pages import Listing, Page, Row, Walk

PATIENCE = 30  # requests without progress, one after the other, before a list is given up
FRESH = timedelta(seconds=10)  # what changed so shortly before the start may show it too early
RECENT = 3  # pages whose rows are not handed over again if they come again unchanged
OWED = 24  # pages that are read before a gap, at most, and remembered while there is one


class Keyed:
    """Reads one list from `since` on, or, if it descends, no further than to `since`."""

    def __init__(self, listing: Listing, since: datetime | None = None) -> None:
        self.upto: datetime | None = None  # of the whole: the first response, less `MARGIN`
        self._listing, self._since = listing, since
        self._plan = Plan(listing, since if listing.can_open else None)
        self._before = operator.gt if listing.is_descending else operator.lt
        self._known: dict[Hashable, Row] = {}  # of the last pages
        self._owed: list[tuple[datetime, datetime, int]] = []  # between two keys, before which page
        self._pages = self._misses = 0  # pages read, and of the last ones those without progress
        self._start, self._late, self._total = LATEST, LATEST, 0  # rows, as counted at first
        self._reached: datetime | None = None
        self._sees_all = since is not None or not listing.can_open
        self._is_beyond = False  # are the last rows that were read later than the start?

    def walk(self) -> Walk:
        """Hand over every row from `since` on, and at last the bookmark, if there is one.

        Raises:
            Unsorted: keys lack or have no order, bound or number are ignored, or it moves too fast.
        """
        listing, plan, opened = self._listing, self._plan, self._since
        try:
            while self._misses <= PATIENCE:
                query = plan.following()
                if not listing.is_here(query):  # meanwhile other lists of a merged walk go on
                    yield Records([])
                page = listing.ask(query)
                if not self._pages:
                    self._begin(page)
                self._pages += 1
                keys = self._settled(query, page)
                if not self._goes_on(query, page, keys):
                    self._misses += 1
                    plan.again(self._reached if listing.can_open else None)
                    continue
                self._move(page, keys)
                yield self._other(page.named)
                plan.forward(page, keys, self._reached)
                ended = self._ends(query, page, keys)
                if not self._sees_all and query.since and (ended or self._total):
                    self._look_behind(at_once=ended or not plan.queries)
                yield from self._pay(at_once=ended or self._misses > 1 or not plan.queries)
                if ended:
                    yield Records([], self._bookmark(ended=True))
                    return
                is_stuck = self._misses > bool(plan.queries)
                if is_stuck and listing.can_open and self._reached not in {None, opened}:
                    opened = self._reached
                    plan.again(opened)
        finally:
            listing.forget()
        raise Unsorted

    def _begin(self, page: Page) -> None:
        """Freeze the moment that tells rows which change while the list is read."""
        self._total = page.total or 0
        self.upto = page.date and page.date - MARGIN
        if self._listing.grows and not self._listing.is_descending:
            now = self._listing.now()
            self._start, self._late = (page.date or now) - FRESH, now + SECOND

    def _settled(self, query: Query, page: Page) -> list[datetime]:
        """The keys of a page, in order, from the bound on, and not later than the start."""
        keys = [key for key in page.keys if key is not None and key <= self._start]
        if any(self._before(other, one) for one, other in itertools.pairwise(keys)):
            raise Unsorted
        if query.since and keys and keys[0] < query.since - SECOND:
            self._listing.warn("Qonto ignores the filter on changes: all rows are read each time")
            raise Ignored
        return keys

    def _goes_on(self, query: Query, page: Page, keys: list[datetime]) -> bool:
        """Were all rows before this page handed over, or are between two keys, and owed now?"""
        reached, owed = self._reached, self._owed
        if query.number == 1:
            return True
        if not keys or not reached:
            return not keys and bool(page.rows) and self._is_beyond
        is_near = self._before(keys[0], reached)
        if not is_near and self._listing.can_open:
            if owed and owed[-1][0] == reached:
                owed.pop()
            owed.append((reached, keys[0], self._pages))
        elif keys == [reached] * query.size:  # which no page can overlap
            raise Unsorted
        return is_near or self._listing.can_open

    def _move(self, page: Page, keys: list[datetime]) -> None:
        if keys and (self._reached is None or self._before(self._reached, keys[-1])):
            self._reached, self._misses = keys[-1], 0
        else:
            self._misses += 1
        self._is_beyond = all(key and key > self._start for key in page.keys[-OVERLAP:])

    def _other(self, rows: Mapping[Hashable, Row]) -> Records:
        """The rows without those that are known as they are, or as they were later."""
        key, known = self._listing.key, self._known
        found: list[Row] = []
        for name, row in rows.items():
            one = known.get(name)
            if one is None or (one != row and (key(one) or LATEST) <= (key(row) or LATEST)):
                known[name] = row
                found.append(row)
        most = self._listing.size * (RECENT + OWED * bool(self._owed))
        while len(known) > most:
            del known[next(iter(known))]
        return Records(found, self._bookmark())

    def _bookmark(self, *, ended: bool = False) -> datetime | None:
        """Up to when every row was handed over; never later than the start, less `MARGIN`."""
        if self._listing.is_descending or not (self._sees_all or ended):
            return self.upto if ended else None
        reached = self._owed[0][0] if self._owed else self._reached
        if self.upto is None:
            return max(filter(None, (reached and reached - MARGIN, self._since)), default=None)
        return self.upto if ended else reached and min(reached, self.upto)

    def _ends(self, query: Query, page: Page, keys: list[datetime]) -> bool:
        """Is it the last page, or behind `since`, or behind all that was there at the start?"""
        ended = self._listing.is_last(query, page)
        if None in page.keys and not (ended and query.number == 1):
            raise Unsorted
        if self._listing.is_descending and self._since and keys:
            ended = ended or keys[-1] < self._since
        return ended or (bool(page.rows) and all(key and key > self._late for key in page.keys))

    def _look_behind(self, *, at_once: bool) -> None:
        """Rows without a key stand behind all: on the last page, of the size that has most room."""
        listing, full, rows = self._listing, self._listing.size, self._total or self._plan.offset
        size = max(range(full - full // 5, full + 1), key=lambda one: min(rows % one, -rows % one))
        last = Query(number=max(1, -(-rows // size)), size=size)
        if not (at_once or listing.is_here(last)):
            listing.ahead(last)
            return
        self._sees_all = True
        page = behind = listing.ask(last)
        if len(page.rows) >= size:
            behind = listing.ask(last._replace(number=last.number + 1))
        if None in page.keys or behind.named.keys() - page.named.keys():
            raise Unsorted

    def _pay(self, *, at_once: bool) -> Walk:
        """Read what is owed, at once, or if it has come, or long ago; else send for it.

        A page that begins before the lower key and reaches beyond the higher one holds all rows.
        """
        listing, owed = self._listing, self._owed
        for low, *_ in owed:
            listing.ahead(Query(low - SECOND, size=listing.size))
        while owed:
            low, high, number = owed[0]
            query = Query(low - SECOND, size=listing.size)
            if not (at_once or listing.is_here(query) or number + OWED <= self._pages):
                return
            page = listing.ask(query)
            upto = max([low, *self._settled(query, page)])
            yield self._other(page.named)
            ended = upto <= high and listing.is_last(query, page)
            if is_apart := upto == low and not ended:  # its rows fill the page
                for rows, _ in listing.apart(low - SECOND, low + 3 * SECOND):
                    yield self._other(listing.named(rows))
                upto = low + 2 * SECOND
            owed[:1] = [] if upto > high or ended else [(upto, high, self._pages)]
            if self._reached and upto > self._reached:
                if is_apart and self._misses > bool(self._plan.queries):
                    self._plan.again(upto + SECOND)
                self._reached, self._misses = upto, 0
