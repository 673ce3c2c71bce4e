"""A list that is sorted by a key which its rows show, read by that key alone.

Rows of one key have no order of their own: a database may give them in another one at each
request. What holds in any order is the key. `reached` is a moment: every row of a lower key was
handed over.

1. A page that opens a window at `reached` (lower bound, number 1) goes on from there.
2. A page further in goes on if its first key is lower than `reached`: the rows before it have keys
   no higher than that, so they were handed over. If not, rows have left: nothing is said about
   those between, and the window is opened anew.
3. After either, `reached` is the highest key of the page: rows of lower keys stand before it.
4. So at the last page, or at keys later than the start, every row was handed over. A row that
   changes meanwhile gets a key of now, which the next run asks for.

Nothing is remembered of rows, counts or upper bounds. A row that was changed a moment ago may
show a later key than that of its place: keys later than the first response are set aside in 2 and
3. Pages are sent ahead with a few rows of overlap, so that their first key is lower; where a page
ends among more rows of one key, the first page of a window at `reached` is read in between. Where
one key fills a page, its rows are read by another key that tells them apart (`Listing.apart`), or
by their count. A descending list is the same, mirrored.
"""

from __future__ import annotations

import itertools
import operator
import typing as t
from collections import deque
from datetime import datetime, timedelta, timezone

from tap_qonto.errors import RequestFailed
from tap_qonto.pagination.counted import by_count
from tap_qonto.pagination.pages import MARGIN, SECOND, Observed, Query, Records, ask, is_last, named
from tap_qonto.pagination.plan import DEPTH, OVERLAP, Plan
from tap_qonto.pagination.ways import Unsorted, first_accepted

if t.TYPE_CHECKING:
    from collections.abc import Hashable

    from tap_qonto.pagination.pages import Listing, Page, Row, Walk
    from tap_qonto.pagination.ways import Way

PATIENCE = 30  # requests without progress, one after the other, before a list is given up
FRESH = timedelta(seconds=10)  # what changed so shortly before the start may show it too early
BEYOND = 20  # rows in a row, later than the start, that end a walk
RECENT = 4  # pages whose records are not handed over again if they come again unchanged
LATEST = datetime.max.replace(tzinfo=timezone.utc)


