"""A list that is sorted by a key which its rows show, read by that key alone.

Rows of one key have no order of their own: a database may give them in another one at each
request. What holds in any order is the key. `reached` is a moment: every row of a lower key was
handed over.

1. A page that opens a window at `reached` (lower bound, number 1) goes on from there.
2. A page further in goes on if its first key is lower than `reached`: the rows before it, of this
   window and before it, have keys no higher than that, so they were handed over. If not, rows have
   left: nothing is said about those between, and the window is opened anew.
3. After either, `reached` is the highest key of the page: rows of lower keys stand before it.
4. So at the last page, or at keys later than the start, every row was handed over. A row that
   changes meanwhile gets a key of now, which the next run asks for.

Nothing is remembered of rows, counts or upper bounds. A row that was changed a moment ago may
show a later key than that of its place: keys later than the first response are set aside in 2 and
3. Pages are sent ahead with a few rows of overlap, so that their first key is lower. Where it is
`reached` itself, only rows of that one key may lie between: they are owed. The walk goes on, and
reads them a little later, on the first page of a window at that key; if they fill it, by another
key (`Listing.apart`), or by their count. Until then the bookmark stays before them. A descending
list is the same, mirrored.
"""

from __future__ import annotations

import itertools
import operator
import typing as t
from collections import deque
from datetime import datetime, timedelta, timezone

from tap_qonto.errors import RequestFailed
from tap_qonto.pagination.pages import MARGIN, SECOND, Query, Records, Unsorted, ask, is_last, named
from tap_qonto.pagination.plan import OVERLAP, Plan

if t.TYPE_CHECKING:
    from collections.abc import Generator, Hashable, Iterator

    from tap_qonto.pagination.pages import Listing, Page, Row, Walk

PATIENCE = 30  # requests without progress, one after the other, before a list is given up
FRESH = timedelta(seconds=10)  # what changed so shortly before the start may show it too early
BEYOND = 20  # rows in a row, later than the start, that end a walk
RECENT = 3  # pages whose records are not handed over again if they come again unchanged
LONG = 10  # pages, before it is looked whether rows without a key stand at the end
GROUP = 2  # pages of one key that are read by number; then it is read apart
OWED = 16  # keys whose rows are read later, at most
LATEST = datetime.max.replace(tzinfo=timezone.utc)


class Owed(t.NamedTuple):
    """Rows of one key that are to be read apart."""

    key: datetime
    known: dict[Hashable, Row]
    """Those of it and of its neighbours that pages have brought."""
    query: Query
    """The first page of a window at the key, which was sent ahead."""


