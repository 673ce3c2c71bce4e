"""Which page of a sorted list is asked for next, and which are sent ahead, so that they overlap."""

from __future__ import annotations

import typing as t
from collections import deque

from tap_qonto.pagination.pages import Query

if t.TYPE_CHECKING:
    from datetime import datetime

    from tap_qonto.pagination.pages import Listing, Page

OVERLAP = 3  # rows; longer where keys repeat, doubled where rows left
MOST_AHEAD = 64  # pages
DEPTH = 9_000  # rows from the opening of a window: behind 10,000 search engines give none


class Plan:
    """The window in hand, and the queries of its next pages."""

    def __init__(self, listing: Listing) -> None:
        self._listing = listing
        self._queries: deque[Query] = deque()
        self._overlap = self._lately = OVERLAP
        self._stride = 0
        self._read = 0  # pages that went on, one after the other
        self._most = MOST_AHEAD  # pages ahead; fewer where rows left meanwhile
        self._total = 0
        self.opened: datetime | None = None
        """The lower bound of the window in hand; None: the whole list."""
        self.offset = 0
        """Rows of the window before the next page."""

    def open(self, since: datetime | None) -> None:
        """Begin a window at `since`."""
        self._forget()
        self.opened = since
        self.offset = self._total = 0

    def following(self) -> Query:
        """Return the next query; send others ahead, as far as the count goes.

        At most as many as went on so far: where the list moves, they would be of no use.
        """
        queries = self._queries
        if not queries:
            queries.append(self._overlapping(self.offset))
        most = 0 if self._is_long else min(self._read, self._most)
        while queries[-1].end < self.horizon and len(queries) <= most:
            query = self._overlapping(queries[-1].end)
            if not self._listing.ahead(query):
                break
            queries.append(query)
        return queries.popleft()

    @property
    def horizon(self) -> int:
        """How many rows of the window are read in it: all, or those before `DEPTH`."""
        most = self._listing.observed.depth or DEPTH
        return self._total if self._total <= most + 1000 else most

    def forward(self, query: Query, page: Page, ties: int) -> None:
        """Go on behind `page`, of whose rows `ties` have the last key."""
        self.offset = query.start + len(page.rows)
        self._total = page.total or 0
        self._read += 1
        self._stride = 0
        self._most += not self._read % 8
        wanted = max(OVERLAP, ties + 1)
        self._lately = max(wanted, min(self._lately, self._listing.size // 2) - 1)
        self._overlap = wanted if self._is_long else self._lately
        if self._is_long:  # for the next page alone
            self._forget()

    @property
    def _is_long(self) -> bool:
        """Is the overlap too long to be asked for page after page?"""
        return 4 * self._lately > self._listing.size

    def longer(self) -> None:
        """Rows left: overlap by more from now on, and send fewer ahead."""
        self._lately = self._overlap = min(2 * self._lately, max(1, self._listing.size // 4))
        self._most = min(self._read, self._most) // 2
        self._read = 0

    def back(self) -> None:
        """Step back, further each time."""
        self.longer()
        self._forget()
        self._stride = 2 * self._stride or self._listing.size // 2 or 1
        self.offset = max(0, self.offset - self._stride)

    def _forget(self) -> None:
        self._queries.clear()
        self._listing.forget()

    def _overlapping(self, offset: int) -> Query:
        """Choose size and number of the page that reaches furthest and begins early enough.

        Pages begin at multiples of their size: of all sizes, some border lies just before the row
        wanted. With too much overlap none may reach beyond `offset`; then less has to do.
        """
        size, overlap = self._listing.size, min(self._overlap, self._listing.size - 1)
        if offset == 0:
            return Query(since=self.opened, size=size)
        while True:
            start = max(0, offset - overlap)
            end, best = max(((start // one + 1) * one, one) for one in range(1, size + 1))
            if end > offset or overlap <= 1:
                return Query(self.opened, number=end // best, size=best)
            overlap -= 1
