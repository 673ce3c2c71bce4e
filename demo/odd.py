"""What Qonto might answer where its pages are silent or contradict each other, by name.

    python -m demo --odd end-refused --odd amounts-as-text
    server.options.odd = frozenset({"end-refused"})       while it runs

Each name changes one behaviour, for all lists, and all are off unless asked for. What one list
alone may do otherwise (Q25, Q32, Q33) is in `demo/options.py`; answers that are broken are in
`demo/faults.py`.
"""

from __future__ import annotations

import typing as t

from demo.data.tables import decode, encode

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from demo.data.tables import Row
    from demo.endpoints import Endpoint

ODD: dict[str, str] = {
    # pages
    "end-refused": "a page behind the last one answers 422 in place of an empty list",
    "end-missing": "a page behind the last one answers 404",
    "deep-refused": "a page behind row 10,000 (option deepest) answers 422",
    "deep-empty": "a page behind row 10,000 is empty",
    "deep-again": "a page behind row 10,000 is the last one before it, again",
    "size-refused": "per_page above 100 answers 422",
    "size-capped": "a page has 50 rows at most, whatever per_page says",
    "meta-missing": "lists come without meta",
    "meta-counts": "meta has total_count and nothing else",
    "count-capped": "total_count is never above 10,000 (option deepest)",
    "organizations-paged": "the list of organizations has pages of two",
    "order-reversed": "lists that have one order come in the reverse",
    "envelope-other": "rows of a list come under the name data",
    # parameters
    "sort-refused": "sort_by answers 422",
    "sort-ignored": "sort_by changes nothing",
    "filter-refused": "a bound on dates answers 422",
    "filter-ignored": "a bound on dates changes nothing",
    "includes-refused": "includes[] answers 422",
    "status-single": "more than one status[] answers 422",
    "status-unknown": "status[]=reversed answers 422",
    "foreign-missing": "an organization outside the consent answers 404",
    # tokens
    "scope-untold": "the token answer has no scope",
    "scope-once": "the token answer has no scope when it is a refresh",
    "scope-short": "the token answer names two scopes only, whatever was granted",
    "scope-commas": "the token answer separates scopes by commas",
    # rows
    "amounts-as-text": "amounts and balances are text, cents too",
    "floats": "whole numbers have a fraction: 29687.0",
    "no-dates": "a date that is not set is an empty text",
    "nulls-in-lists": "every list within a row has a null in it",
    "ids-for-objects": "matched transactions are bare ids",
    "new-fields": "rows, and the objects in them, have fields that nobody documents",
    "other-types": "a text of each row is an object, an object or a list is a text",
    "row-without-key": "the first row of each page lacks its key",
    "keys-long": "the key of the first row of each page has 200 characters",
    "keys-twice": "the second row of each page has the key of the first",
    "accounts-without-id": "/v2/organization shows accounts without their id",
    "errors-as-rows": "what has one row answers 200 with the body of an error",
}
ERROR = {"status": 500, "reason": "oops"}
USED = (
    "id",
    "_at",
    "_date",
    "status",
    "currency",
    "code",
    "type",
    "period",
    "iban",
    "email",
    "transaction",
)


def checked(names: t.Iterable[str]) -> frozenset[str]:
    """The names, if all are known.

    Raises:
        ValueError: one is not.
    """
    found = frozenset(names)
    for name in sorted(found - ODD.keys()):
        raise ValueError(f"odd is {name!r}: use one of {', '.join(ODD)}")
    return found


def described() -> str:
    """The names and what they do, a line each."""
    width = max(map(len, ODD))
    return "\n".join(f"  {name:<{width}}  {what}" for name, what in ODD.items())


def body(endpoint: Endpoint, text: bytes, odd: frozenset[str]) -> bytes:
    """The body of an answer, with rows as odd as asked for."""
    if endpoint.one and "errors-as-rows" in odd:
        return encode(ERROR)
    changes = [change for name, change in ROWS.items() if name in odd]
    pages = [
        change
        for name, change in PAGES.items()
        if name in odd and (not endpoint.one or change is _types)
    ]
    is_renamed = "envelope-other" in odd and endpoint.envelope and not endpoint.one
    if not (changes or pages or is_renamed):
        return text
    whole = decode(text)
    inside = whole[endpoint.envelope] if endpoint.envelope else whole
    rows: list[Row] = inside if isinstance(inside, list) else [inside]
    for row in rows:
        for change in changes:
            change(row)
    for spoil in pages if rows else ():
        spoil(rows, endpoint.key)
    if is_renamed:
        whole["data"] = whole.pop(endpoint.envelope)
    return encode(whole)


def _amounts(row: Row) -> None:
    for one in _objects(row):
        for name, value in one.items():
            if _is_number(value) and ("amount" in name or "balance" in name):
                one[name] = str(value)


def _floats(row: Row) -> None:
    for one in _objects(row):
        for name, value in one.items():
            if _is_number(value) and value == int(value):
                one[name] = float(value)


def _dates(row: Row) -> None:
    for name, value in row.items():
        if value is None and name.endswith(("_at", "_date")):
            row[name] = ""


def _nulls(row: Row) -> None:
    for one in _objects(row):
        for value in one.values():
            if isinstance(value, list):
                value.append(None)


def _ids(row: Row) -> None:
    if matched := row.get("matched_transactions"):
        row["matched_transactions"] = [one["transaction_id"] for one in matched]


def _fields(row: Row) -> None:
    for one in [*_objects(row)]:
        one["brand_new"] = {"a": 1}


def _accounts(row: Row) -> None:
    for account in row.get("bank_accounts", ()):
        del account["id"]


def _types(rows: list[Row], key: str) -> None:
    """Not the fields by which rows are found, told apart or asked for, if there are others."""
    for row in rows:
        free = [name for name in row if name != key and not name.endswith(USED)]
        texts = [name for name in free if isinstance(row[name], str)]
        below = [name for name in free if isinstance(row[name], dict | list)]
        if not texts and not below:
            texts = [name for name in row if name.endswith(("poi_id", "_status"))]
        row.update({name: {"value": row[name]} for name in texts[:1]})
        row.update(dict.fromkeys(below[:1], "none"))


def _without(rows: list[Row], key: str) -> None:
    rows[0].pop(key, None)


def _long(rows: list[Row], key: str) -> None:
    if key in rows[0]:
        rows[0][key] = rows[0][key].ljust(200, "x")


def _twice(rows: list[Row], key: str) -> None:
    if key in rows[0] and len(rows) > 1:
        rows[1][key] = rows[0][key]


PAGES: dict[str, Callable[[list[Row], str], None]] = {
    "other-types": _types,
    "row-without-key": _without,
    "keys-long": _long,
    "keys-twice": _twice,
}
ROWS: dict[str, Callable[[Row], None]] = {
    "amounts-as-text": _amounts,
    "floats": _floats,
    "no-dates": _dates,
    "nulls-in-lists": _nulls,
    "ids-for-objects": _ids,
    "new-fields": _fields,
    "accounts-without-id": _accounts,
}


def _is_number(value: t.Any) -> bool:
    return not isinstance(value, bool | str | dict | list) and value is not None


def _objects(value: t.Any) -> Iterator[Row]:
    """The row and every object in it."""
    if isinstance(value, dict):
        yield value
        for below in [*value.values()]:
            yield from _objects(below)
    elif isinstance(value, list):
        for below in value:
            yield from _objects(below)
