"""What a run could not read, why, and what repairs it: the last lines of the log."""

from __future__ import annotations

import re
import threading
import typing as t
from collections import Counter

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

MOST_LINES = 30
LONGEST_NAME = 40  # characters of an organization's name

# what differs between two refusals of the same kind: ids of rows, requests and organizations
_ID = re.compile(
    r",? request id [\w-]+|\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b", re.IGNORECASE
)
MOST_FIELD_LINES = 100
MOST_FIELDS = 1000  # that are counted

FIELDS = {
    "date": ("null", "{name} held no date in {count} rows and left as null"),
    "misfit": (
        "null",
        "{name} did not fit its type in {count} rows: null, and kept in unknown_fields",
    ),
    "key": ("null", "{name} was longer than a key may be in {count} rows, which are set aside"),
    "item": ("null", "{name} held nothing {count} times and was left out of its list"),
    "converted": ("type", "{name} came in another type in {count} rows and was converted"),
    "new": ("new", "{name!r} is not in the schema: kept in unknown_fields in {count} rows"),
    "hidden": (
        "new",
        "{name!r} is not in the schema: left out of {count} rows as a link or secret",
    ),
}
"""What is said of values that were not as the schema says, by kind (`fit`)."""

Outcome = t.Literal["skipped", "failed", "warned"]
_ORDER: tuple[Outcome, ...] = ("failed", "warned", "skipped")


class Entry(t.NamedTuple):
    """One stream of one organization (None: of all) that was not, or not wholly, read."""

    outcome: Outcome
    stream: str
    organization_id: str | None
    why: str


class Report:
    """Collects entries from any thread, and rows per stream; tells the exit code at the end."""

    def __init__(self, *, denied_is_failure: bool) -> None:
        self._denied_is_failure = denied_is_failure
        self._lock = threading.Lock()
        self._entries: dict[Entry, None] = {}
        self.names: Mapping[str, str] = {}
        """Names of organizations by id, as far as they are known."""
        self._set_aside: Counter[tuple[str, str | None, str]] = Counter()
        self._fields: Counter[tuple[str, str, str]] = Counter()

    @property
    def entries(self) -> list[Entry]:
        """Everything noted, each once, in the order in which it came."""
        with self._lock:
            aside = [
                Entry("warned", stream, where, f"{count} rows without {key}, their key: set aside")
                for (stream, where, key), count in self._set_aside.items()
            ]
            return [*self._entries, *aside]

    def denied(self, stream: str, organization_id: str | None, why: str) -> None:
        """Note a refusal by Qonto: skipped or failed, as `on_denied` says."""
        self._add("failed" if self._denied_is_failure else "skipped", stream, organization_id, why)

    def failed(self, stream: str, organization_id: str | None, why: str) -> None:
        """Note what was not read for any other reason; the next run reads it again."""
        self._add("failed", stream, organization_id, why)

    def warned(self, stream: str, organization_id: str | None, why: str) -> None:
        """Note something a person should know although the rows were read."""
        self._add("warned", stream, organization_id, why)

    def set_aside(self, stream: str, organization_id: str | None, key: str) -> None:
        """Note a row that came without its key, which no target takes."""
        with self._lock:
            self._set_aside[stream, organization_id, key] += 1

    def field(self, stream: str, kind: str, field: str) -> None:
        """Note a value that was not as the schema of its stream says: see `FIELDS`."""
        with self._lock:
            key = stream, kind, field
            if key in self._fields or len(self._fields) < MOST_FIELDS:
                self._fields[key] += 1

    def count(self, stream: str, kind: str, field: str) -> int:
        """Return how often that was noted."""
        return self._fields[stream, kind, field]

    def mentions(self, stream: str) -> bool:
        """Was a part of this stream skipped or failed, or anything odd about it?"""
        return any(entry.stream == stream for entry in self.entries)

    @property
    def incomplete(self) -> bool:
        """Did anything fail? The run then ends non-zero."""
        return any(entry.outcome == "failed" for entry in self.entries)

    def lines(self) -> Iterator[str]:
        """Yield the closing table: streams that share reason and organizations are one line."""
        rows = sorted(self._grouped(), key=lambda row: (_ORDER.index(row[0]), row[1]))
        for outcome, streams, organizations, why in rows[:MOST_LINES]:
            yield f"{outcome:8} {', '.join(streams)}: {self._where(organizations)}: {why}"
        if len(rows) > MOST_LINES:
            yield f"… and {len(rows) - MOST_LINES} more lines like these"
        yield from self._field_lines()

    def of_each(self, streams: Iterable[str]) -> Iterator[str]:
        """Yield a line for each stream: `ok`, or the worst that there is to say of it."""
        entries = sorted(self.entries, key=lambda one: _ORDER.index(one.outcome))
        for stream in streams:
            mine = [one for one in entries if one.stream == stream]
            if not mine:
                yield f"ok       {stream}"
                continue
            outcome, _, first, why = mine[0]
            where = [one.organization_id for one in mine if one.outcome == outcome]
            yield f"{outcome:8} {stream}: {self._where(where)}: {_alone(why, stream, first)}"

    def _field_lines(self) -> Iterator[str]:
        with self._lock:
            found = sorted(self._fields.items())
        found.sort(key=lambda one: [*FIELDS].index(one[0][1]))
        for (stream, kind, name), count in found[:MOST_FIELD_LINES]:
            word, text = FIELDS[kind]
            yield f"{word:8} {stream}: {text.format(name=name, count=count)}"
        if len(found) > MOST_FIELD_LINES:
            yield f"… and {len(found) - MOST_FIELD_LINES} more fields like these"

    def _grouped(self) -> list[tuple[Outcome, list[str], list[str | None], str]]:
        by_reason: dict[tuple[Outcome, str, str], dict[str | None, None]] = {}
        examples: dict[tuple[Outcome, str, str], str] = {}
        for outcome, stream, organization_id, why in self.entries:
            text = _alone(why, stream, organization_id)
            reason = _ID.sub("", text.replace(organization_id or "\n", ""))
            key = (outcome, reason, stream)
            by_reason.setdefault(key, {})[organization_id] = None
            examples.setdefault(key, text)
        together: dict[tuple[Outcome, str, tuple[str | None, ...]], list[str]] = {}
        for (outcome, reason, stream), organizations in sorted(by_reason.items()):
            where = tuple(sorted(organizations, key=str))
            together.setdefault((outcome, reason, where), []).append(stream)
        return [
            (outcome, streams, list(organizations), examples[outcome, reason, streams[0]])
            for (outcome, reason, organizations), streams in together.items()
        ]

    def _where(self, organizations: list[str | None]) -> str:
        first = organizations[0]
        if first is None:
            return "all organizations"
        name = " ".join(self.names.get(first, "").split())[:LONGEST_NAME]
        shown = f"{name} ({first})" if name.isprintable() and name else first
        if len(organizations) == 1:
            return f"organization {shown}"
        return f"{len(organizations)} organizations, such as {shown}"

    def _add(self, outcome: Outcome, stream: str, organization_id: str | None, why: str) -> None:
        with self._lock:
            self._entries[Entry(outcome, stream, organization_id, why)] = None


def _alone(why: str, stream: str, organization_id: str | None) -> str:
    """Return a reason without the names that stand before it anyway."""
    text = why.removeprefix(stream).removeprefix(f" of organization {organization_id}")
    return text.removeprefix(": ")
