"""How a row as Qonto sends it becomes a row as its stream's schema promises it.

What to do comes as data from the contract (`row_facts`); it is compiled once per stream. Values
are never invented. What a column for dates would refuse (`""`, `0000-00-00`, the 30th of February)
becomes null, since one such value stops a whole load; it is counted in the closing report.
"""

from __future__ import annotations

import functools
import re
import typing as t
from datetime import datetime, timedelta, timezone

import msgspec

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from tap_qonto.api.contract import RowFacts

Row = dict[str, t.Any]

_DROP = object()
_json = msgspec.json.Encoder(decimal_format="number")
_TIMESTAMP = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[Tt ](\d\d:\d\d(?::\d\d)?)(\.\d+)?\s*(?:[Zz]|([+-])(\d\d):?(\d\d)?)?)?",
    re.ASCII,
)
_is_usual = re.compile(  # a timestamp as it should leave; nearly all come so
    r"(?!0000)\d{4}-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)"
    r"|(?:0[13578]|1[02])-31)T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{3}(?:\d{3})?)?Z",
    re.ASCII,
).fullmatch


def utc(value: t.Any) -> str | None:
    """Write a timestamp in any of Qonto's styles (Q53) as RFC 3339 in UTC; None if it is none.

    `2026-03-01T11:22:10+01:00` becomes `2026-03-01T10:22:10Z`; a fraction stays as long as it
    was; without a zone it is UTC; a date alone is its midnight.
    """
    match = _TIMESTAMP.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    day, time, fraction, sign, hours, minutes = match.groups()
    try:
        moment = datetime.fromisoformat(f"{day}T{time or '00:00'}")
        if sign:
            ahead = timedelta(hours=int(hours), minutes=int(minutes or 0))
            moment = moment - ahead if sign == "+" else moment + ahead
    except (ValueError, OverflowError):
        return None
    return f"{moment.isoformat()}{fraction or ''}Z"


def calendar_date(value: t.Any) -> str | None:
    """Return a date, `YYYY-MM-DD`, also out of a timestamp as it is written; None if it is none."""
    return value[:10] if isinstance(value, str) and utc(value) else None


def moment_of(value: t.Any) -> datetime | None:
    """Read a timestamp or a date of a row, aware in UTC; None if it is none. To microseconds."""
    if type(value) is str and _is_usual(value):
        return datetime.fromisoformat(f"{value[:-1]}+00:00")
    text = utc(value)
    if text is None:
        return None
    moment = datetime.fromisoformat(text[:19]).replace(tzinfo=timezone.utc)
    return moment + timedelta(microseconds=int(text[20:-1][:6].ljust(6, "0")))


def timestamp(moment: datetime) -> str:
    """Write an aware moment for filters and bookmarks: UTC, milliseconds, rounded down."""
    text = moment.astimezone(timezone.utc).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def row_shaper(
    facts: RowFacts, unreadable: Callable[[str], None] = lambda _: None
) -> Callable[[Row, str | None], Row]:
    """Compile the function (row, organization id) -> row of the schema, `organization_id` first.

    The row given is used up. Unknown names stay: they are counted and dropped where rows are
    emitted. `unreadable` is told the field of each date that became null.
    """
    apply = _fields(_tree(facts, unreadable))
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
        apply(row)
        return row

    return shape


def _tree(facts: RowFacts, unreadable: Callable[[str], None]) -> dict[str, t.Any]:
    """What is done to which field, as a tree of names."""
    tree: dict[str, t.Any] = {}
    for path, value in facts.nulls:
        _plant(tree, path, functools.partial(_null_if, value))
    for path, name in facts.objects:
        _plant(tree, path, functools.partial(_object, name))
    for paths, leaf in ((facts.texts, _text), (facts.integers, _integer), (facts.secrets, _DROP)):
        for path in paths:
            _plant(tree, path, leaf)
    for paths, read in ((facts.datetimes, utc), (facts.dates, calendar_date)):
        for path in paths:
            told = functools.partial(unreadable, ".".join(path).replace(".[]", "[]"))
            _plant(tree, path, _Reading(read, told))
    return tree


def _plant(tree: dict[str, t.Any], path: tuple[str, ...], leaf: t.Any) -> None:
    for name in path[:-1]:
        tree = tree.setdefault(name, {})
    tree[path[-1]] = leaf


def _compiled(tree: dict[str, t.Any]) -> Callable[[t.Any], None]:
    """Make the function that does to a value, in place, what `tree` says."""
    fields = _fields({name: branch for name, branch in tree.items() if name != "[]"})
    items = _items(tree["[]"]) if "[]" in tree else None

    def apply(value: t.Any) -> None:
        if isinstance(value, dict):
            fields(value)
        elif items is not None and isinstance(value, list):
            items(value)

    return apply


class _Reading(t.NamedTuple):
    """Reads a timestamp or a date; `unreadable` is told where there is none."""

    read: Callable[[t.Any], str | None]
    unreadable: Callable[[], None]

    def __call__(self, value: t.Any) -> str | None:
        text = self.read(value)
        if text is None:
            self.unreadable()
        return text


def _fields(tree: dict[str, t.Any]) -> Callable[[Row], None]:
    """The same for what is known to be an object."""
    dropped = tuple(name for name, branch in tree.items() if branch is _DROP)
    below = tuple((n, _compiled(one)) for n, one in tree.items() if isinstance(one, dict))
    inner = {*dropped, *dict(below)}
    leaves = {name: read for name, read in tree.items() if name not in inner}
    moments = {n: one for n, one in leaves.items() if isinstance(one, _Reading) and one.read is utc}
    others = tuple((name, read) for name, read in leaves.items() if name not in moments)

    def apply(row: Row) -> None:
        for name in dropped:
            row.pop(name, None)
        for name, read in moments.items():
            value = row.get(name)
            if value is not None and not (type(value) is str and _is_usual(value)):
                row[name] = read(value)
        for name, read in others:
            if (value := row.get(name)) is not None:
                row[name] = read(value)
        for name, branch in below:
            if value := row.get(name):
                branch(value)

    return apply


def _items(branch: t.Any) -> Callable[[list[t.Any]], None]:
    """The same for the items of a list."""
    if isinstance(branch, dict):
        inner = _compiled(branch)

        def descend(values: list[t.Any]) -> None:
            for value in values:
                inner(value)

        return descend

    def read(values: list[t.Any]) -> None:
        values[:] = [None if value is None else branch(value) for value in values]

    return read


def _at(row: Row, path: tuple[str, ...]) -> t.Any:
    value: t.Any = row
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _null_if(nothing: str, value: t.Any) -> t.Any:
    return None if value == nothing else value


def _object(name: str, value: t.Any) -> t.Any:
    return {name: value} if isinstance(value, str) else value


def _text(value: t.Any) -> t.Any:
    return value if isinstance(value, str) else _json.encode(value).decode()


def _integer(value: t.Any) -> int | None:
    if type(value) is int:
        return value
    if isinstance(value, str) and re.fullmatch(r"-?\d{1,30}", value):
        return int(value)
    return None
