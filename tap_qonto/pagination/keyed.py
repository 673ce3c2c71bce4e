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
3. Pages are sent ahead with a few rows of overlap, so that their first key is lower. Where one
key fills a page, its rows are read by another key that tells them apart (`Listing.apart`), or by
their count. A descending list is the same, mirrored.
"""

from __future__ import annotations

import itertools
import operator
import typing as t
from datetime import datetime, timedelta, timezone

from tap_qonto.errors import RequestFailed, RequestRejected
from tap_qonto.pagination.counted import by_count
from tap_qonto.pagination.pages import (
    MARGIN,
    SECOND,
    Page,
    Query,
    Recent,
    Records,
    ask,
    frozen,
    is_last,
)
from tap_qonto.pagination.plan import DEPTH, Plan

if t.TYPE_CHECKING:
    from tap_qonto.pagination.pages import Listing, Walk

PATIENCE = 30  # requests without progress, one after the other, before a list is given up
STRAYS = 4  # pages at other places than asked for, before numbers are not used any more
FRESH = timedelta(seconds=10)  # what changed so shortly before the start may show it too early
BEYOND = 20  # rows in a row, later than the start, that end a walk
LATEST = datetime.max.replace(tzinfo=timezone.utc)


class Unsorted(Exception):  # noqa: N818 - what the list is
    """The list does not come in the order that was asked for, or rows lack its key."""


class Keyed:
    """Reads one list from `since` on; `asked` is Qonto's clock at the first response."""

    def __init__(
        self, listing: Listing, since: datetime | None = None, *, until: datetime | None = None
    ) -> None:
        """`until`: read no rows behind this key (older ones, in a descending list)."""
        self._listing = listing
        self._since = since
        self._until = until
        self._before = operator.gt if listing.is_descending else operator.lt
        self._reached: datetime | None = None
        self._late = LATEST
        self._start = LATEST  # rows of later keys may have changed since the first response
        self._first: Page | None = None
        self._sees_all = since is not None or not listing.can_open
        self._recent = Recent(listing)
        self._plan = Plan(listing)
        self._has_moved = False
        self._equal_key: datetime | None = None
        self._misses = 0
        self._beyond = 0  # rows at the end of what was read that are later than the start

    def walk(self) -> Walk:
        """Hand over every row from `since` on; return the bookmark, None if there is none.

        Raises:
            Unsorted: the order is not that of the keys, or rows have none; some may be handed over.
            RequestFailed: it can't be proven that no row is missing.
        """
        listing, plan = self._listing, self._plan
        listing.size = min(listing.size, listing.observed.size or listing.size)
        if self._since and listing.can_open and listing.observed.filters:
            plan.open(self._since - SECOND)
        try:
            while True:
                query = plan.following()
                page = ask(listing, query)
                if self._first is None:
                    self._begin(page)
                keys = self._settled(page)
                if self._is_gap(query, page, keys):
                    if not page.rows and plan.horizon > plan.offset:
                        listing.observed.depth = plan.offset  # as deep as the list can be read
                    tied = bool(keys) and keys[0] == self._reached
                    if tied and self._is_windowed and not self._can_open():
                        yield from self._equal(keys[0])
                    else:
                        self._back(tied=tied)
                    continue
                self._move(query, page, keys)
                yield Records(self._recent.new(page), self.bookmark())
                if self._ends(query, page, keys):
                    return self.bookmark(ended=True)
                if key := self._repeated(page, keys):
                    yield from self._equal(key)
                else:
                    self._go_on(query, page, keys)
        finally:
            listing.forget()

    @property
    def is_dated(self) -> bool:
        """Did Qonto tell the time?"""
        return self._first is not None and self._first.date is not None

    def bookmark(self, *, ended: bool = False) -> datetime | None:
        """Up to when every row was handed over; never later than the start, less `MARGIN`."""
        upto = frozen(self._first.date) if self._first else None
        if self._listing.is_descending or not (self._sees_all or ended):
            return upto if ended else None
        if upto is None:
            reached = self._reached and self._reached - MARGIN
            return max(filter(None, (reached, self._since)), default=None)
        return upto if ended else self._reached and min(self._reached, upto)

    def _begin(self, page: Page) -> None:
        """Freeze the moment that tells rows which change while the list is read."""
        self._first = page
        if page.date and not self._listing.is_descending:
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

    def _is_gap(self, query: Query, page: Page, keys: list[datetime]) -> bool:
        """May rows of a key that was not reached stand before this page?"""
        if query.number == 1:
            return False
        if keys:
            return self._reached is None or not self._before(keys[0], self._reached)
        return not page.rows or not self._beyond

    def _move(self, query: Query, page: Page, keys: list[datetime]) -> None:
        """Move `reached` to the last key of a page that goes on from it."""
        self._check_filter(query, page)
        former = self._reached
        if keys and (former is None or self._before(former, keys[-1])):
            self._reached = keys[-1]
        self._has_moved = self._reached != former
        self._misses = 0 if self._has_moved else self._misses + 1
        for key in page.keys:
            self._beyond = self._beyond + 1 if key is not None and key > self._start else 0

    def _check_filter(self, query: Query, page: Page) -> None:
        """Do the rows respect the lower bound (Q33)? Says so once per stream if not."""
        lowest = min((key for key in page.keys if key is not None), default=None)
        if query.since and lowest is not None and lowest < query.since - SECOND:
            if self._listing.observed.filters:
                self._listing.observed.filters = False
                self._listing.warn(
                    "Qonto ignores the filter on changes here: all rows are read each time"
                )
            self._reached = self._plan.opened = None

    def _ends(self, query: Query, page: Page, keys: list[datetime]) -> bool:
        """Is it the last page, or behind `until`, or behind all that was there at the start?

        Raises:
            Unsorted: rows without a key stand where others may be missing.
        """
        listing, plan = self._listing, self._plan
        ended = is_last(listing, query, page)
        if None in page.keys and not (ended and query.number == 1):
            raise Unsorted
        whole = query.start + len(page.rows)
        if ended and plan.opened is None and page.total not in {None, whole}:
            listing.observed.miscounted = True
        if not ended and self._until and keys and self._before(self._until, keys[-1]):
            return True
        if not ended and self._beyond >= BEYOND:
            tail = t.cast("list[datetime]", page.keys[-BEYOND:])
            ended = tail[0] > self._late and all(a <= b for a, b in itertools.pairwise(tail))
        if ended and not self._sees_all and plan.opened is not None:
            self._look_at_the_tail()
        return ended

    def _repeated(self, page: Page, keys: list[datetime]) -> datetime | None:
        """The key that fills a page, so that no page can begin before it and reach behind it."""
        if len(page.rows) >= self._listing.size > 1 and keys:
            ties = keys.count(keys[-1])
            if ties >= len(page.rows) - 1:
                return keys[-1]
        return None

    def _go_on(self, query: Query, page: Page, keys: list[datetime]) -> None:
        """Plan the next page: further in, or a window anew where numbers lead astray."""
        listing, plan, observed = self._listing, self._plan, self._listing.observed
        if query.number > 1:
            if self._has_moved:
                observed.numbered = True
            elif not self._beyond:
                self._stray()
        if self._misses > PATIENCE and not self._beyond:
            raise self._given_up()
        ties = keys.count(keys[-1]) if keys else 0
        plan.forward(query, page, ties)
        if not self._sees_all and plan.offset >= 10 * listing.size:
            self._look_at_the_tail()
        is_lost = query.number > 1 and not (self._has_moved or self._beyond)
        is_deep = plan.offset >= max(plan.horizon, observed.depth or DEPTH)
        wants = is_lost or is_deep or observed.numbered is False or 2 * ties > listing.size
        if wants and self._can_open():
            self._open()

    def _look_at_the_tail(self) -> None:
        """Rows without a key stand behind all others, where no window with a bound shows them.

        Raises:
            Unsorted: there are some.
        """
        self._sees_all, size = True, self._listing.size
        total = t.cast("Page", self._first).total
        for _ in range(3):
            number = -(-(total or 0) // size)
            if number < 2:  # noqa: PLR2004 - the first page was seen
                return
            page = ask(self._listing, Query(number=number, size=size))
            if None in page.keys:
                raise Unsorted
            if page.is_last or page.total in {None, total}:
                return
            total = page.total

    # -- where a page does not go on, or the key does not move ------------------------------

    def _back(self, *, tied: bool) -> None:
        """A gap is possible: open the window anew at what was reached, or step back."""
        self._misses += 1
        if not tied:
            self._stray()
        if self._misses > PATIENCE:
            raise self._given_up()
        if self._can_open():
            self._plan.longer()
            self._open()
        elif self._listing.observed.numbered is False or (tied and self._misses > PATIENCE // 3):
            raise Unsorted
        else:
            self._plan.back()

    def _stray(self) -> None:
        """A page further in was not where it should be; if none ever is, numbers tell nothing."""
        observed = self._listing.observed
        if observed.numbered is None:
            observed.strays += 1
            if observed.strays >= STRAYS:
                observed.numbered = False

    def _can_open(self) -> bool:
        """Would a window that begins at `reached` begin later than the one in hand?"""
        opened = self._plan.opened
        return (
            self._is_windowed
            and self._reached is not None
            and (opened is None or self._reached - SECOND > opened)
        )

    @property
    def _is_windowed(self) -> bool:
        """Can a window be opened at any key?"""
        return self._listing.can_open and self._listing.observed.filters

    def _open(self) -> None:
        # a second early: keys may be shown rounded, and bounds may be cut to seconds
        self._plan.open(t.cast("datetime", self._reached) - SECOND)

    def _equal(self, key: datetime) -> Walk:
        """Read the rows of one key that fills a page: by another key, or by their count.

        Their neighbours within a second come with them. Ends where the list goes on behind them.
        """
        listing, since, until = self._listing, key - SECOND, key + 2 * SECOND
        listing.forget()
        if not self._is_windowed:
            raise Unsorted
        if key == self._equal_key:  # the list still stands there
            raise self._given_up()
        self._equal_key = key
        others = listing.apart(since, until)
        ways = [
            *([lambda: (rows for rows, _ in Keyed(others).walk())] if others else ()),
            lambda: by_count(listing, Query(since=since, until=until)),
            lambda: by_count(listing, Query(since=since)),
        ]
        for number, way in enumerate(ways):
            try:
                for rows in way():
                    yield Records(rows, self.bookmark())
                break
            except (Unsorted, RequestRejected):
                if number + 1 == len(ways):
                    raise
        self._misses = 0
        self._plan.open(key + SECOND)  # all before it was read, however bounds are cut
        return None

    def _given_up(self) -> Exception:
        if not self._is_windowed:
            return Unsorted()
        return RequestFailed(
            "the list changes faster than it can be read, has no stable order, or ignores page "
            "numbers"
        )
