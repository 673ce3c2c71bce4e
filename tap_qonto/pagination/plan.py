"""Which page of a sorted list is asked for next, and which are sent ahead, so that they overlap."""

from __future__ import annotations

import typing as t
from bisect import bisect_left
from collections import deque

from tap_qonto.pagination.pages import DEPTH, SECOND, Query

if t.TYPE_CHECKING:
    from datetime import datetime

    from tap_qonto.pagination.pages import Listing, Page

OVERLAP = 3  # rows; more where keys repeat or rows left


class Plan:
    """The windows that can be asked for, and the queries of the next pages.

    Places count the rows from where the walk began, or a window was opened.
    """

    def __init__(self, listing: Listing) -> None:
        self._listing = listing
        self._queries: deque[tuple[Query, int]] = deque()  # and where the window of each begins
        self._overlap = float(OVERLAP)
        self._total = listing.expected or 0
        self._place = 0  # where the window of the page in hand begins
        self._ties = 0  # rows at the end of that page that have its last key
        self._ahead = 1 if listing.expected else 0  # pages, at most
        self._windows: dict[int, datetime | None] = {0: None}  # lower bounds, by place
        self._begun: datetime | None = None  # the bound of the last one that was opened
        self.offset = 0
        """The place behind the last page that went on."""
        self.is_new = False
        """Was the query that follows sent just now, not ahead?"""

    @property
    def is_ahead(self) -> bool:
        """Are pages on their way that a new window would drop?"""
        return bool(self._queries)

    def can_open(self, key: datetime) -> bool:
        """Would a window at `key` begin later than the last that was opened?"""
        is_later = self._begun is None or key - SECOND > self._begun
        return self._listing.can_open and is_later

    def open(self, key: datetime) -> None:
        """Begin a window a second before `key`: keys may be shown rounded, and bounds cut."""
        self._forget()
        self._begun = key - SECOND
        self._windows = {0: self._begun}
        self.offset = self._place = self._ties = self._total = 0

    def following(self) -> Query:
        """Return the next query, which is sent; send others ahead, as far as the count goes."""
        queries = self._queries
        self.is_new = not queries
        if not queries:
            queries.append(self._overlapping(self.offset, self._ties + 1))
            self._listing.ahead(queries[0][0])
        while (end := self._end()) < self._total and len(queries) <= self._ahead:
            query, place = self._overlapping(end)
            is_further = end < place + query.end and query.end <= DEPTH
            if not (is_further and self._listing.ahead(query)):
                break
            queries.append((query, place))
        query, self._place = queries.popleft()
        return query

    def forward(
        self, query: Query, page: Page, keys: list[datetime], reached: datetime | None
    ) -> None:
        """Go on behind `page`, which has these `keys`."""
        first = self._place + query.start
        self.offset, self._total = first + len(page.rows), self._place + (page.total or 0)
        self._ties = keys.count(reached) if reached else 0
        self._ahead += 1
        usual = 3 * self._ties if 8 * self._ties < self._listing.size else 0
        self._overlap = max(OVERLAP, self._overlap + (usual - self._overlap) / 10)
        if self._listing.can_open and len(keys) == len(page.rows):
            # which rows before its first one a window has is unknown
            self._windows = {
                first + place: key - SECOND
                for key in keys
                if (place := bisect_left(keys, key - SECOND))
            } or self._windows

    def back(self) -> None:
        """Step back by half a page, as rows left."""
        self._overlap = min(2 * self._overlap, self._listing.size // 4 or 1)
        self.offset = max(0, self.offset - (self._listing.size // 2 or 1))
        self._forget()

    def _end(self) -> int:
        """The place after the last row that was asked for."""
        query, place = self._queries[-1]
        return place + query.end

    def _forget(self) -> None:
        """Drop what was sent ahead."""
        if self._queries:
            self._ahead = len(self._queries) // 4
            self._queries.clear()
            self._listing.forget()

    def _overlapping(self, offset: int, overlap: int = 0) -> tuple[Query, int]:
        """Choose the page that reaches furthest and begins early enough, and tell its window.

        Pages begin at multiples of their size, behind the beginning of a window: of all windows
        that the rows of the last page allow, one has such a border just before the row wanted.
        Where there is only one, another size may. With too much overlap no page may reach beyond
        `offset`; then less has to do.
        """
        size, first = self._listing.size, min(self._windows)
        overlap = min(max(overlap, int(self._overlap)), size - 1)
        while offset > first:
            start = max(first, offset - overlap)
            end, place, one = max(
                (place + ((start - place) // one + 1) * one, place, one)
                for place in self._windows
                for one in range(max(1, size - 200 // len(self._windows)), size + 1)
                if place <= start
            )
            if end > offset or not overlap:
                number = (end - place) // one
                return Query(self._windows[place], number=number, size=one), place
            overlap -= 1
        return Query(self._windows[first], size=size), first
