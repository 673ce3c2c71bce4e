"""A list that is sorted by a key which its rows show, read by that key alone.

Rows of one key have no order of their own: a database may give them in another one at each
request. What holds in any order is the key. `reached` is a moment: every row of a lower key was
handed over.

1. A page that opens a window at `reached` (lower bound, number 1) goes on from there.
2. A page further in goes on if its first key is lower than `reached`: the rows before it, of this
   window and before it, have keys no higher than that, so they were handed over. Pages overlap by a
   few rows, so that it is. If it is not, rows from `reached` to that key may be missing: a gap.
3. Either way `reached` is then the highest key of the page. A gap is owed: a window at its lower
   key is read a little later, until a page reaches beyond its higher key; rows that fill a page
   with one key by another key (`Listing.apart`). The bookmark stays before it.
4. At the last page, or at keys later than the start, with nothing owed, every row was handed over.
   A row that changes meanwhile gets a key of now, which the next run asks for.

A row that was changed a moment ago may show a later key than that of its place: keys later than the
first response are set aside in 2 and 3. Where a list takes no lower bound, a gap is closed by pages
that overlap by more. A descending list is the same, mirrored.
"""

from __future__ import annotations

import itertools
import operator
import typing as t
from collections import deque
from datetime import datetime, timedelta, timezone

from tap_qonto.pagination.pages import (
    MARGIN,
    SECOND,
    Ignored,
    Query,
    Records,
    Unsorted,
    ask,
    is_last,
    named,
)
from tap_qonto.pagination.plan import OVERLAP, Plan

if t.TYPE_CHECKING:
    from collections.abc import Generator, Hashable

    from tap_qonto.pagination.pages import Listing, Page, Row, Walk

PATIENCE = 30  # requests without progress, one after the other, before a list is given up
FRESH = timedelta(seconds=10)  # what changed so shortly before the start may show it too early
RECENT = 3  # pages whose rows are not handed over again if they come again unchanged
LONG = 10  # pages, before it is looked whether rows without a key stand at the end
OWED = 24  # pages that are read before a gap, at most
STUCK = 2  # pages without progress, one after the other, before a window is opened
LATEST = datetime.max.replace(tzinfo=timezone.utc)


class Gap(t.NamedTuple):
    """Two keys, of which and between which rows may stand that no page has brought."""

    low: datetime
    high: datetime
    number: int
    """How many pages were read before."""
    query: Query | None
    """The first page of a window at `low`, which was sent; None if its rows fill a page."""


