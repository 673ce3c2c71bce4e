"""What rows look like, without what is in them: names, types and counts."""

from __future__ import annotations

import copy
import functools
import re
import typing as t
from collections import Counter
from decimal import Decimal

from tap_qonto.api.contract import fields, row_facts
from tap_qonto.sync.fit import dotted
from tap_qonto.sync.moments import is_usual_date, utc
from tap_qonto.sync.rows import row_shaper

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tap_qonto.api.contract import FieldPath
    from tap_qonto.cli.doctor.sample import Sample

NAMELESS = "…"
"""In place of a name that may be a value: in an object of unknown names, or oddly written."""

_is_name = re.compile(r"[a-z][a-z_]{0,39}[0-9]{0,2}").fullmatch
_is_link = re.compile(r"\s*https?:", re.IGNORECASE).match
_is_number = re.compile(r"-?\d+(\.\d+)?", re.ASCII).fullmatch
_NAMES = {bool: "boolean", int: "integer", Decimal: "number", dict: "object", list: "list"}


class Shapes:
    """The rows of samples: how many, what was odd, and the types of each field."""

    def __init__(self, samples: Mapping[str, Sample]) -> None:
        self.rows = 0
        self.odd: list[tuple[str, str]] = []
        """Kind, and field (`stream.path`), of everything that is not as the schema says."""
        self.types: dict[str, dict[str, dict[str, int]]] = {}
        """How often each type was seen, by stream and field."""
        for name, sample in samples.items():
            self.types[name] = self._look_at(name, sample.rows)

    def _look_at(self, name: str, rows: list[dict[str, t.Any]]) -> dict[str, dict[str, int]]:
        facts = row_facts(name)
        schemas = dict(fields(facts.schema)) | dict(fields(facts.schema, secret=True))
        open_to_names = {()} | {path for path, one in schemas.items() if one.get("properties")}
        shape = row_shaper(facts, functools.partial(self._tell, name))
        seen: dict[str, Counter[str]] = {}

        def place(path: FieldPath) -> str:
            names = (
                one
                if one == "[]"
                or path[: depth + 1] in schemas
                or (path[:depth] in open_to_names and _is_name(one))
                else NAMELESS
                for depth, one in enumerate(path)
            )
            return dotted(None if one == "[]" else one for one in names)

        for row in rows:
            self.rows += 1
            for path, value in _values(row):
                field = place(path)
                seen.setdefault(field, Counter())[_type(value)] += 1
                if path[-1] == "[]" and value is None:
                    self._tell(name, "null item", field)
                is_whole = "integer" in schemas.get(path, {}).get("type", ())
                if is_whole and isinstance(value, Decimal) and value == value.to_integral_value():
                    self._tell(name, "fraction", field)
            shape(copy.deepcopy(row), None)
        return {field: dict(sorted(types.items())) for field, types in sorted(seen.items())}

    def _tell(self, name: str, kind: str, field: str) -> None:
        parts = re.split(r"(\[\]|\.)", field)
        safe = [one if one in {"", "[]", "."} or _is_name(one) else NAMELESS for one in parts]
        self.odd.append((kind, f"{name}.{''.join(safe)}"))


def _values(value: t.Any, path: FieldPath = ()) -> Iterator[tuple[FieldPath, t.Any]]:
    """Yield (path, value) of everything within."""
    found: list[tuple[str, t.Any]] = []
    if isinstance(value, dict):
        found = [*value.items()]
    elif isinstance(value, list):
        found = [("[]", one) for one in value]
    for name, one in found:
        yield (*path, name), one
        yield from _values(one, (*path, name))


def _type(value: t.Any) -> str:
    """Name the type of a value, a little more closely than JSON does; never any part of it."""
    if not isinstance(value, str):
        return _NAMES.get(type(value), "null")
    if not value:
        return "empty text"
    if _is_number(value):
        return "number as text"
    if is_usual_date(value):
        return "date"
    if utc(value):
        return "timestamp"
    return "link" if _is_link(value) else "text"
