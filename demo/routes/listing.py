"""From a query to a page: filters in four dialects, orders, page numbers, disappointments.

Dialects: plain (`updated_at_from=`), brackets (`status[]=a&status[]=b`), nested
(`filter[updated_at_from]=`), nested with commas (`filter[status]=unpaid,paid`). Parameters that an
endpoint does not know are ignored, as Qonto seems to do (Q33).
"""

from __future__ import annotations

import typing as t

from demo.data.tables import Equal, Like, Record, Span, Wish, encode, month
from demo.endpoints import Among, Contains, Endpoint, Range
from demo.routes.refusals import Refusal, bad_request, not_found, unprocessable
from demo.values import since_epoch

if t.TYPE_CHECKING:
    from random import Random

    from demo.data.tables import Table
    from demo.options import Options

Query = list[tuple[str, str]]
SECOND = 1_000_000
USUAL = 100  # rows of a page
YES_NO = ("true", "false")


class Page(t.NamedTuple):
    records: list[Record]
    meta: dict[str, t.Any] | None


def page_of(
    table: Table, endpoint: Endpoint, query: Query, options: Options, ties: Random | None
) -> Page:
    """The page of `table` that `query` asks for; `ties` shuffles rows of equal keys.

    Raises:
        Refusal: 400 for a nonsense page, 422 for a value or order that is not accepted.
    """
    assert endpoint.size is not None
    number = _whole(query, ("page", "current_page"), 1)  # Q16
    size = _size(endpoint, query, options)
    equals, spans = conditions(endpoint, query, options)
    field, descending, asked = order(endpoint, query, options)
    wish = Wish(equals, spans, field, descending)
    if options.ties == "stable" or (options.ties == "unsorted" and asked):
        ties = None
    number, size = _reached(number, size, options)
    records, total = table.select(wish, (number - 1) * size, size, ties)
    if number > 1 and not records and size:
        _end(options)
    return Page(records, meta(endpoint, number, max(size, 1), total, options))


def _size(endpoint: Endpoint, query: Query, options: Options) -> int:
    """Rows of a page: what is asked for, up to what the list allows."""
    assert endpoint.size is not None
    asked, most = _whole(query, ("per_page",), endpoint.size[0]), endpoint.size[1]
    if asked > USUAL and "size-refused" in options.odd:
        raise unprocessable("invalid_per_page", f"per_page must be at most {USUAL}", "per_page")
    return min(asked, most, 50 if "size-capped" in options.odd else most)


