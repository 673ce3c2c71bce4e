"""A list that shows no key it is sorted by, or in which a key repeats too often.

One page is one response, and whole. If there are several, rows may move between two of them, and
there is one proof left: as many different rows as Qonto counts, on pages that all tell the same
count, and of which the last pass gave no more. A list that does not add up is read again with pages
of other sizes, which cut it at other places; what came is kept. Without a count nothing is proven.
What this can't see: a row that leaves while another one comes.
"""

from __future__ import annotations

import typing as t

from tap_qonto.errors import RequestFailed
from tap_qonto.pagination.pages import Query, Records, ask, is_last, named

if t.TYPE_CHECKING:
    from collections.abc import Hashable

    from tap_qonto.pagination.pages import Listing, Walk

PASSES = 40
IDLE = 6  # passes without progress, one after the other, before a list is given up


def by_count(listing: Listing) -> Walk:
    """Hand over every row of a list, each once.

    Raises:
        RequestFailed: rows and count do not add up.
    """
    handed: set[Hashable] = set()
    seen: set[Hashable] = set()  # while `count` was told
    count: int | None = None
    idle = passes = 0
    while passes < PASSES and idle < IDLE and (count or not passes):
        known, former, given, of_pass = len(handed), count, 0, set[t.Any]()
        size = listing.size - 13 * passes % (listing.size // 2 + 1)
        query = Query(size=size)
        while True:
            page = ask(listing, query)
            rows = named(listing, page.rows)
            if rows and (page.total is None or page.total != count):
                count = page.total
                seen.clear()
            yield Records([row for name, row in rows.items() if name not in handed])
            handed.update(rows)
            seen.update(rows)
            given += len(page.rows)
            is_end = not rows or is_last(listing, query, page)
            if is_end or of_pass.issuperset(rows):  # or pages come again
                break
            of_pass.update(rows)
            query = query._replace(number=query.number + 1, size=min(size, listing.size))
            _send_ahead(listing, query, count or 0)
        listing.forget()
        is_one = query.number == 1 and (page.total or 0) <= len(page.rows)
        if is_end and (is_one or len(seen) == count == given):
            return None
        passes += 1
        has_moved = passes > 1 and count != former
        idle = 0 if len(handed) > known and not has_moved else idle + 1
    raise RequestFailed(
        f"Qonto counts {'nothing' if count is None else count} and gave {len(seen)} different "
        f"rows, {passes} times: it is not proven that none is missing"
    )


def _send_ahead(listing: Listing, query: Query, count: int) -> None:
    while query.start < count and listing.ahead(query):
        query = query._replace(number=query.number + 1)
