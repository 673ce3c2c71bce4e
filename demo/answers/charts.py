"""Lines, columns and bars as SVG text: no script, no network, colours by the page's style sheet.

Every value is in whole cents of one currency. A mark tells its numbers in a `<title>`, which
browsers show when the pointer rests on it.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from datetime import date, timedelta
from html import escape
from itertools import pairwise

LEFT, RIGHT, TOP, BOTTOM = 48, 8, 14, 24  # pixels around the plot
WEEK = timedelta(days=7)


@dataclass(frozen=True)
class Bar:
    """A horizontal bar: `parts` are (style class, length, what it tells), `end` ends the line."""

    label: str
    end: str
    parts: list[tuple[str, int, str]]


def money(cents: int, currency: str) -> str:
    """Tell an amount without its cents: `-1,234 EUR`."""
    return f"{cents / 100:,.0f} {currency}"


def lines(
    series: dict[str, dict[date, int]], currency: str, label: str, height: int, width: int
) -> str:
    """Draw a stepped line per name; days that a name lacks are not drawn."""
    days = sorted({day for points in series.values() for day in points})
    plot = _Plot.around([v for points in series.values() for v in points.values()], width, height)
    right = width - RIGHT
    span = max((days[-1] - days[0]).days, 1)

    def x(day: date) -> float:
        return LEFT + (day - days[0]).days / span * (right - LEFT)

    marks = [*plot.grid()]
    firsts = [day for day in days if day.day == 1]
    every = max(1, round(len(firsts) * 62 / (right - LEFT)))
    marks += [
        _text(x(day), height - 6, f"{day:%b %y}", "tick middle")
        for day in firsts[::every]
        if x(day) < right - 16
    ]
    for number, (_, points) in enumerate(series.items()):
        known = sorted(points)
        path = f"M{x(known[0]):.1f} {plot.y(points[known[0]]):.1f}"
        path += "".join(f"H{x(b):.1f}V{plot.y(points[b]):.1f}" for _, b in pairwise(known))
        marks.append(f'<path class="line s{number}" d="{path}"/>')
    for day in days[::-7]:
        told = [f"{n}: {money(p[day], currency)}" for n, p in series.items() if day in p]
        half = WEEK.days / span * (right - LEFT) / 2
        start = max(LEFT, x(day) - half)
        band = (start, TOP, min(right, x(day) + half) - start, height - TOP - BOTTOM)
        marks.append(_rect("band", band, "\n".join([f"{day:%d %b %Y}", *told])))
    return _svg(width, height, label, marks)


def columns(
    months: dict[date, tuple[int, int]], currency: str, label: str, height: int, width: int
) -> str:
    """Draw what came in upwards, what went out downwards, and what is left as a line across."""
    plot = _Plot.around([v for i, o in months.values() for v in (i, -o)], width, height)
    slot = (width - RIGHT - LEFT) / len(months)
    bar = min(slot - 6, 30)
    every = max(1, round(len(months) * 46 / (width - LEFT)))
    marks = [*plot.grid()]
    for place, (month, (into, out)) in enumerate(months.items()):
        middle = LEFT + slot * (place + 0.5)
        told = (
            f"{month:%B %Y}\nin {money(into, currency)}\nout {money(out, currency)}\n"
            f"left {money(into - out, currency)}"
        )
        for kind, cents in (("in", into), ("out", -out)):
            top, foot = sorted((plot.y(cents), plot.y(0)))
            marks.append(_rect(kind, (middle - bar / 2, top, bar, foot - top), told))
        across = plot.y(into - out)
        wide = bar / 2 + 3
        marks.append(
            f'<path class="net" d="M{middle - wide:.1f} {across:.1f}H{middle + wide:.1f}"/>'
        )
        if place % every == 0:
            marks.append(_text(middle, height - 6, f"{month:%b %y}", "tick middle"))
        marks.append(_rect("band", (LEFT + slot * place, TOP, slot, height - TOP - BOTTOM), told))
    return _svg(width, height, label, marks)


def bars(rows: list[Bar], label: str, width: int) -> str:
    """Draw a bar per row, its name above it, its parts side by side."""
    step, thick = 42, 14
    most = max((sum(size for _, size, _ in row.parts) for row in rows), default=0) or 1
    marks = []
    for place, row in enumerate(rows):
        top = place * step
        marks.append(_text(0, top + 14, row.label, "name"))
        marks.append(_text(width, top + 14, row.end, "name end"))
        left = 0.0
        for kind, size, told in row.parts:
            length = size / most * width
            marks.append(_rect(kind, (left, top + 20, max(length - 2, 1), thick), told))
            left += length
    return _svg(width, step * len(rows), label, marks)


@dataclass(frozen=True)
class _Plot:
    """The scale upwards: from `low` to `high` cents, with a line at every `step`."""

    low: int
    high: int
    step: int
    width: int
    height: int

    @classmethod
    def around(cls, values: list[int], width: int, height: int) -> _Plot:
        low, high = min(0, *values), max(0, *values)
        wanted = max(high - low, 100) / max(2, (height - TOP - BOTTOM) // 48)
        power = 10 ** (len(str(int(wanted))) - 1)
        step = next(power * n for n in (1, 2, 5, 10) if power * n >= wanted)
        return cls(low // step * step, -(-high // step) * step or step, step, width, height)

    def y(self, cents: int) -> float:
        share = (cents - self.low) / (self.high - self.low)
        return self.height - BOTTOM - share * (self.height - TOP - BOTTOM)

    def grid(self) -> t.Iterator[str]:
        for cents in range(self.low, self.high + 1, self.step):
            y = self.y(cents)
            kind = "zero" if cents == 0 else "grid"
            yield f'<path class="{kind}" d="M{LEFT} {y:.1f}H{self.width - RIGHT}"/>'
            yield _text(LEFT - 8, y + 4, _short(cents), "tick end")


def _short(cents: int) -> str:
    units = cents / 100
    for size, letter in ((1_000_000, "m"), (1_000, "k")):
        if abs(units) >= size:
            return f"{units / size:g}{letter}"
    return f"{units:g}"


def _text(x: float, y: float, text: str, kind: str) -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}">{escape(text)}</text>'


def _rect(kind: str, box: tuple[float, float, float, float], told: str) -> str:
    """Draw a box of (left, top, width, height)."""
    place = 'x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"'.format(*box)
    return f'<rect class="{kind}" {place} rx="2"><title>{escape(told)}</title></rect>'


def _svg(width: int, height: int, label: str, marks: list[str]) -> str:
    head = f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(label)}">'
    return head + "".join(marks) + "</svg>"
