"""Settings from the environment, a state and a catalog: read, or refused in one sentence."""

from __future__ import annotations

import json
import os
import typing as t

from singer_sdk.configuration._dict_config import parse_environment_config
from singer_sdk.singerlib import Catalog

from tap_qonto.errors import SettingsError

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PREFIX = "TAP_QONTO_"
BOM = "\ufeff"  # what some editors of Windows begin a file with


def environment(schema: Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Read the settings that `TAP_QONTO_*` gives, typed as `schema` says; empty ones are not set.

    Raises:
        SettingsError: a variable can't be read, by name.
    """
    config: dict[str, t.Any] = {}
    problems: list[str] = []
    for name, facts in schema["properties"].items():
        variable = PREFIX + name.upper()
        if not os.environ.get(variable):
            continue
        try:
            # one at a time, to know which; no .env file, since that was read before
            config |= parse_environment_config({"properties": {name: facts}}, PREFIX, os.devnull)
        except ValueError:
            want = "a whole number" if "integer" in facts.get("type", ()) else "JSON"
            problems.append(f"{variable} can't be read: write {want}.")
    if problems:
        raise SettingsError(problems)
    return config


def state(text: str) -> dict[str, t.Any]:
    """Read the state of an earlier run. An empty file counts as an empty state.

    Raises:
        SettingsError: the text is not a state of this tap.
    """
    content = _object(text) if text.strip() else {}
    try:
        for partition in _partitions(content or {}):
            frozenset(partition["context"].items())
            if not isinstance(partition.get("replication_key_value"), str | None):
                content = None
    except (AttributeError, KeyError, TypeError):
        content = None
    if content is None:
        raise SettingsError(["The state is not one of this tap. Without it, everything is read."])
    return content


def catalog(text: str) -> Catalog:
    """Read a catalog, as `--discover` writes it.

    Raises:
        SettingsError: the text is not a catalog.
    """
    try:
        return Catalog.from_dict({"streams": (_object(text) or {})["streams"]})
    except (AttributeError, KeyError, TypeError, ValueError):
        raise SettingsError(
            ["The catalog is not one. Make one with: tap-qonto --discover > catalog.json"]
        ) from None


def _object(text: str) -> dict[str, t.Any] | None:
    try:
        content = json.loads(text.removeprefix(BOM))
    except ValueError:
        return None
    return content if isinstance(content, dict) else None


def _partitions(state: Mapping[str, t.Any]) -> Iterator[dict[str, t.Any]]:
    for bookmarks in state.get("bookmarks", {}).values():
        yield from bookmarks.get("partitions", ())
