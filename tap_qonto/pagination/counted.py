"""A list that shows no key it is sorted by, or in which a key repeats too often.

One page is one response, and whole. Rows may move between two; then one proof is left: as many
different rows as Qonto counts, on pages that all tell the same count, of which the last pass gave
no more. What does not add up is read again with pages of other sizes, which cut the list at other
places. What this can't see: a row that leaves while another one comes.
"""

from __future__ import annotations

import itertools
import typing as t

from tap_qonto.errors import RequestFailed
from tap_qonto.pagination.pages import Query, Records

if t.TYPE_CHECKING:
    from tap_qonto.pagination.pages import Listing, Walk

PASSES = 40
IDLE = 6  # passes without progress, one after the other, before a list is given up


def by_count(listing: Listing) -> Walk:
    """Hand over every row of a list, each once.

    Raises:
        RequestFailed: rows and count do not add up.
    """
    handed = set[t.Any]()
    seen = set[t.Any]()  # while `count` was told
    count: int | None = None
    idle = passes = 0
    while passes < PASSES and idle < IDLE and (count or not passes):
        known, former, given, of_pass = len(handed), count, 0, set[t.Any]()
        size = listing.size - 13 * passes % (listing.size // 2 + 1)
        for number in itertools.count(1):
            size = min(size, listing.size)
            for later in range(number, -(-(count or 0) // size) + 1):
                if not listing.ahead(Query(number=later, size=size)):
                    break
            query = Query(number=number, size=size)
            page = listing.ask(query)
            rows = page.named
            if rows and (page.total is None or page.total != count):
                count = page.total
                seen.clear()
            yield Records([row for name, row in rows.items() if name not in handed])
            handed.update(rows)
            seen.update(rows)
            given += len(page.rows)
            is_end = not rows or listing.is_last(query, page)
            if is_end or of_pass.issuperset(rows):  # or pages come again
                break
            of_pass.update(rows)
        listing.forget()
        is_one = number == 1 and (page.total or 0) <= len(page.rows)
        if is_end and (is_one or len(seen) == count == given):
            return
        passes += 1
        idle = 0 if len(handed) > known and former in {None, count} else idle + 1
    raise RequestFailed(
        f"Qonto counts {'nothing' if count is None else count} and gave {len(seen)} different "
        f"rows, {passes} times: it is not proven that none is missing"
    )
