"""What a run could not read, why, and what mends it: the last lines of the log."""

from __future__ import annotations

import threading
import typing as t
from collections import Counter

if t.TYPE_CHECKING:
    from collections.abc import Iterator

MOST_LINES = 30
REFUSALS_BEFORE_SKIPPING = 3


Outcome = t.Literal["skipped", "failed", "warned"]


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
        self.entries: list[Entry] = []
        self.unknown_fields: Counter[tuple[str, str]] = Counter()
        """How often a field (stream, name) came that the contract does not know (Q47)."""
        self._refusals: Counter[str] = Counter()
        self._answers: set[str] = set()

    def denied(self, stream: str, organization_id: str | None, why: str) -> None:
        """Note a refusal by Qonto: skipped or failed, as `on_denied` says."""
        self._add("failed" if self._denied_is_failure else "skipped", stream, organization_id, why)
        if organization_id:
            self._refusals[organization_id] += 1

    def failed(self, stream: str, organization_id: str | None, why: str) -> None:
        """Note what was not read for any other reason; the next run reads it again."""
        self._add("failed", stream, organization_id, why)

    def warned(self, stream: str, organization_id: str | None, why: str) -> None:
        """Note something a person should know although the rows were read."""
        self._add("warned", stream, organization_id, why)

    def answered(self, organization_id: str) -> None:
        """Note that Qonto answered something for this organization."""
        self._answers.add(organization_id)

    def refused_everywhere(self, organization_id: str) -> bool:
        """Was this organization refused several times and answered never? It is out of consent."""
        return (
            organization_id not in self._answers
            and self._refusals[organization_id] >= REFUSALS_BEFORE_SKIPPING
        )

    def has_gaps(self, stream: str) -> bool:
        """Was a part of this stream skipped or failed?"""
        return any(e.stream == stream and e.outcome != "warned" for e in self.entries)

    @property
    def incomplete(self) -> bool:
        """Did anything fail? The run then ends non-zero."""
        return any(entry.outcome == "failed" for entry in self.entries)

    def lines(self) -> Iterator[str]:
        """Yield the closing table; entries alike but for the organization are one line."""
        grouped: dict[tuple[Outcome, str, str], list[str | None]] = {}
        for outcome, stream, organization_id, why in self.entries:
            generic = why.replace(f" of organization {organization_id}", "").removeprefix(
                f"{stream}: "
            )
            grouped.setdefault((outcome, stream, generic), []).append(organization_id)
        order: dict[Outcome, int] = {"failed": 0, "warned": 1, "skipped": 2}
        rows = sorted(grouped.items(), key=lambda item: (order[item[0][0]], item[0][1]))
        for (outcome, stream, why), organizations in rows[:MOST_LINES]:
            where = (
                "all organizations"
                if organizations == [None]
                else f"organization {organizations[0]}"
                if len(organizations) == 1
                else f"{len(organizations)} organizations, such as {organizations[0]}"
            )
            yield f"{outcome:8} {stream:28} {where}: {why}"
        if len(rows) > MOST_LINES:
            yield f"… and {len(rows) - MOST_LINES} more lines like these"
        for (stream, name), count in sorted(self.unknown_fields.items()):
            why = f"field {name!r} is not in the schema: left out of {count} rows"
            yield f"{'new':8} {stream:28} {why}"

    def _add(
        self,
        outcome: Outcome,
        stream: str,
        organization_id: str | None,
        why: str,
    ) -> None:
        with self._lock:
            entry = Entry(outcome, stream, organization_id, why)
            if entry not in self.entries[-20:]:
                self.entries.append(entry)
