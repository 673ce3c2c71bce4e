"""Stream maps, selections and catalogs that name what is not there.

They keep personal data back, so a misspelt one must not pass: what would hide something, and hides
nothing, is refused. What only reads too little is said.
"""

from __future__ import annotations

import difflib
import fnmatch
import json
import logging
import os
import re
import typing as t

from tap_qonto.errors import did_you_mean

if t.TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from singer_sdk.singerlib.catalog import Catalog, CatalogEntry

logger = logging.getLogger("tap-qonto")

LIKE = 0.85  # how alike two names are of which one is a misspelt other
OPTIONS = ("__alias__", "__else__", "__filter__", "__key_properties__", "__source__")
NULLS = (None, "__NULL__")
ANY: tuple[str, ...] = ("*",)
"""The fields of a stream that a setting has not switched on."""

Fields = t.Mapping[str, "Collection[str]"]
"""The fields of each stream, those below others with dots."""


def below(schema: Mapping[str, t.Any], prefix: str = "") -> Iterator[str]:
    """Yield the names of all fields of a schema, those below others with dots."""
    for name, facts in schema.get("properties", {}).items():
        yield f"{prefix}{name}"
        yield from below(facts, f"{prefix}{name}.")


def in_maps(maps: Mapping[str, t.Any], fields: Fields) -> Iterator[str]:
    """Yield what in `stream_maps` names a stream, a field or an option that is not there."""
    for name, rules in maps.items():
        if name == "__else__":
            continue
        source = rules.get("__source__", name) if isinstance(rules, dict) else name
        streams = [one for one in fields if fnmatch.fnmatch(one, str(source))]
        if not streams:
            yield f"stream_maps: {source} is no stream{did_you_mean(str(source), fields)}"
        elif isinstance(rules, dict) and (known := _fields(streams, fields)):
            yield from _in_rules(name, rules, known)


def _in_rules(stream: str, rules: Mapping[str, t.Any], known: Collection[str]) -> Iterator[str]:
    for field, rule in rules.items():
        if field in OPTIONS or (field in known and "." not in field):
            continue
        if field.startswith("__"):
            yield f"stream_maps: {stream} has {field}, no option: use {', '.join(OPTIONS)}."
        elif rule in NULLS:
            top = [one for one in known if "." not in one]
            yield (
                f"stream_maps: {stream} has no field {field} that could be removed"
                f"{did_you_mean(field, top)}"
            )
        elif meant := _misspelt(field, known):
            yield (
                f"stream_maps: {stream} has no field {field}, so this would add one, and leave "
                f"{meant} as it is: did you mean {meant}?"
            )


def _fields(streams: Iterable[str], fields: Fields) -> set[str]:
    """Join the fields of several streams, as far as they are known."""
    return {one for of in streams for one in fields[of] if fields[of] is not ANY}


def _misspelt(name: str, known: Collection[str]) -> str | None:
    """Return the field that a name was to be, if it is hardly meant to be new."""
    found = difflib.get_close_matches(name.lower(), known, 1, LIKE)
    turned = (one for one in known if sorted(one) == sorted(name.lower()))
    return next(iter(found), None) or next(turned, None)


def hiding_nothing(
    schemas: Mapping[str, Mapping[str, t.Any]], maps: Mapping[str, t.Any], catalog: Catalog | None
) -> list[str]:
    """Say what is to hide a stream or field and hides none, in maps, selection and catalog.

    `schemas` are those of the streams by name; `files` is known also where the setting is off.
    """
    fields = {"files": ANY, **{name: [*below(one)] for name, one in schemas.items()}}
    select = Selection(os.environ.get("MELTANO_EXTRACT__SELECT", ""))
    for sentence in (*select.nothing(fields, hiding=False), *_strange(catalog or {}, fields)):
        logger.warning("%s", sentence)
    entries = (one for one in (catalog or {}).values() if one.tap_stream_id in fields)
    return [
        *in_maps(maps, fields),
        *select.nothing(fields, hiding=True),
        *(problem for one in entries for problem in in_entry(one, fields[one.tap_stream_id])),
    ]


def _strange(catalog: Mapping[str, CatalogEntry], fields: Fields) -> Iterator[str]:
    for name in catalog.keys() - fields.keys():
        yield f"The catalog has {name}, which is no stream{did_you_mean(name, fields)}"


class Selection:
    r"""Patterns of Meltano's `select`, which it hands to its plugins as JSON.

    `stream.field`, with `*` for anything and `!` before what is left out; a dot of a name is
    written `\.` (Meltano, "Schema and selection", 2026-11).
    """

    def __init__(self, text: str) -> None:
        try:
            found = json.loads(text or "[]")
        except ValueError:
            found = []
        self._patterns = [one for one in found if isinstance(one, str)]

    def nothing(self, fields: Fields, *, hiding: bool) -> Iterator[str]:
        """Yield what is wrong with patterns that match nothing: those that hide, or the others."""
        for pattern in self._patterns:
            if pattern.startswith("!") != hiding:
                continue
            stream, *below = re.split(r"(?<!\\)\.", pattern.removeprefix("!"), maxsplit=1)
            stream = stream.replace("\\", "")
            streams = [one for one in fields if fnmatch.fnmatch(one, stream)]
            if not streams:
                yield f"select: {pattern} matches no stream{did_you_mean(stream, fields)}"
                continue
            known = _fields(streams, fields)
            if below and known and not fnmatch.filter(known, below[0]):
                yield f"select: {pattern} matches no field{did_you_mean(below[0], known)}"


def in_entry(entry: CatalogEntry, fields: Collection[str]) -> Iterator[str]:
    """Yield what in the metadata of a catalog deselects fields that are not there."""
    known = {*fields, *below(entry.schema.to_dict())}
    for place, metadata in entry.metadata.items():
        name = ".".join(place[1::2])
        if place and metadata.selected is False and name not in known:
            yield (
                f"The catalog deselects {name} of {entry.tap_stream_id}, which is no field of it"
                f"{did_you_mean(name, known)}"
            )
