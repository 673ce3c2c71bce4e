"""What `meta` of a response says of its list (Q17-Q19), and what of it is believed."""

from __future__ import annotations

import typing as t

from tap_qonto.pagination.pages import Page

if t.TYPE_CHECKING:
    from datetime import datetime

    from tap_qonto.pagination.pages import Query, Row


def page_of(rows: list[Row], meta: t.Any, query: Query, date: datetime | None) -> Page:
    """Make a page of the rows and the `meta` of a response (Q17-Q19).

    The last one is shorter than asked for and ends where the count ends, or, without a count,
    names no next page. A count that does not fit the rows tells nothing: it may be stale,
    limited, or of all rows (2026-11). `next_page` alone is not believed: cards leave it out on
    the last page, payment links send 0.
    """
    meta = meta if isinstance(meta, dict) else {}
    pages, following, total, per_page = (
        _number(meta.get(name)) for name in ("total_pages", "next_page", "total_count", "per_page")
    )
    is_short = len(rows) < min(query.size, per_page or query.size)
    is_last: bool | None
    if len(rows) == per_page and per_page < query.size:
        is_last = False  # cut to a full page: what follows has to overlap it
    elif max(pages or 0, following or 0) > query.number:
        is_last = None if is_short else False  # a short page is looked behind
    elif total is None:
        is_last = (is_short and "next_page" in meta) or None
    else:
        is_last = (is_short and query.start + len(rows) == total) or None
    return Page(rows, total, is_last, date)


def _number(value: t.Any) -> int | None:
    """A whole number of `meta`, also where it is sent as text."""
    try:
        return None if isinstance(value, bool) else int(value)
    except (TypeError, ValueError, ArithmeticError):
        return None
