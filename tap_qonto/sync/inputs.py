"""What a user hands over besides settings, a state and a catalog: read, or refused."""

from __future__ import annotations

import json
import typing as t

from singer_sdk.singerlib import Catalog

from tap_qonto.errors import SettingsError
from tap_qonto.sync.moments import utc

if t.TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

Document = t.Union[bytes, "Mapping[str, t.Any]"]
"""A JSON object: in UTF-8, -16 or -32, or read."""


def state(document: Document, streams: Collection[str]) -> dict[str, t.Any]:
    """Read the state of an earlier run; an empty file is no state.

    A whole STATE line, and what `meltano state get` prints, are unwrapped.

    Raises:
        SettingsError: it is none of a tap that has `streams`.
    """
    if isinstance(document, bytes) and not document.strip():
        return {}
    try:
        content = _object(document)
        while content.keys() & {"singer_state", "value"} and "bookmarks" not in content:
            content = _as_object(content.get("singer_state", content.get("value")) or {})
        _check_bookmarks(content, streams)
    except ValueError as error:
        problem = f"The state is not one of this tap: {error}. Without it, everything is read."
        raise SettingsError([problem]) from None
    return content


def catalog(document: Document) -> Catalog:
    """Read a catalog.

    Raises:
        SettingsError: the text is not a catalog.
    """
    try:
        content = _object(document)
        found = Catalog.from_dict({"streams": content["streams"]})
        for entry in found.streams:
            _ = entry.metadata.resolve_selection(), entry.schema.to_dict()
    except (AttributeError, KeyError, IndexError, TypeError, ValueError) as error:
        why = f": {error}" if type(error) is ValueError else ""
        raise SettingsError(
            [f"The catalog is not one{why}. Make one with: tap-qonto --discover > catalog.json"]
        ) from None
    return found


def _object(document: Document) -> dict[str, t.Any]:
    try:
        return _as_object(json.loads(document) if isinstance(document, bytes) else document)
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        if "Extra data" in str(error):
            raise ValueError("it goes on after its end; of several lines take the last") from None
        raise ValueError("it is no JSON") from None


def _as_object(content: t.Any) -> dict[str, t.Any]:
    if not isinstance(content, dict):
        raise ValueError("it is no JSON object")  # noqa: TRY004 - said as the others are
    return content


def _check_bookmarks(state: Mapping[str, t.Any], streams: Collection[str]) -> None:
    bookmarks = state.get("bookmarks")
    if not isinstance(bookmarks, dict):
        if state:
            raise ValueError("it has no bookmarks")
        return
    if bookmarks and not bookmarks.keys() & set(streams):
        raise ValueError(f"{next(iter(bookmarks))} is no stream of it")
    for stream, of_stream in bookmarks.items():
        if not isinstance(of_stream, dict):
            raise ValueError(f"the bookmarks of {stream} have another shape")  # noqa: TRY004
        if "replication_key_value" in of_stream:
            raise ValueError(f"a bookmark of {stream} names no organization")
        for context, bookmark in _partitions(stream, of_stream):
            if bookmark is not None and not utc(bookmark):
                raise ValueError(f"a bookmark of {stream} for {context} is no date")


def _partitions(
    stream: str, of_stream: Mapping[str, t.Any]
) -> Iterator[tuple[Mapping[str, t.Any], t.Any]]:
    """Yield context and bookmark of each partition of a stream."""
    try:
        for partition in of_stream.get("partitions") or ():
            context = partition["context"]
            frozenset(context.items())
            yield context, partition.get("replication_key_value")
    except (AttributeError, KeyError, TypeError):
        raise ValueError(f"the bookmarks of {stream} have another shape") from None
