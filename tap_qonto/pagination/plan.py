"""Which page of a sorted list is asked for next, and which are sent ahead, so that they overlap."""

from __future__ import annotations

import itertools
import typing as t
from collections import deque

from tap_qonto.pagination.pages import SECOND, Query, ask

if t.TYPE_CHECKING:
    from datetime import datetime

    from tap_qonto.pagination.pages import Listing, Page

OVERLAP = 3  # rows; more where keys repeat or rows left
LOOK = 4  # pages that are looked at before their turn
DEPTH = 9_000  # rows of a window: behind 10,000 search engines give none


class Plan:
    """The window in hand, and the queries of its next pages."""

    def __init__(self, listing: Listing) -> None:
        self._listing = listing
        self._queries: deque[Query] = deque()
        self._pages: dict[Query, Page] = {}  # looked at before their turn
        self._overlap = float(OVERLAP)
        self._total = self._ties = 0
        self._reached: datetime | None = None
        self._ahead, self._growth = 0.0, 1.0  # pages: at most, and more for each that went on
        self.opened: datetime | None = None
        """The lower bound of the window; None: the whole list."""
        self.offset = 0
        """Rows of the window before the next page."""
        self.is_new = False
        """Was the query that follows sent just now, not ahead?"""

    @property
    def is_windowed(self) -> bool:
        """Can a window be opened at any key?"""
        return self._listing.can_open and self._listing.observed.filters

    def can_open(self, key: datetime | None) -> bool:
        """Would a window that begins at `key` begin later than the one in hand?"""
        is_later = key is not None and (self.opened is None or key - SECOND > self.opened)
        return self.is_windowed and is_later

    def open(self, key: datetime | None) -> None:
        """Begin a window a second before `key`: keys may be shown rounded, and bounds cut.

        None: begin the whole list.
        """
        self.forget()
        self.opened = key and key - SECOND
        self.offset = self._total = self._ties = 0

    def following(self) -> Query:
        """Return the next query, which is sent; send others ahead, as far as the count goes."""
        queries = self._queries
        begins = queries[0].start if queries else self.offset - int(self._overlap)
        is_between = bool(queries) and queries[0].behind > 0
        is_late = self.offset > 0 and begins >= self.offset - self._ties and not is_between
        self.is_new = is_late or not queries
        if self.is_new:
            queries.appendleft(self._fresh(is_late=is_late))
            self._listing.ahead(queries[0])
        while (end := queries[-1].reach) < min(self._total, DEPTH):
            query = self._overlapping(max(end, self.offset))
            is_vain = query.end <= max(end, self.offset)
            if is_vain or len(queries) > self._ahead or not self._listing.ahead(query):
                break
            queries.append(query)
        self._look_ahead()
        return queries.popleft()

    def page(self, query: Query) -> Page:
        """Return the page of a query that was `following`; raises what `ask` raises."""
        return self._pages.pop(query, None) or ask(self._listing, query)

    def _look_ahead(self) -> None:
        """Send what is to be read between pages that are here already, before their turn."""
        if not self.is_windowed:
            return
        for query, after in [*itertools.islice(itertools.pairwise(self._queries), LOOK)]:
            if query in self._pages or not self._listing.is_here(query):
                continue
            page = self._pages[query] = ask(self._listing, query)
            last = page.keys[-1] if page.keys else None
            begins = query.place + len(page.rows) - page.keys.count(last)
            is_late = not after.behind and after.start >= begins > query.place
            if last and is_late and self.can_open(last):
                between = self._between(last, begins)
                if self._listing.ahead(between):
                    self._queries.insert(self._queries.index(after), between)

    def forward(self, query: Query, page: Page, ties: int, reached: datetime | None) -> None:
        """Go on behind `page`, of whose rows `ties` have the key that was reached."""
        self.offset = max(self.offset, query.place + len(page.rows))
        self._ties, self._reached = ties if page.keys[-1:] == [reached] else 0, reached
        if not query.behind:
            self._total = page.total or 0
        self._ahead += self._growth
        usual = 2 * ties + 1 if 4 * ties < self._listing.size else 0
        self._overlap = max(OVERLAP, self._overlap + (usual - self._overlap) / 10)

    def leap(self, number: int, reached: datetime) -> None:
        """Go on behind `number` rows of one key, which were read apart."""
        self.offset += number - self._ties
        self._ties, self._reached = 0, reached

    def back(self) -> None:
        """Step back, as rows left: overlap by more from now on, and send fewer ahead."""
        self._overlap = min(2 * self._overlap, self._listing.size // 4 or 1)
        self._ahead, self._growth = len(self._queries) / 2, 0.05
        self.offset = max(0, self.offset - (self._listing.size // 2 or 1))
        self.forget()

    def forget(self) -> None:
        """Drop what was sent ahead."""
        self._queries.clear()
        self._pages.clear()
        self._listing.forget()

    def _fresh(self, *, is_late: bool) -> Query:
        """Choose a page that was not sent ahead.

        If it is to begin before all rows of the last key, or else would reach no further, it is one
        that is read between others.
        """
        query = self._overlapping(self.offset, self._ties + 1)
        is_vain = 0 < query.end <= self.offset
        if (is_late or is_vain) and self._reached and self.can_open(self._reached):
            query = self._between(self._reached, self.offset - self._ties)
        return query

    def _between(self, key: datetime, place: int) -> Query:
        """Return the first page of a window of its own, from the rows of `key` at `place` on.

        Pages that were sent ahead stay good behind it.
        """
        return Query(key - SECOND, size=self._listing.size, behind=place)

    def _overlapping(self, offset: int, overlap: int = 0) -> Query:
        """Choose size and number of the page that reaches furthest and begins early enough.

        Pages begin at multiples of their size: of all sizes, some border lies just before the row
        wanted. With too much overlap none may reach beyond `offset`; then less has to do.
        """
        size = self._listing.size
        overlap = min(max(overlap, int(self._overlap)), size - 1)
        while offset:
            start = max(0, offset - overlap)
            end, best = max(((start // one + 1) * one, one) for one in range(1, size + 1))
            if end > offset or overlap <= 1:
                return Query(self.opened, number=end // best, size=best)
            overlap -= 1
        return Query(self.opened, size=size)
