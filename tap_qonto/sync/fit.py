"""One place that makes values fit their schema, compiled once per stream.

Loaders believe the SCHEMA: the first value that breaks it stops a whole load. So each value leaves
as what its field promises. Text, numbers and booleans become one another where nothing is lost,
text takes anything, as JSON; all else becomes null, and what came is kept beside the row. Nothing
is invented. Names that the schema lacks are kept too.

Nearly all rows are as they should be, and msgspec says so in one go (`usual`), a few microseconds
a row. Only the others are taken apart field by field (`Fields`).
"""

from __future__ import annotations

import re
import typing as t
from datetime import date, datetime
from decimal import Decimal

import msgspec

from tap_qonto.sync.moments import calendar_date, utc

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tap_qonto.api.contract import Schema

Kind = t.Literal["new", "hidden", "converted", "date", "misfit", "key", "item"]

MISFIT = object()
DEEPEST = 20  # levels of a value that is kept; below, it is kept as text

_HUGE = Decimal("1E300")
_json = msgspec.json.Encoder(decimal_format="number")
_is_64_bit = range(-(2**63), 2**63).__contains__
_is_whole = re.compile(r"-?\d{1,19}", re.ASCII).fullmatch
_is_decimal = re.compile(r"-?\d{1,300}(?:\.\d{1,300})?(?:[eE][+-]?\d{1,2})?", re.ASCII).fullmatch
_holds_link = re.compile(r"https?:/", re.IGNORECASE).search
_names_secret = re.compile(
    r"secret|token|passw|credential|authorization|signature|api_?key|private_?key|^(pin|pan|cv[cv])$",
    re.IGNORECASE,
).search


class Odd(t.NamedTuple):
    """A value that was not as its schema says: what was done, where, and what is kept of it."""

    kind: Kind
    place: tuple[str | int, ...]
    kept: t.Any = MISFIT

    def below(self, step: str | int) -> Odd:
        """The same, seen from the object or list around it."""
        return self._replace(place=(step, *self.place))

    @property
    def path(self) -> str:
        """Where exactly, as Qonto sent it: `items[0].vat.rate`."""
        return dotted(self.place)

    @property
    def field(self) -> str:
        """Which field: `items[].vat.rate`."""
        return dotted(None if isinstance(step, int) else step for step in self.place)


def dotted(place: Iterable[str | int | None]) -> str:
    """Write a place with dots; numbers, or None for any, stand for items of a list."""
    steps = (
        f".{step}" if isinstance(step, str) else "[]" if step is None else f"[{step}]"
        for step in place
    )
    return "".join(steps).removeprefix(".")


class Leaf(t.NamedTuple):
    """What a field of a plain type does with values."""

    convert: Callable[[t.Any], t.Any]
    """Makes the value fit; MISFIT if that would lose something."""
    kind: Kind = "misfit"
    is_expected: bool = False
    """Other types are known to come: nothing to tell (Q63, Q75)."""


class Inner(t.NamedTuple):
    """What a field that holds an object or a list does."""

    type: type
    fit: Callable[[t.Any], list[Odd]] | None
    """Makes a value of that type fit, in place. None: whatever is in it fits."""
    from_text: str = ""
    """The field that a bare text becomes, where one may come for the object (2026-11)."""


class Fields:
    """Makes objects fit, in place, field by field. Names `dropped` leave without a word."""

    def __init__(self, schema: Schema, dropped: Iterable[str], hidden: frozenset[str]) -> None:
        self._hidden = hidden
        self._dropped = frozenset(dropped)
        self._fields: dict[str, Leaf | Inner] = {}
        for name, field in schema["properties"].items():
            if "x-secret" in field:
                self._dropped |= {name}
            else:
                self._fields[name] = _field(field, hidden)

    def __call__(self, row: dict[str, t.Any]) -> list[Odd]:
        """Make `row` fit; say what was odd about it."""
        odd: list[Odd] = []
        for name, value in [*row.items()]:
            field = self._fields.get(name)
            if field is None:
                del row[name]
                if name not in self._dropped:
                    odd.append(self._unknown(name, value))
            elif value is not None:
                row[name], found = _fitted(value, field, self._hidden)
                odd += [one.below(name) for one in found]
        return odd

    def _unknown(self, name: str, value: t.Any) -> Odd:
        if name in self._hidden or _names_secret(name):
            return Odd("hidden", (name,))
        return _kept("new", value, self._hidden).below(name)


class Items:
    """Makes the items of lists fit, in place. What does not fit leaves the list."""

    def __init__(self, schema: Schema, hidden: frozenset[str]) -> None:
        self._field = _field(schema, hidden)
        self._takes_null = "null" in schema["type"]
        self._hidden = hidden

    def __call__(self, values: list[t.Any]) -> list[Odd]:
        """Make `values` fit; say what was odd about them."""
        odd: list[Odd] = []
        fitting: list[t.Any] = []
        for number, value in enumerate(values):
            found: t.Any = None
            if value is not None:
                found, told = _fitted(value, self._field, self._hidden)
                odd += [one.below(number) for one in told]
            elif not self._takes_null:
                odd.append(Odd("item", (number,)))
            if found is not None or (value is None and self._takes_null):
                fitting.append(found)
        values[:] = fitting
        return odd


