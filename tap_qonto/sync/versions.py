"""ACTIVATE_VERSION lets a target drop rows, so it needs a proof: that the table was read whole.

A table holds what all runs before this one wrote. Which organizations those read, and as whom, is
kept in the state, below the bookmarks of `user_organizations`: the rows of one that left the
consent are not gone, only out of sight (Q4), and so are those that a lower role hides (Q58).
"""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from singer_sdk.helpers.types import TapState

    from tap_qonto.settings import Settings
    from tap_qonto.sync.report import Report

SEES_ALL = ("owner", "admin")  # roles (docs/operating.md, "Organizations that come and go")


def known_roles(state: Mapping[str, t.Any]) -> dict[str, str | None]:
    """Return the organizations that earlier runs read, with the role they did it in."""
    kept = state.get("bookmarks", {}).get("user_organizations", {}).get("organizations")
    known: dict[str, str | None] = dict(kept) if isinstance(kept, dict) else {}
    for bookmarks in state.get("bookmarks", {}).values():
        for partition in bookmarks.get("partitions", ()):
            if organization_id := partition["context"].get("organization_id"):
                known.setdefault(organization_id, None)
    return known


def remember(state: TapState, rows: Iterable[Mapping[str, t.Any]]) -> None:
    """Add the organizations of this run, rows of `user_organizations`; no role gets lower."""
    known = known_roles(state)
    for row in rows:
        role = row.get("membership_role")
        if known.get(row["id"]) is None or role in SEES_ALL:
            known[row["id"]] = role
    if known:
        of_stream = state.setdefault("bookmarks", {}).setdefault("user_organizations", {})
        of_stream["organizations"] = known


class Versions:
    """Decides for each stream of one run; `lines` says what was not sent, and why."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._doubts: list[str] = []
        self._withheld: dict[str, list[str]] = {}

    def begin(
        self,
        settings: Settings,
        flow: str,
        known: Mapping[str, str | None],
        left: list[str],
        rows: Iterable[Mapping[str, t.Any]],
    ) -> None:
        """Note why this session may not see all of any table.

        `known` are the organizations of the state with their roles, `left` those of them that left
        the consent, `rows` those of `user_organizations`.
        """
        doubt = self._doubts.append
        if flow != "user":
            doubt("this session sees one organization, and the table may hold others")
        if settings.shard:
            doubt("a shard is not all organizations")
        if settings.organization_ids is not None:
            doubt("organization_ids selects some of the organizations")
        if left:
            doubt(f"{len(left)} organizations of the state, such as {left[0]}, left the consent")
        for row in rows:
            role = row.get("membership_role")
            if known.get(row["id"]) in SEES_ALL and role not in SEES_ALL:
                doubt(f"as {role or 'a member'} of {row['id']} the user sees less than before")

    def may_activate(self, stream: str, doubts: Iterable[str]) -> bool:
        """May the target drop what this run did not bring? Not if there is any doubt."""
        why = next(iter((*self._doubts, *doubts)), None)
        if why is None and self._report.mentions(stream):
            why = "not all of it was read, or Qonto's counts do not agree: see the closing table"
        if why is not None:
            self._withheld.setdefault(why, []).append(stream)
        return why is None

    def lines(self) -> Iterator[str]:
        """Yield a line for each reason."""
        for why, streams in self._withheld.items():
            yield (
                f"ACTIVATE_VERSION was not sent for {', '.join(streams)}, so the target keeps "
                f"their rows: {why}."
            )