class Keyed:
    """Reads one list from `since` on, or, if it descends, no further than to `since`."""

    def __init__(self, listing: Listing, since: datetime | None = None) -> None:
        self.upto: datetime | None = None
        """Up to when the list is complete at its end: Qonto's first response, less `MARGIN`."""
        self._listing, self._since, self._plan = listing, since, Plan(listing)
        self._before = operator.gt if listing.is_descending else operator.lt
        self._recent: deque[dict[Hashable, Row]] = deque()
        self._pages = 0
        self._owed: deque[Gap] = deque()
        self._total: int | None = None  # as it was at first
        self._start = self._late = LATEST
        self._reached: datetime | None = None
        self._sees_all = since is not None or not listing.can_open
        self._misses = 0
        self._is_beyond = False  # are the last rows that were read later than the start?

    def walk(self) -> Walk:
        """Hand over every row from `since` on; return the bookmark, None if there is none.

        Raises:
            Unsorted: the order is not that of the keys, rows have none, Qonto ignores bound or page
                number, or the list changes faster than it can be read. Rows may be handed over.
        """
        listing, plan = self._listing, self._plan
        if self._since and listing.can_open:
            plan.open(self._since)
        try:
            while self._misses <= PATIENCE:
                query = plan.following()
                if plan.is_new:  # meanwhile other lists of a merged walk go on
                    yield Records([])
                page = ask(listing, query)
                if not self._pages:
                    self._begin(page)
                self._pages += 1
                keys = self._settled(query, page)
                high = self._gap(query, page, keys)
                if high and not (listing.can_open and self._reached):
                    self._misses += 1
                    plan.back()
                    continue
                rows = named(listing, page.rows)
                if high:
                    fills = [high] == keys[-1:] == [self._reached] and len(keys) >= query.size
                    self._owe(high, fills=fills)
                self._move(page, keys)
                yield self._other(rows)
                self._remember(rows)
                plan.forward(query, page, keys, self._reached)
                ended = self._ends(query, page, keys) or high == LATEST
                is_long = self._total is not None and plan.offset > LONG * listing.size
                if not self._sees_all and (is_long or (ended and (query.since or high))):
                    self._look_behind()
                is_stuck = self._misses > (STUCK if plan.is_ahead else 0)
                if (yield from self._pay(at_once=ended or is_stuck)) and ended:
                    return self.bookmark(ended=True)
                if is_stuck and self._reached and plan.can_open(self._reached):
                    plan.open(self._reached)
        finally:
            listing.forget()
        raise Unsorted

    def bookmark(self, *, ended: bool = False) -> datetime | None:
        """Up to when every row was handed over; never later than the start, less `MARGIN`."""
        if self._listing.is_descending or not (self._sees_all or ended):
            return self.upto if ended else None
        reached = self._owed[0].low if self._owed else self._reached
        if self.upto is None:
            return max(filter(None, (reached and reached - MARGIN, self._since)), default=None)
        return self.upto if ended else reached and min(reached, self.upto)

    def _begin(self, page: Page) -> None:
        """Freeze the moment that tells rows which change while the list is read."""
        self._total = page.total
        if not self._sees_all and (page.total or 0) > LONG * self._listing.size:
            self._listing.ahead(self._last())
        if page.date:
            self.upto = page.date - MARGIN
        if self._listing.grows and not self._listing.is_descending:
            now = self._listing.now()
            self._start = (page.date or now) - FRESH
            self._late = max((page.date or now) + SECOND, now)  # a clock may be behind

    def _settled(self, query: Query, page: Page) -> list[datetime]:
        """The keys of a page, without those later than the start.

        Raises:
            Unsorted: they do not come in order, or are lower than the bound.
        """
        keys = [key for key in page.keys if key is not None and key <= self._start]
        if any(self._before(other, one) for one, other in itertools.pairwise(keys)):
            raise Unsorted
        if query.since and keys and keys[0] < query.since - SECOND:
            self._listing.warn(
                "Qonto ignores the filter on changes here: all rows are read each time"
            )
            raise Ignored
        return keys

    def _gap(self, query: Query, page: Page, keys: list[datetime]) -> datetime | None:
        """Up to which key rows before this page may be missing; None: it goes on from `reached`.

        Raises:
            Unsorted: rows of one key fill pages, and no window can be opened at it.
        """
        if query.number == 1:
            return None
        if not keys:
            return None if page.rows and self._is_beyond else LATEST
        if self._reached and self._before(keys[0], self._reached):
            return None
        if not self._listing.can_open and keys[0] == keys[-1] == self._reached:
            raise Unsorted
        return keys[0]

    def _move(self, page: Page, keys: list[datetime]) -> None:
        """Move `reached` to the last key of a page that goes on from it."""
        if keys and (self._reached is None or self._before(self._reached, keys[-1])):
            self._reached, self._misses = keys[-1], 0
        else:
            self._misses += 1
        last = page.keys[-OVERLAP:]
        self._is_beyond = bool(last) and all(key and key > self._start for key in last)

    def _remember(self, rows: dict[Hashable, Row]) -> None:
        """Keep the rows of the last pages, and of those since the oldest gap."""
        self._recent.append(rows)
        since = self._owed[0].number if self._owed else self._pages
        while len(self._recent) > RECENT + self._pages - since:
            self._recent.popleft()

    def _other(self, rows: dict[Hashable, Row], upto: datetime = LATEST) -> Records:
        """The rows up to a key, without those that are known as they are, or as they were later."""
        key, known = self._listing.key, {k: row for page in self._recent for k, row in page.items()}

        def is_known(one: Row | None, row: Row) -> bool:
            return one is not None and (one == row or (key(one) or LATEST) > (key(row) or LATEST))

        found = (row for name, row in rows.items() if not is_known(known.get(name), row))
        return Records([row for row in found if (key(row) or upto) <= upto], self.bookmark())

    def _ends(self, query: Query, page: Page, keys: list[datetime]) -> bool:
        """Is it the last page, or behind `since`, or behind all that was there at the start?

        Raises:
            Unsorted: rows without a key stand where others may be missing.
        """
        listing, ended = self._listing, is_last(self._listing, query, page)
        if None in page.keys and not (ended and query.number == 1):
            raise Unsorted
        if listing.is_descending and self._since and keys:
            ended = ended or keys[-1] < self._since
        return ended or (bool(page.rows) and all(key and key > self._late for key in page.keys))

    def _last(self) -> Query:
        """The page on which the whole list ends, as it was counted at first, or by what was read.

        Of pages of several sizes, the one with the most room for rows that come or leave meanwhile.
        """
        full, rows = self._listing.size, self._total
        rows = self._plan.offset if rows is None else rows
        size = max(range(full - full // 5, full + 1), key=lambda one: min(rows % one, -rows % one))
        return Query(number=max(1, -(-rows // size)), size=size)

    def _look_behind(self) -> None:
        """Rows without a key stand behind all others, where no window shows them.

        Raises:
            Unsorted: there are rows without a key, or many more rows than were counted.
        """
        self._sees_all, last = True, self._last()
        page = ask(self._listing, last)
        if len(page.rows) >= last.size:
            behind = ask(self._listing, last._replace(number=last.number + 1))
            if named(self._listing, behind.rows).keys() - named(self._listing, page.rows).keys():
                raise Unsorted
        if None in page.keys:
            raise Unsorted

    # -- rows between pages ------------------------------------------------------------------

    def _owe(self, high: datetime, *, fills: bool) -> None:
        """Send for the rows between `reached` and `high`, to read them later."""
        low, number = t.cast("datetime", self._reached), self._pages
        if self._owed and self._owed[-1].low == low:
            former = self._owed.pop()
            number, fills = former.number, fills or not former.query
        query = None if fills else Query(low - SECOND, size=self._listing.size)
        if query:
            self._listing.ahead(query)
        self._owed.append(Gap(low, high, number, query))

    def _pay(self, *, at_once: bool) -> Generator[Records, None, bool]:
        """Read what is owed, at once, if it has come, or long ago; False: the walk went back.

        A page that begins before the lower key and reaches beyond the higher one holds all rows.
        """
        listing, owed = self._listing, self._owed
        while owed:
            low, high, number, query = owed[0]
            is_here = query is not None and listing.is_here(query)
            if not (at_once or is_here or number + OWED <= self._pages):
                break
            upto, ended = low, False
            if query:
                page = ask(listing, query)
                upto = max([low, *self._settled(query, page)])
                yield self._other(named(listing, page.rows), high)
                ended = upto <= high and is_last(listing, query, page)
            if is_apart := upto == low and not ended:
                for rows, _ in listing.apart(low - SECOND, low + 3 * SECOND):
                    yield self._other(named(listing, rows))
                upto = low + 2 * SECOND
            is_back = upto <= high and not ended
            if is_back or (is_apart and upto > t.cast("datetime", self._reached)):
                self._reached = upto
                self._plan.open(upto + SECOND if is_apart else upto)
            if is_back:
                owed.clear()
                return False
            owed.popleft()
        return True