class Keyed:
    """Reads one list from `since` on, or, if it descends, no further than to `since`."""

    def __init__(
        self, listing: Listing, since: datetime | None = None, *, grows: bool = True
    ) -> None:
        """`grows`: the next run reads what has a key later than the start of this walk."""
        self.upto: datetime | None = None
        """Up to when the list is complete at its end: Qonto's first response, less `MARGIN`."""
        self._listing, self._since, self._plan = listing, since, Plan(listing)
        self._before = operator.gt if listing.is_descending else operator.lt
        self._recent: deque[dict[Hashable, Row]] = deque(maxlen=RECENT)
        self._first: Page | None = None
        self._grows = grows and not listing.is_descending
        self._start = self._late = LATEST
        self._reached: datetime | None = None
        self._seen: datetime | None = None  # the highest key of a page: rows of now come later
        self._sees_all = since is not None or not listing.can_open
        self._misses = 0
        self._is_lost = False  # did the last page tell nothing new, where it should?
        self._is_beyond = False  # are the last rows that were read later than the start?

    def walk(self) -> Walk:
        """Hand over every row from `since` on; return the bookmark, None if there is none.

        Raises:
            Unsorted: the order is not that of the keys, or rows have none; some may be handed over.
            RequestFailed: it can't be proven that no row is missing.
        """
        listing, plan = self._listing, self._plan
        if self._since and plan.is_windowed:
            plan.open(self._since)
        try:
            while self._misses <= PATIENCE:
                query = plan.following()
                if plan.is_new:  # meanwhile other lists of a merged walk go on
                    yield Records([])
                page = plan.page(query)
                if self._first is None:
                    self._begin(page)
                keys = self._settled(page)
                query = self._as_heeded(query, page)
                if self._goes_on(query, page, keys):
                    rows = [] if self._is_known(page) else self._new(page)
                    self._move(query, page, keys)
                    yield Records(rows, self.bookmark())
                    if self._ends(query, page, keys):
                        return self.bookmark(ended=True)
                    ties = keys.count(t.cast("datetime", self._reached))
                    plan.forward(query, page, ties, self._reached)
                    is_filled = ties >= max(listing.size, len(page.rows)) - 1 > 0
                else:
                    self._misses, self._is_lost = self._misses + 1, True
                    plan.back()
                    ties = keys.count(t.cast("datetime", self._reached))
                    is_filled = ties >= query.size > 1 and not plan.can_open(self._reached)
                if is_filled:
                    yield from self._equal(t.cast("datetime", self._reached))
                elif self._wants_window() and plan.can_open(self._reached):
                    plan.open(t.cast("datetime", self._reached))
        finally:
            listing.forget()
        if not plan.is_windowed:
            raise Unsorted
        raise RequestFailed(
            "the list changes faster than it can be read, has no stable order, or ignores page "
            "numbers"
        )

    def bookmark(self, *, ended: bool = False) -> datetime | None:
        """Up to when every row was handed over; never later than the start, less `MARGIN`."""
        if self._listing.is_descending or not (self._sees_all or ended):
            return self.upto if ended else None
        if self.upto is None:
            seen = self._seen and self._seen - MARGIN
            return max(filter(None, (seen, self._since)), default=None)
        return self.upto if ended else self._seen and min(self._seen, self.upto)

    def _begin(self, page: Page) -> None:
        """Freeze the moment that tells rows which change while the list is read."""
        self._first = page
        if page.date:
            self.upto = page.date - MARGIN
        if page.date and self._grows:
            self._start = page.date - FRESH
            self._late = max(page.date + SECOND, self._listing.now())  # a clock may be behind

    def _settled(self, page: Page) -> list[datetime]:
        """The keys of a page, without those later than the start.

        Raises:
            Unsorted: they do not come in order.
        """
        keys = [key for key in page.keys if key is not None and key <= self._start]
        if any(self._before(other, one) for one, other in itertools.pairwise(keys)):
            raise Unsorted
        return keys

    def _goes_on(self, query: Query, page: Page, keys: list[datetime]) -> bool:
        """Were all rows before this page handed over?"""
        if query.number == 1:
            is_sure = query.since and self._reached and query.since < self._reached
            return not query.behind or bool(is_sure)  # sent before its turn: on trust
        if keys:
            return self._reached is not None and self._before(keys[0], self._reached)
        return bool(page.rows) and self._is_beyond

    def _is_known(self, page: Page) -> bool:
        """Were all rows of this page handed over before, so that it tells nothing?"""
        last = page.keys[-1] if page.keys else None
        return bool(last and self._reached and self._before(last, self._reached))

    def _as_heeded(self, query: Query, page: Page) -> Query:
        """Return the query that was answered: without its bound, where that is ignored (Q33)."""
        observed, lowest = self._listing.observed, min(filter(None, page.keys), default=None)
        if not (query.since and lowest and lowest < query.since - SECOND):
            return query
        if observed.filters:
            observed.filters = False
            self._listing.warn(
                "Qonto ignores the filter on changes here: all rows are read each time"
            )
        self._reached = self._seen = None
        self._plan.open(None)
        return query._replace(since=None, behind=0)

    def _move(self, query: Query, page: Page, keys: list[datetime]) -> None:
        """Move `reached` to the last key of a page that goes on from it."""
        reaches = query.reach > self._plan.offset
        if keys and (self._reached is None or self._before(self._reached, keys[-1])):
            self._reached = self._seen = keys[-1]
            self._misses, self._is_lost = 0, False
        elif reaches or self._plan.is_new:  # else it was sent before others reached further
            self._misses += 1
            is_among = len(keys) > 1 and keys[-2] == self._reached  # rows of that key may go on
            self._is_lost = reaches and not (is_among and self._misses == 1)
        last = page.keys[-OVERLAP:]
        self._is_beyond = bool(last) and all(key and key > self._start for key in last)

    def _new(self, page: Page) -> list[Row]:
        """The rows of a page that overlap none of the last pages, or changed since."""
        rows = named(self._listing, page.rows)
        known = {name: row for former in self._recent for name, row in former.items()}
        self._recent.append(rows)
        return [row for name, row in rows.items() if name not in known or known[name] != row]

    def _ends(self, query: Query, page: Page, keys: list[datetime]) -> bool:
        """Is it the last page, or behind `since`, or behind all that was there at the start?

        Raises:
            Unsorted: rows without a key stand where others may be missing.
        """
        listing, ended = self._listing, is_last(self._listing, query, page)
        if None in page.keys and not (ended and query.number == 1):
            raise Unsorted
        last = page.keys[-BEYOND:]
        ended = ended or (len(last) == BEYOND and all(key and key > self._late for key in last))
        if listing.is_descending and self._since and keys:
            ended = ended or keys[-1] < self._since
        is_long = query.place >= 10 * listing.size
        if not self._sees_all and (is_long or (ended and query.since)):
            self._look_behind()
        return ended

    def _look_behind(self) -> None:
        """Rows without a key stand behind all others, where no window shows them.

        Raises:
            Unsorted: there are rows without a key.
        """
        self._sees_all, size = True, self._listing.size
        last = -(-(t.cast("Page", self._first).total or 0) // size)
        for number in range(last, max(1, last - 3), -1):  # fewer, where rows left meanwhile
            page = ask(self._listing, Query(number=number, size=size))
            if None in page.keys:
                raise Unsorted
            if page.rows:
                return

    # -- windows -----------------------------------------------------------------------------

    def _wants_window(self) -> bool:
        """Did rows leave, does the page number tell nothing, or is the window deep?"""
        return (self._is_lost and not self._is_beyond) or self._plan.offset >= DEPTH

    def _equal(self, key: datetime) -> Walk:
        """Read the rows of one key that fills a page: by another key, or by their count.

        Their neighbours within some seconds come with them, however bounds are cut.
        """
        if not self._plan.is_windowed:
            raise Unsorted
        listing, since, until = self._listing, key - SECOND, key + 3 * SECOND
        others, number = listing.apart(since, until), 0
        ways: list[Way] = [Keyed(others, grows=False).walk] if others else []
        ways.append(lambda: by_count(listing, Query(since=since, until=until)))
        ways.append(lambda: by_count(listing, Query(since=since)))
        if not others:
            self._plan.forget()
        for rows, _ in first_accepted(ways, Observed(), lambda: None):
            number += len(rows)
            yield Records(rows, self.bookmark())
        self._reached = until - SECOND  # bounds may be cut to whole seconds
        self._plan.leap(number, self._reached)
        return None