class Keyed:
    """Reads one list from `since` on, or, if it descends, no further than to `since`."""

    def __init__(self, listing: Listing, since: datetime | None = None) -> None:
        self.upto: datetime | None = None
        """Up to when the list is complete at its end: Qonto's first response, less `MARGIN`."""
        self._listing, self._since, self._plan = listing, since, Plan(listing)
        self._before = operator.gt if listing.is_descending else operator.lt
        self._recent: deque[dict[Hashable, Row]] = deque(maxlen=RECENT)
        self._owed: deque[Owed] = deque()
        self._first: Page | None = None
        self._start = self._late = LATEST
        self._reached: datetime | None = None
        self._sees_all = since is not None or not listing.can_open
        self._misses = 0
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
                page = ask(listing, query)
                if self._first is None:
                    self._begin(page)
                keys = self._settled(page)
                query = query if self._heeds(query, page) else query._replace(since=None)
                if goes_on := self._goes_on(query, page, keys):
                    rows = self._new(named(listing, page.rows))
                    if query.number > 1 and keys[:1] == [self._reached]:
                        self._owe(keys[0])
                    self._move(page, keys)
                    yield Records(rows, self.bookmark())
                    ended = self._ends(query, page, keys)
                    plan.forward(query, page, keys, self._reached)
                    if (yield from self._pay(0 if ended else OWED)) and ended:
                        return self.bookmark(ended=True)
                else:
                    self._misses += 1
                    plan.back()
                waits = goes_on and rows and (plan.is_ahead or keys[:1] != keys[-1:])
                if self._misses > (GROUP if waits else 0) and not self._is_beyond:
                    yield from self._open_anew()
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
        reached = self._owed[0].key if self._owed else self._reached
        if self.upto is None:
            return max(filter(None, (reached and reached - MARGIN, self._since)), default=None)
        return self.upto if ended else reached and min(reached, self.upto)

    def _begin(self, page: Page) -> None:
        """Freeze the moment that tells rows which change while the list is read."""
        self._first = page
        if not self._sees_all and (page.total or 0) > LONG * self._listing.size:
            self._listing.ahead(self._last())
        if page.date:
            self.upto = page.date - MARGIN
        if page.date and self._listing.grows and not self._listing.is_descending:
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

    def _heeds(self, query: Query, page: Page) -> bool:
        """Does Qonto heed the lower bound? If not (Q33), all is read, from the beginning."""
        observed, lowest = self._listing.observed, min(filter(None, page.keys), default=None)
        if not (query.since and lowest and lowest < query.since - SECOND):
            return True
        if observed.filters:
            observed.filters = False
            self._listing.warn(
                "Qonto ignores the filter on changes here: all rows are read each time"
            )
        self._reached = None
        self._owed.clear()
        self._plan.open(None)
        return False

    def _goes_on(self, query: Query, page: Page, keys: list[datetime]) -> bool:
        """Were all rows before this page handed over, or are they owed?"""
        if query.number == 1:
            return True
        if not keys:
            return bool(page.rows) and self._is_beyond
        if keys[0] == self._reached and not self._plan.is_windowed:
            if keys[-1] == self._reached:
                raise Unsorted
            return False
        return self._reached is not None and not self._before(self._reached, keys[0])

    def _move(self, page: Page, keys: list[datetime]) -> None:
        """Move `reached` to the last key of a page that goes on from it."""
        if keys and (self._reached is None or self._before(self._reached, keys[-1])):
            self._reached, self._misses = keys[-1], 0
        else:
            self._misses += 1
        last = page.keys[-OVERLAP:]
        self._is_beyond = bool(last) and all(key and key > self._start for key in last)

    def _new(self, rows: dict[Hashable, Row]) -> list[Row]:
        """The rows of a page that overlap none of the last pages, or changed since."""
        known = {name: row for former in self._recent for name, row in former.items()}
        self._recent.append(rows)
        return _other(rows, known)

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
        is_long = query.start >= LONG * listing.size
        if not self._sees_all and (is_long or (ended and query.since)):
            self._look_behind()
        return ended

    def _last(self) -> Query:
        """The last page of the whole list, as it was at first."""
        size, total = self._listing.size, t.cast("Page", self._first).total or 0
        return Query(number=max(1, -(-total // size)), size=size)

    def _look_behind(self) -> None:
        """Rows without a key stand behind all others, where no window shows them.

        Raises:
            Unsorted: there are rows without a key.
        """
        self._sees_all, query = True, self._last()
        for number in range(query.number, max(1, query.number - 3), -1):  # where rows left
            page = ask(self._listing, query._replace(number=number))
            if None in page.keys:
                raise Unsorted
            if page.rows:
                return

    def _open_anew(self) -> Iterator[Records]:
        """Begin a window at `reached`; if the one in hand begins there, behind rows read apart."""
        plan, owed = self._plan, self._owed
        if owed and owed[-1].key == self._reached:  # its rows fill pages
            key, known, _ = owed.pop()
            yield from self._apart(key, known)
        if not (yield from self._pay(0)):
            return
        if plan.is_windowed and self._reached and not plan.can_open(self._reached):
            yield from self._apart(self._reached, self._near(self._reached, *self._recent))
        if plan.can_open(self._reached):
            plan.open(self._reached)

    # -- rows of one key ---------------------------------------------------------------------

    def _owe(self, key: datetime) -> None:
        """Send for the rows of `key`, to read them later."""
        if not self._owed or self._owed[-1].key != key:
            query = Query(key - SECOND, size=self._listing.size)
            self._listing.ahead(query)
            self._owed.append(Owed(key, self._near(key, *self._recent), query))

    def _pay(self, most: int) -> Generator[Records, None, bool]:
        """Read what is owed, if it has come or is more than `most`; False: the list begins anew.

        A page that begins before the key and reaches beyond it holds all its rows.
        """
        owed = self._owed
        while len(owed) > most or (owed and self._listing.is_here(owed[0].query)):
            key, known, query = owed[0]
            page = ask(self._listing, query)
            if not self._heeds(query, page):
                return False
            keys = self._settled(page)
            if keys and key < keys[-1]:
                near = self._near(key, named(self._listing, page.rows))
                yield Records(_other(near, known), self.bookmark())
            else:
                yield from self._apart(key, known)
            owed.popleft()
        return True

    def _apart(self, key: datetime, known: dict[Hashable, Row]) -> Iterator[Records]:
        """Read the rows of a key that may fill a page, with neighbours: bounds may be cut."""
        for rows, _ in self._listing.apart(key - SECOND, key + 3 * SECOND):
            yield Records(_other(named(self._listing, rows), known), self.bookmark())
        upto = key + 2 * SECOND
        self._reached = max(self._reached or upto, upto)

    def _near(self, key: datetime, *pages: dict[Hashable, Row]) -> dict[Hashable, Row]:
        """The rows of `key`, and of some seconds around it."""
        return {
            name: row
            for rows in pages
            for name, row in rows.items()
            if abs((self._listing.key(row) or LATEST) - key) <= 3 * SECOND
        }


def _other(rows: dict[Hashable, Row], known: dict[Hashable, Row]) -> list[Row]:
    """Those of `rows` that are not known as they are."""
    return [row for name, row in rows.items() if known.get(name) != row]
