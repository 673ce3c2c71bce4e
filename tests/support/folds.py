"""`RowFacts` in slow and plain words: the measure for the engine's compiled fast path."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from functools import partial
from typing import TYPE_CHECKING, Any

import simplejson

from tap_qonto.api.contract import ORGANIZATIONS, endpoints, row_facts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def folded(stream: str, row: dict[str, Any], **context: str) -> dict[str, Any]:
    """A row as the schema promises it, from a row as Qonto sends it (which is changed)."""
    facts, parent = row_facts(stream), endpoints()[stream].parent
    if stream != ORGANIZATIONS:
        row.setdefault("organization_id", context.get("organization_id", "an organization"))
    if parent:
        row.setdefault(parent["property"], context.get("parent_id", "a parent"))
    for name, path in facts.fills:
        if row.get(name) is None:
            row[name] = next((box[key] for box, key in spots(row, path)), None)
    for path, nothing in facts.nulls:
        change(row, path, lambda value, nothing=nothing: None if value == nothing else value)
    for paths, how in (
        (facts.texts, text),
        (facts.integers, integer),
        (facts.datetimes, in_utc),
        (facts.dates, calendar),
        *(((path,), partial(named, name)) for path, name in facts.objects),
    ):
        for path in paths:
            change(row, path, how)
    for path in facts.secrets:
        for box, key in list(spots(row, path)):
            del box[key]
    return {name: row[name] for name in facts.properties if name in row}


def spots(row: Any, path: tuple[str, ...]) -> Iterator[tuple[Any, Any]]:
    """(container, key) of every value at a path; none where the row ends early."""
    step, rest = path[0], path[1:]
    if step == "[]":
        keys: Any = range(len(row)) if isinstance(row, list) else ()
    else:
        keys = [step] if isinstance(row, dict) and step in row else ()
    for key in keys:
        if rest:
            yield from spots(row[key], rest)
        else:
            yield row, key


def change(row: Any, path: tuple[str, ...], how: Callable[[Any], Any]) -> None:
    for box, key in spots(row, path):
        box[key] = None if box[key] is None else how(box[key])


def named(name: str, value: Any) -> Any:
    return {name: value} if isinstance(value, str) else value


def text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return simplejson.dumps(value, ensure_ascii=False, separators=(",", ":"), use_decimal=True)


def integer(value: Any) -> int | None:
    return int(value) if re.fullmatch(r"-?[0-9]+", str(value)) else None


def in_utc(value: Any) -> str | None:
    # By hand: Python 3.10 reads neither `Z` nor four decimals.
    parts = re.fullmatch(
        r"([0-9-]{10})(?:[Tt ]([0-9]{2}:[0-9]{2}(?::[0-9]{2})?)(\.[0-9]+)?\s*"
        r"(?:[Zz]|([+-][0-9]{2}):?([0-9]{2})?)?)?",
        str(value),
    )
    if parts is None or not isinstance(value, str):
        return None
    day, time, fraction, hours, minutes = parts.groups()
    try:
        moment = datetime.fromisoformat(
            f"{day}T{time or '00:00'}{hours or '+00'}:{minutes or '00'}"
        )
        text = moment.astimezone(timezone.utc).replace(tzinfo=None).isoformat()
    except (ValueError, OverflowError):
        return None
    return f"{text}{fraction or ''}Z"


def calendar(value: Any) -> str | None:
    return value[:10] if isinstance(value, str) and in_utc(value) else None
