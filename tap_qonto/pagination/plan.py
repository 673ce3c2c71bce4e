"""Which page of a sorted list is asked for next, and which are sent ahead, so that they overlap."""

from __future__ import annotations

import typing as t
from bisect import bisect_left
from collections import deque

from tap_qonto.pagination.pages import DEPTH, SECOND, Query

if t.TYPE_CHECKING:
    from datetime import datetime

    from tap_qonto.pagination.pages import Listing, Page

OVERLAP = 5  # rows; more where a few have one key


class Plan:
    """The next queries. Places count the rows from where the walk began, or opened a window."""

    def __init__(self, listing: Listing, since: datetime | None) -> None:
        self._listing = listing
        self.queries: deque[tuple[Query, int]] = deque()  # sent, and where the window begins
        self._windows = {0: since and since - SECOND}  # their lower bounds, by place
        self._query, self._place = Query(), 0  # the page in hand, and where its window begins
        self._ties = 0  # rows at the end of that page that have its last key
        self._total = listing.expected or 0
        self._ahead = int(self._total > 0)  # pages, at most
        self.offset = 0  # the place behind the last page that went on

    def again(self, key: datetime | None) -> None:
        """Begin a window at `key`, or step back by half a page."""
        self._ahead = 0
        self.queries.clear()
        self._listing.forget()
        if key:
            self._windows = {0: key - SECOND}  # keys may be shown rounded, and bounds cut
            self.offset = self._place = self._ties = self._total = 0
        self.offset = max(0, self.offset - (self._listing.size // 2 or 1))

    def following(self) -> Query:
        """Return the next query, which is sent; send others ahead, as far as the count goes."""
        queries, size = self.queries, self._listing.size
        if not queries:
            queries.append(self._overlapping(self.offset, self._ties + 1))
            self._listing.ahead(queries[0][0])
        usual = self._ties + 1 if 8 * self._ties < size else 0
        while (end := queries[-1][1] + queries[-1][0].end) < self._total:
            query, place = self._overlapping(end, usual)
            if query.end > DEPTH or len(queries) > self._ahead or not self._listing.ahead(query):
                break
            queries.append((query, place))
        self._query, self._place = queries.popleft()
        return self._query

    def forward(self, page: Page, keys: list[datetime], reached: datetime | None) -> None:
        """Go on behind `page`, which has these `keys`."""
        first = self._place + self._query.start
        self.offset, self._total = first + len(page.rows), self._place + (page.total or 0)
        self._ties = keys.count(reached) if reached else 0
        self._ahead += 1
        if self._listing.can_open and len(keys) == len(page.rows):
            # which rows before its first one a window has is unknown
            self._windows = {
                first + place: key - SECOND
                for key in keys
                if (place := bisect_left(keys, key - SECOND))
            } or self._windows

    def _overlapping(self, offset: int, overlap: int) -> tuple[Query, int]:
        """Choose the page that reaches furthest and begins early enough, and tell its window.

        Pages begin at multiples of their size, behind where a window begins: of all windows that
        the rows of the last page allow, and of all sizes, one has such a border just before the row
        wanted. Where none then reaches beyond `offset`, they overlap by less.
        """
        size, first = self._listing.size, min(self._windows)
        overlap = min(max(overlap, OVERLAP), size - 1)
        while offset > first:
            start = max(first, offset - overlap)
            end, place, one = max(
                (place + ((start - place) // one + 1) * one, place, one)
                for place in self._windows
                for one in range(max(1, size - 100 // len(self._windows)), size + 1)
                if place <= start
            )
            if end > offset:
                return Query(self._windows[place], (end - place) // one, one), place
            overlap -= 1
        return Query(self._windows[first], size=size), first
