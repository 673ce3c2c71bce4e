"""Which page of a sorted list is asked for next, and which are sent ahead, so that they overlap."""

from __future__ import annotations

import typing as t
from collections import deque

from tap_qonto.pagination.pages import SECOND, Query

if t.TYPE_CHECKING:
    from datetime import datetime

    from tap_qonto.pagination.pages import Listing, Page

OVERLAP = 3  # rows; more where keys repeat or rows left
WINDOW = 10  # pages, before the next window begins
DEPTH = 9_000  # rows of a window at most: behind 10,000 search engines give none


class Plan:
    """The window in hand, and the queries of its next pages."""

    def __init__(self, listing: Listing) -> None:
        self._listing = listing
        self._queries: deque[tuple[Query, int]] = deque()  # and the places before their windows
        self._overlap = float(OVERLAP)
        self._total = listing.expected or 0
        self._offset = self._place = self._window = self._ties = 0  # places: of all windows
        self._ahead = self._growth = 1.0  # pages: at most, and more for each that went on
        self._since: datetime | None = None  # of the window in hand; None: the whole list
        self._begun: datetime | None = None  # of the last one whose first page was asked for
        self.is_new = False
        """Was the query that follows sent just now, not ahead?"""

    @property
    def is_windowed(self) -> bool:
        """Can a window be opened at any key?"""
        return self._listing.can_open and self._listing.observed.filters

    @property
    def is_ahead(self) -> bool:
        """Are pages on their way that a new window would drop?"""
        return bool(self._queries)

    def can_open(self, key: datetime | None) -> bool:
        """Would a window that begins at `key` begin later than the last that was read so?"""
        is_later = key is not None and (self._begun is None or key - SECOND > self._begun)
        return self.is_windowed and is_later

    def open(self, key: datetime | None) -> None:
        """Begin a window a second before `key`: keys may be shown rounded, and bounds cut.

        None: begin the whole list.
        """
        self._forget()
        self._since = self._begun = key and key - SECOND
        self._offset = self._place = self._window = self._total = self._ties = 0

    def following(self) -> Query:
        """Return the next query, which is sent; send others ahead, as far as the count goes."""
        queries = self._queries
        self.is_new = not queries
        if not queries:
            queries.append((self._overlapping(self._offset, self._ties + 1), self._window))
            self._listing.ahead(queries[0][0])
        furthest = min(self._total, self._window + DEPTH)
        while (end := self._end()) < furthest and len(queries) <= self._ahead:
            query = self._overlapping(end)
            if self._window + query.end <= end or not self._listing.ahead(query):
                break
            queries.append((query, self._window))
        query, self._place = queries.popleft()
        return query

    def forward(
        self, query: Query, page: Page, keys: list[datetime], reached: datetime | None
    ) -> None:
        """Go on behind `page`, which has these `keys`.

        A window that is long already moves along: its next pages are asked for in one that begins
        at `reached`, while those of the former are on their way.
        """
        self._offset = self._place + query.start + len(page.rows)
        self._total = self._place + (page.total or 0)
        ties = keys.count(reached) if reached else 0
        is_owed = self.is_windowed and 2 * ties >= self._listing.size  # cheaper than to overlap
        self._ties = 0 if is_owed else ties
        self._ahead += self._growth
        usual = 2 * ties + 1 if 8 * ties < self._listing.size else 0
        self._overlap = max(OVERLAP, self._overlap + (usual - self._overlap) / 10)
        is_long = self._end() - self._window > WINDOW * self._listing.size
        if is_long and self._place == self._window and self.is_windowed and reached:
            before = sum(key < reached - SECOND for key in keys)
            if before:  # else it is unknown how many rows of the page before belong to it
                self._window, self._since = self._place + query.start + before, reached - SECOND

    def back(self) -> None:
        """Step back, as rows left: overlap by more from now on, and send fewer ahead."""
        self._overlap = min(2 * self._overlap, self._listing.size // 4 or 1)
        self._ahead, self._growth = len(self._queries) / 2, 0.05
        self._offset = max(self._window, self._offset - (self._listing.size // 2 or 1))
        self._forget()

    def _end(self) -> int:
        """The place after the last row that was asked for."""
        if not self._queries:
            return self._offset
        query, window = self._queries[-1]
        return window + query.end

    def _forget(self) -> None:
        """Drop what was sent ahead."""
        if self._queries:
            self._queries.clear()
            self._listing.forget()

    def _overlapping(self, offset: int, overlap: int = 0) -> Query:
        """Choose size and number of the page that reaches furthest and begins early enough.

        Pages begin at multiples of their size: of all sizes, some border lies just before the row
        wanted. With too much overlap none may reach beyond `offset`; then less has to do.
        """
        size, offset = self._listing.size, offset - self._window
        overlap = min(max(overlap, int(self._overlap)), size - 1)
        while offset > 0:
            start = max(0, offset - overlap)
            end, best = max(((start // one + 1) * one, one) for one in range(1, size + 1))
            if end > offset or overlap <= 1:
                return Query(self._since, number=end // best, size=best)
            overlap -= 1
        return Query(self._since, size=size)