def _fitted(
    value: t.Any, field: Leaf | Inner, hidden: frozenset[str]
) -> tuple[t.Any, Sequence[Odd]]:
    """Make a value fit: (what leaves, what was odd about it)."""
    if isinstance(field, Inner):
        if field.from_text and isinstance(value, str):
            value = {field.from_text: value}
        if not isinstance(value, field.type):
            return None, [_kept("misfit", value, hidden)]
        return value, field.fit(value) if field.fit else ()
    if isinstance(value, dict | list) and not field.is_expected:
        value = without_links(value, hidden)
    found = field.convert(value)
    if found is MISFIT:
        return None, [_kept(field.kind, value, hidden)]
    # a timestamp of another style, or 3.0 for 3, is no other type
    is_other = type(found) is not type(value) and not field.is_expected
    is_other = is_other and not (isinstance(value, Decimal) and isinstance(found, int))
    return found, [Odd("converted", ())] if is_other else ()


def _kept(kind: Kind, value: t.Any, hidden: frozenset[str]) -> Odd:
    """What is kept of a value: none of what is hidden, and nothing of what says nothing."""
    if value is None or value in ("", {}, []):
        return Odd(kind, ())
    kept = without_links(value, hidden)
    if kept in (MISFIT, {}, []):
        return Odd("hidden" if kind == "new" else kind, ())
    return Odd(kind, (), kept)


def without_links(value: t.Any, hidden: frozenset[str], depth: int = 0) -> t.Any:
    """A copy without links and secrets, at any depth; MISFIT if nothing else is there.

    A link may open without a login (Q92, Q96). Numbers that no double holds become text.
    """
    if isinstance(value, dict | list) and depth >= DEEPEST:
        value = _text(value)
    if isinstance(value, str):
        return MISFIT if _holds_link(value) else value
    if isinstance(value, dict):
        cleaned = {
            name: without_links(one, hidden, depth + 1)
            for name, one in value.items()
            if name not in hidden and not _names_secret(name) and not _holds_link(name)
        }
        return {name: one for name, one in cleaned.items() if one is not MISFIT}
    if isinstance(value, list):
        found = [without_links(one, hidden, depth + 1) for one in value]
        return [one for one in found if one is not MISFIT]
    is_number = isinstance(value, int | Decimal)
    return _text(value) if is_number and not _is_double(value) else value


# -- the types -------------------------------------------------------------------------------------


def _field(schema: Schema, hidden: frozenset[str]) -> Leaf | Inner:
    """Compile a field, or the items of a list."""
    types = schema["type"]
    kind = next(one for one in types if one != "null") if isinstance(types, list) else types
    if kind == "object":
        inner = Fields(schema, (), hidden) if schema.get("properties") else None
        return Inner(dict, inner, schema.get("x-from-text", ""))
    if kind == "array":
        return Inner(list, Items(schema["items"], hidden) if "items" in schema else None)
    leaf = _LEAVES[schema.get("format") or kind]
    if nothing := schema.get("x-null"):
        return Leaf(
            lambda value: None if value == nothing else leaf.convert(value), leaf.kind, True
        )
    if longest := schema.get("maxLength"):
        return Leaf(lambda value: text if len(text := _text(value)) <= longest else MISFIT, "key")
    return leaf._replace(is_expected="x-text" in schema or "x-integer" in schema)


def _text(value: t.Any) -> str:
    return value if isinstance(value, str) else _json.encode(value).decode()


def _integer(value: t.Any) -> t.Any:
    if isinstance(value, str) and _is_whole(value):
        value = int(value)
    if isinstance(value, Decimal) and value.adjusted() < 19 and value == int(value):  # noqa: PLR2004 - digits of 64 bits
        value = int(value)
    return int(value) if isinstance(value, int) and _is_64_bit(value) else MISFIT


def _number(value: t.Any) -> t.Any:
    if isinstance(value, str) and _is_decimal(value):
        value = Decimal(value)
    if isinstance(value, bool):
        return int(value)
    return value if isinstance(value, int | Decimal) and _is_double(value) else MISFIT


def _is_double(value: int | Decimal) -> bool:
    """Is it within what a double can hold, so that no loader turns it into infinity?"""
    return -_HUGE < value < _HUGE


def _boolean(value: t.Any) -> t.Any:
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.lower(), MISFIT)
    return bool(value) if isinstance(value, int | Decimal) and value in (0, 1) else MISFIT