def _reached(number: int, size: int, options: Options) -> tuple[int, int]:
    """The page and size that are answered where lists are not read to any depth."""
    if number > 1 and number * size > options.deepest:
        if "deep-refused" in options.odd:
            raise unprocessable("invalid_page", f"nothing behind row {options.deepest}", "page")
        if "deep-again" in options.odd:
            return max(options.deepest // size, 1), size
        if "deep-empty" in options.odd:
            return number, 0
    return number, size


def _end(options: Options) -> None:
    """What some lists may say of a page behind the last one."""
    if "end-refused" in options.odd:
        raise unprocessable("invalid_page", "page is out of range", "page")
    if "end-missing" in options.odd:
        raise not_found()


def meta(
    endpoint: Endpoint, number: int, size: int, total: int, options: Options
) -> dict[str, t.Any] | None:
    """Page facts; at the end cards leave out `next_page` (Q17), payment links send 0 (Q18)."""
    if not endpoint.meta or "meta-missing" in options.odd:
        return None
    pages = -(-total // size)
    facts: dict[str, t.Any] = {
        "current_page": number,
        "next_page": number + 1 if number < pages else None,
        "prev_page": number - 1 if number > 1 else None,
        "total_pages": pages,
        "total_count": total,
        "per_page": size,
    }
    if facts["next_page"] is None:
        if endpoint.stream == "cards":
            del facts["next_page"]
        elif endpoint.stream == "payment_links" and not total:
            facts["next_page"] = 0
    if options.total_count == "missing":
        del facts["total_count"]
    elif options.total_count == "wrong":
        facts["total_count"] += 3
    elif "count-capped" in options.odd:
        facts["total_count"] = min(total, options.deepest)
    if "meta-counts" in options.odd:
        facts = {name: facts[name] for name in ("total_count",) if name in facts}
    return facts


def conditions(
    endpoint: Endpoint, query: Query, options: Options
) -> tuple[list[Equal], list[Span | Like]]:
    """What `query` asks of the rows."""
    equals: list[Equal] = [(field, frozenset((value,))) for field, value in endpoint.fixed]
    spans: list[Span | Like] = []
    for one in endpoint.filters:
        if isinstance(one, Range):
            span = _span(endpoint, one, query, options)
            if span is not None:
                spans.append(span)
        elif isinstance(one, Contains):
            spans += [Like(one.field, value) for name, value in query if name in one.names]
        else:
            values = _values(endpoint, one, query, options)
            if values:
                equals.append((one.field, frozenset(values)))
    if endpoint.needs is not None and not _last(query, endpoint.needs.name):
        name = endpoint.needs.name
        raise Refusal(endpoint.needs.status, endpoint.needs.code, f"{name} is missing", name)
    return equals, spans


def _values(endpoint: Endpoint, one: Among, query: Query, options: Options) -> list[t.Any]:
    """The values that count, which are not always those that were sent."""
    values = [value for name, value in query if name in one.names]
    if one.commas:
        values = [part for value in values for part in value.split(",")]
    for value in values:
        if one.known and value not in one.known:
            raise unprocessable(
                "not_in_list", f"{one.field} must be one of: {', '.join(one.known)}", one.names[0]
            )
    if one.field == "_imported" and values[-1:] == ["false"]:
        return []  # Q30: with the imported ones
    if not values or one.field == "_imported":
        return list(one.default)
    if one.known == YES_NO:
        return [values[-1] == "true"]
    if endpoint.stream == "transactions" and one.field == "status":
        return _together(values, options)
    return values


def _together(statuses: list[str], options: Options) -> list[str]:
    """Those of several statuses that count (Q25)."""
    if "reversed" in statuses and "status-unknown" in options.odd:
        raise unprocessable("not_in_list", "status must be another", "status[]")
    if len(statuses) > 1 and "status-single" in options.odd:
        raise unprocessable("invalid_status", "status must be one value", "status[]")
    if options.several_statuses == "all":
        return statuses
    return statuses[:1] if options.several_statuses == "first" else statuses[-1:]


def _span(endpoint: Endpoint, one: Range, query: Query, options: Options) -> Span | None:
    update = (one.name or one.field).endswith("updated_at")
    if update and endpoint.stream == "clients" and not options.clients_filter:
        return None  # Q33
    name_from, name_to = one.names
    low, high = _bound(query, name_from, one.field), _bound(query, name_to, one.field)
    if one.only_from or (update and options.updated_at_to == "ignored"):
        high = None
    if low is None and high is None:
        return None
    if "filter-refused" in options.odd:
        raise unprocessable("invalid_filter", f"{name_from} is not supported", name_from)
    if "filter-ignored" in options.odd:
        return None
    if one.earliest and low is not None and low < since_epoch(one.earliest):
        raise unprocessable("invalid_date", f"{name_from} is too far in the past", name_from)  # Q29
    if not update:
        return Span(one.field, low, high)
    if options.updated_at_from == "seconds" and low is not None:
        low -= low % SECOND
    if options.updated_at_to == "seconds" and high is not None:
        high -= high % SECOND
    closed = options.updated_at_from != "exclusive", options.updated_at_to != "exclusive"
    return Span(one.field, low, high, closed)


def _bound(query: Query, name: str, field: str) -> t.Any:
    """The bound in the form of the field's marks. Periods are MM-YYYY or dates (Q45)."""
    text = _last(query, name)
    if text is None:
        return None
    try:
        if field != "period":
            return since_epoch(text)
        return month(f"{text[5:7]}-{text[:4]}" if len(text) > 7 else text)
    except ValueError:
        raise unprocessable("invalid_date", f"{name} is not a valid date", name) from None


def order(endpoint: Endpoint, query: Query, options: Options) -> tuple[str | None, bool, bool]:
    """The field to sort by, whether downwards, and whether the query says so."""
    wanted, orders = _last(query, "sort_by"), endpoint.orders
    if endpoint.stream == "supplier_invoices" and not options.supplier_invoices_sort:
        del orders["updated_at"]  # Q32
    if wanted and "sort-refused" in options.odd:
        raise unprocessable("invalid_sort", "sort_by is not supported", "sort_by")
    if "sort-ignored" in options.odd:
        wanted = None
    if not wanted or not orders:  # lists with one order ignore it (Q35)
        if endpoint.default is None:
            return None, False, False
        field, _, direction = endpoint.default.partition(":")
        is_reversed = not orders and "order-reversed" in options.odd
        return field, (direction == "desc") is not is_reversed, not orders
    name, _, direction = wanted.partition(":")
    if name not in orders or direction not in {"asc", "desc"}:
        choices = ", ".join(f"{one}:asc, {one}:desc" for one in orders)
        raise unprocessable("not_in_list", f"sort_by must be one of: {choices}", "sort_by")
    return orders[name], direction == "desc", True


def answer(envelope: str | None, page: Page, includes: t.Collection[str]) -> bytes:
    """The body of a page."""
    rows = b",".join([record.text(includes) for record in page.records])
    tail = b"" if page.meta is None else b',"meta":' + encode(page.meta)
    return b'{"%s":[%s]%s}' % ((envelope or "").encode(), rows, tail)


def _whole(query: Query, names: tuple[str, ...], default: int) -> int:
    for name in names:
        text = _last(query, name)
        if text is not None:
            if not text.isdecimal() or int(text) < 1:
                raise bad_request(f"{name} is invalid", name)
            return int(text)
    return default


def _last(query: Query, name: str) -> str | None:
    return next((value for key, value in reversed(query) if key == name), None)
