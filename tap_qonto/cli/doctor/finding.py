"""What a check finds."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Iterable

MOST_NAMES = 6  # in a finding
Verdict = t.Literal["does not hold", "can't tell", "holds"]


class Finding(t.NamedTuple):
    """A verdict, and what was seen: names of streams and fields, codes, counts, never a value."""

    verdict: Verdict
    seen: str = ""


def judged(otherwise: Iterable[str], looked_at: int, what: str = "") -> Finding:
    """Judge by the names of what was seen `otherwise`, out of so many that were looked at."""
    names = sorted(set(otherwise))
    if names:
        more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
        return Finding("does not hold", f"{what}{', '.join(names[:MOST_NAMES])}{more}")
    return Finding("holds", f"{looked_at} looked at") if looked_at else Finding("can't tell")
