"""The one table: what was measured, against whom, the ratio, the aim."""

from __future__ import annotations

import statistics
import typing as t


class Line(t.NamedTuple):
    """One comparison. `ratio` is how many times better ours is, or how many times the floor."""

    part: str
    what: str
    ours: str
    against: str
    theirs: str
    ratio: float | None
    aim: str = ""
    met: bool | None = None


def median(values: t.Iterable[float]) -> float:
    return statistics.median(values)


def at_least(ratio: float, aim: float) -> tuple[float, str, bool]:
    """Ratio, aim and verdict where more is better."""
    return ratio, f"≥ {aim:g}", ratio >= aim


def at_most(ratio: float, aim: float) -> tuple[float, str, bool]:
    """Ratio, aim and verdict where less is better."""
    return ratio, f"≤ {aim:g}", ratio <= aim


def markdown(lines: list[Line]) -> str:
    """The table, aligned, as Markdown."""
    header = ["", "measured", "tap-qonto", "against", "theirs", "ratio", "aim", "met"]
    rows = [
        [
            line.part,
            line.what,
            line.ours,
            line.against,
            line.theirs,
            "" if line.ratio is None else f"{line.ratio:.2f}",
            line.aim,
            {True: "yes", False: "NO", None: ""}[line.met],
        ]
        for line in lines
    ]
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]

    def text(row: list[str]) -> str:
        return "| " + " | ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) + " |"

    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([text(header), rule, *map(text, rows)])