def _or_misfit(read: Callable[[t.Any], str | None]) -> Callable[[t.Any], t.Any]:
    return lambda value: MISFIT if (found := read(value)) is None else found


_LEAVES = {
    "string": Leaf(_text),
    "date-time": Leaf(_or_misfit(utc), "date"),
    "date": Leaf(_or_misfit(calendar_date), "date"),
    "integer": Leaf(_integer),
    "number": Leaf(_number),
    "boolean": Leaf(_boolean),
}

# -- rows that are as they should be ---------------------------------------------------------------

_USUAL: dict[str, t.Any] = {
    "string": str,
    "integer": t.Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)],
    "number": int | Decimal,
    "boolean": bool,
    "date": date,
    "date-time": t.Annotated[datetime, msgspec.Meta(tz=True)],
}
_LENGTHS = (20, 24, 27)  # of timestamps as they should leave, `…Z`: whole seconds, milli-, micro-


def usual(schema: Schema, dropped: Iterable[str] = ()) -> Callable[[dict[str, t.Any]], bool]:
    """Compile a quick test of rows: does nothing need to be looked at closely?

    It refuses more than does not fit: timestamps in another style, for instance. From rows that it
    accepts secrets are gone, and whole numbers that come as text are numbers (Q75).
    """
    kind, finish = _struct(schema, dropped), _finish(schema, dropped)
    # msgspec learns a type on its first use; a thread that meets it half learned ends the process
    # (msgspec 0.22.0, 2026-11-27)
    msgspec.convert({}, kind)

    def is_usual(row: dict[str, t.Any]) -> bool:
        try:
            msgspec.convert(row, kind, builtin_types=(Decimal,))
        except msgspec.ValidationError:
            return False
        return finish is None or finish(row)

    return is_usual


def _struct(schema: Schema, dropped: Iterable[str] = ()) -> t.Any:
    """Make the type that has these fields, each of its type, and no others."""
    types = {name: _type(field) for name, field in schema["properties"].items()}
    types |= dict.fromkeys(dropped, t.Any)
    fields = [(f"f{number}", one, None) for number, one in enumerate(types.values())]
    names = {f"f{number}": name for number, name in enumerate(types)}
    return msgspec.defstruct("Usual", fields, rename=names, forbid_unknown_fields=True, gc=False)


def _type(schema: Schema) -> t.Any:
    if "x-secret" in schema:
        return t.Any
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    kind = next(one for one in types if one != "null")
    if kind == "object":
        found = _struct(schema) if schema.get("properties") else dict[str, t.Any]
    elif kind == "array":
        of = _type(schema["items"]) if "items" in schema else t.Any
        found = list[of]  # type: ignore[valid-type]
    elif nothing := schema.get("x-null"):
        found = t.Annotated[str, msgspec.Meta(pattern=rf"\A(?!{re.escape(nothing)}\Z)")]
    elif longest := schema.get("maxLength"):
        found = t.Annotated[str, msgspec.Meta(max_length=longest)]
    elif "x-integer" in schema:
        found = _USUAL[kind] | t.Annotated[str, msgspec.Meta(pattern=r"(?a)\A-?\d{1,18}\Z")]
    else:
        found = _USUAL[schema.get("format") or kind]
    return found | None if "null" in types else found


def _finish(schema: Schema, dropped: Iterable[str] = ()) -> Callable[[t.Any], bool] | None:
    """Compile what no type can say of an object or a list; None if that is nothing."""
    if "items" in schema:
        inner = _finish(schema["items"])
        return inner and (lambda values: all(one is None or inner(one) for one in values))
    properties: dict[str, Schema] = schema.get("properties", {})
    gone = [*dropped, *(name for name, field in properties.items() if "x-secret" in field)]
    whole = [name for name, field in properties.items() if "x-integer" in field]
    moments = [name for name, field in properties.items() if field.get("format") == "date-time"]
    found = {name: _finish(field) for name, field in properties.items() if name not in gone}
    below = [(name, inner) for name, inner in found.items() if inner]
    is_nothing = not (gone or whole or below or moments)
    return None if is_nothing else _finishing(gone, moments, whole, below)


def _finishing(
    gone: Sequence[str],
    moments: Sequence[str],
    whole: Sequence[str],
    below: Sequence[tuple[str, Callable[[t.Any], bool]]],
) -> Callable[[dict[str, t.Any]], bool]:

    def finish(row: dict[str, t.Any]) -> bool:
        for name in gone:
            row.pop(name, None)
        for name in moments:  # msgspec knows that it is one, but not that it is in UTC
            if (value := row.get(name)) is not None and not (
                value[-1] == "Z" and value[10] == "T" and len(value) in _LENGTHS
            ):
                return False
        for name in whole:
            if type(value := row.get(name)) is str:
                row[name] = int(value)
        for name, inner in below:  # noqa: SIM110 - a generator takes longer
            if (value := row.get(name)) and not inner(value):
                return False
        return True

    return finish
