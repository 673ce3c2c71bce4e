"""How a row as Qonto sends it becomes a row as its stream's schema promises it.

What to do comes as data from the contract (`row_facts`); it is compiled once per stream. Values
are never invented: what can't be read as the schema says is left as it came.
"""

from __future__ import annotations

import functools
import re
import typing as t
from datetime import datetime, timedelta, timezone

import msgspec

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from tap_qonto.contract import RowFacts

Row = dict[str, t.Any]

_DROP = object()
_json = msgspec.json.Encoder(decimal_format="number")
_TIMESTAMP = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d)?)(\.\d+)?\s*(?:([Zz])|([+-])(\d\d):?(\d\d))?"
)


def utc(value: t.Any) -> t.Any:
    """Write a timestamp in any of Qonto's styles (Q53) as RFC 3339 in UTC.

    `2026-03-01T11:22:10+01:00` becomes `2026-03-01T10:22:10Z`; a fraction stays as long as it
    was; without a zone it is UTC. Anything else is returned as it came.
    """
    if not isinstance(value, str) or (value.endswith("Z") and value[10:11] == "T"):
        return value
    match = _TIMESTAMP.fullmatch(value)
    if match is None:
        return value
    day, time, fraction, _, sign, hours, minutes = match.groups()
    try:
        moment = datetime.fromisoformat(f"{day}T{time}")
        if sign:
            ahead = timedelta(hours=int(hours), minutes=int(minutes))
            moment = moment - ahead if sign == "+" else moment + ahead
    except (ValueError, OverflowError):
        return value
    return f"{moment.isoformat()}{fraction or ''}Z"


@functools.lru_cache(maxsize=8192)
def moment_of(value: str | None) -> datetime | None:
    """Read a timestamp of a row, aware in UTC; None if it is none. Cut to microseconds."""
    match = _TIMESTAMP.fullmatch(utc(value)) if isinstance(value, str) else None
    if match is None:
        return None
    day, time, fraction = match.group(1, 2, 3)
    try:
        moment = datetime.fromisoformat(f"{day}T{time}").replace(tzinfo=timezone.utc)
    except ValueError:
        return None
    return moment + timedelta(microseconds=int((fraction or ".0")[1:7].ljust(6, "0")))


def timestamp(moment: datetime) -> str:
    """Write an aware moment for filters and bookmarks: UTC, milliseconds, rounded down."""
    text = moment.astimezone(timezone.utc).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def row_shaper(facts: RowFacts) -> Callable[[Row, str | None], Row]:
    """Compile the function (row, organization id) -> row of the schema, `organization_id` first.

    The row given is used up. Unknown names stay: they are counted and dropped where rows are
    emitted.
    """
    tree: dict[str, t.Any] = {}
    for path, value in facts.nulls:
        _plant(tree, path, functools.partial(_null_if, value))
    for paths, leaf in (
        (facts.texts, _text),
        (facts.integers, _integer),
        (facts.datetimes, utc),
        (facts.secrets, _DROP),
    ):
        for path in paths:
            _plant(tree, path, leaf)
    fills = facts.fills
    foreign = {path[0] for _, path in fills} - set(facts.properties)

    def shape(row: Row, organization_id: str | None) -> Row:
        if organization_id is not None:
            row.pop("organization_id", None)
            row = {"organization_id": organization_id, **row}
        for name, path in fills:
            if row.get(name) is None:
                row[name] = _at(row, path)
        for name in foreign:
            row.pop(name, None)
        _apply(tree, row)
        return row

    return shape


def _plant(tree: dict[str, t.Any], path: tuple[str, ...], leaf: t.Any) -> None:
    for name in path[:-1]:
        tree = tree.setdefault(name, {})
    tree[path[-1]] = leaf


def _apply(tree: dict[str, t.Any], value: t.Any) -> None:
    if isinstance(value, dict):
        for name, branch in tree.items():
            if branch is _DROP:
                value.pop(name, None)
            elif (child := value.get(name)) is None:
                continue
            elif isinstance(branch, dict):
                _apply(branch, child)
            else:
                value[name] = branch(child)
    elif isinstance(value, list) and "[]" in tree:
        branch = tree["[]"]
        if isinstance(branch, dict):
            for item in value:
                _apply(branch, item)
        else:
            value[:] = [branch(item) for item in value]


def _at(row: Row, path: tuple[str, ...]) -> t.Any:
    value: t.Any = row
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _null_if(nothing: str, value: t.Any) -> t.Any:
    return None if value == nothing else value


def _text(value: t.Any) -> t.Any:
    return value if isinstance(value, str) else _json.encode(value).decode()


def _integer(value: t.Any) -> int | None:
    if isinstance(value, str) and re.fullmatch(r"-?\d{1,30}", value):
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
