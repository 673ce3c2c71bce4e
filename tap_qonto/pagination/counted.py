"""A list that shows no key it is sorted by, or in which a key repeats too often.

One page is one response, and whole. If there are several, rows may move between two of them, and
there is one proof left: as many different rows as Qonto counts, on pages that all tell the same
count. A list that does not add up is read again with pages of other sizes, which cut it at other
places; what came is kept. What this can't see: a row that leaves while another one comes.
"""

from __future__ import annotations

import typing as t

from tap_qonto.errors import RequestFailed
from tap_qonto.pagination.pages import Query, Row, ask, is_last, named

if t.TYPE_CHECKING:
    from collections.abc import Generator, Hashable

    from tap_qonto.pagination.pages import Listing

PASSES = 40
IDLE = 6  # passes without progress, one after the other, before a list is given up


def by_count(listing: Listing, window: Query | None = None) -> Generator[list[Row], None, None]:
    """Hand over every row of a list, each once; of a `window` on its key, if one is given.

    Raises:
        RequestFailed: rows and count do not add up.
    """
    reader = _Counted(listing, window or Query())
    idle = passes = 0
    while passes < PASSES and idle < IDLE:
        known, count = len(reader.handed), reader.count
        yield from reader.read(passes)
        if reader.is_proven:
            return
        passes += 1
        has_moved = passes > 1 and reader.count != count
        idle = 0 if len(reader.handed) > known and not has_moved else idle + 1
    listing.observed.miscounted = True
    told = "nothing" if reader.count is None else reader.count
    raise RequestFailed(
        f"Qonto counts {told} and gave {len(reader.seen)} different rows, {passes} times: it is "
        "not proven that none is missing"
    )


class _Counted:
    """Passes over one list."""

    def __init__(self, listing: Listing, window: Query) -> None:
        self._listing = listing
        self._window = window
        self.handed: set[Hashable] = set()
        self.count: int | None = None
        self.seen: set[Hashable] = set()
        """What came while `count` was told."""
        self.is_proven = False

    def read(self, passes: int) -> Generator[list[Row], None, None]:
        """Read all pages by number, in each pass with a size of its own."""
        listing, of_pass = self._listing, set[t.Any]()
        listing.size = size = min(listing.size, listing.observed.size or listing.size)
        size -= 13 * passes % (size // 2 + 1)
        query = self._window._replace(number=1, size=size)
        while True:
            page = ask(listing, query)
            if page.rows and (page.total is None or page.total != self.count):
                self.count = page.total
                self.seen.clear()
            rows = dict(zip(named(listing, page.rows), page.rows, strict=True))
            yield [row for name, row in rows.items() if name not in self.handed]
            self.handed.update(rows)
            self.seen.update(rows)
            if not page.rows or is_last(listing, query, page):
                is_one = query.number == 1 and (page.total or 0) <= len(page.rows)
                self.is_proven = is_one or len(self.seen) == self.count
                break
            if of_pass.issuperset(rows):  # pages come again
                break
            of_pass.update(rows)
            size = min(query.size, listing.size)
            query = query._replace(number=query.number + 1, size=size)
            self._send_ahead(query)
        listing.forget()

    def _send_ahead(self, query: Query) -> None:
        while query.start < (self.count or 0) and self._listing.ahead(query):
            query = query._replace(number=query.number + 1)
