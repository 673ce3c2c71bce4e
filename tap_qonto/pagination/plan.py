"""Which page of a sorted list is asked for next, and which are sent ahead, so that they overlap."""

from __future__ import annotations

import typing as t
from collections import deque

from tap_qonto.pagination.pages import SECOND, Query

if t.TYPE_CHECKING:
    from datetime import datetime

    from tap_qonto.pagination.pages import Listing, Page

OVERLAP = 3  # rows; more where keys repeat or rows left
DEPTH = 9_000  # rows of a window: behind 10,000 search engines give none


class Plan:
    """The window in hand, and the queries of its next pages."""

    def __init__(self, listing: Listing) -> None:
        self._listing = listing
        self._queries: deque[Query] = deque()
        self._overlap = float(OVERLAP)
        self._total = self._ties = 0
        self._ahead, self._growth = 0.0, 1.0  # pages: at most, and more for each that went on
        self.opened: datetime | None = None
        """The lower bound of the window; None: the whole list."""
        self.offset = 0
        """Rows of the window before the next page."""
        self.is_new = False
        """Was the query that follows sent just now, not ahead?"""

    def open(self, key: datetime) -> None:
        """Begin a window a second before `key`: keys may be shown rounded, and bounds cut."""
        self._forget()
        self.opened = key - SECOND
        self.offset = self._total = self._ties = 0

    def following(self) -> Query:
        """Return the next query, which is sent; send others ahead, as far as the count goes."""
        queries = self._queries
        is_late = bool(queries) and queries[0].start >= self.offset - self._ties
        if is_late:  # it begins among rows of one key: ask for a page between
            self._ahead /= 2
        self.is_new = is_late or not queries
        if self.is_new:
            overlap = max(int(self._overlap), self._ties + 1)
            queries.appendleft(self._overlapping(self.offset, overlap))
            self._listing.ahead(queries[0])
        while queries[-1].end < min(self._total, DEPTH) and len(queries) <= self._ahead:
            query = self._overlapping(queries[-1].end, int(self._overlap))
            if not self._listing.ahead(query):
                break
            queries.append(query)
        return queries.popleft()

    def forward(self, query: Query, page: Page, ties: int) -> None:
        """Go on behind `page`, of whose rows `ties` have the last key."""
        self.offset = max(self.offset, query.start + len(page.rows))
        self._total, self._ties = page.total or 0, ties
        self._ahead += self._growth
        size = self._listing.size
        usual = min(2 * ties + 1, size // 4)  # a page ends anywhere among the rows of one key
        self._overlap = max(OVERLAP, self._overlap + (usual - self._overlap) / 10)
        if ties > size / (2 if self._queries else 4):  # a window opened anew reaches further
            self._ahead = 0
            self._forget()

    def back(self) -> None:
        """Step back, as rows left: overlap by more from now on, and send fewer ahead."""
        self._overlap = min(2 * self._overlap, self._listing.size // 4 or 1)
        self._ahead, self._growth = len(self._queries) / 2, 0.05
        self.offset = max(0, self.offset - (self._listing.size // 2 or 1))
        self._forget()

    @property
    def is_ahead(self) -> bool:
        """Are pages on their way?"""
        return bool(self._queries)

    def _forget(self) -> None:
        self._queries.clear()
        self._listing.forget()

    def _overlapping(self, offset: int, overlap: int) -> Query:
        """Choose size and number of the page that reaches furthest and begins early enough.

        Pages begin at multiples of their size: of all sizes, some border lies just before the row
        wanted. With too much overlap none may reach beyond `offset`; then less has to do.
        """
        size, overlap = self._listing.size, min(overlap, self._listing.size - 1)
        while offset:
            start = max(0, offset - overlap)
            end, best = max(((start // one + 1) * one, one) for one in range(1, size + 1))
            if end > offset or overlap <= 1:
                return Query(self.opened, number=end // best, size=best)
            overlap -= 1
        return Query(self.opened, size=size)
