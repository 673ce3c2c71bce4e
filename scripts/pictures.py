"""Draw two answers of the marts for docs/questions.md, from the warehouse that `make demo` leaves.

    make demo
    . .venv/bin/activate
    pip install --group docs
    python scripts/pictures.py

Writes docs/images/cash.png and docs/images/card_spend.png.
"""

from __future__ import annotations

import sys
import typing as t
from collections import defaultdict
from datetime import date, timedelta
from pathlib import Path

import duckdb
import matplotlib as mpl
import matplotlib.pyplot as plt

if t.TYPE_CHECKING:
    from matplotlib.axes import Axes

ROOT = Path(__file__).parents[1]
COLOURS = ("#2a6fbb", "#d97a1c", "#2b8f6b", "#8c5aa8", "#8a8f98")
INK, FAINT = "#24292f", "#d0d7de"
WIDTH, HEIGHT, DPI = 9.0, 4.0, 110  # inches and dots: about 1,000 pixels wide

mpl.use("agg")
plt.rcParams |= {
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": FAINT,
    "grid.linewidth": 0.6,
    "xtick.color": INK,
    "ytick.color": INK,
    "ytick.left": False,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
}

Rows = list[dict[str, t.Any]]


CASH = """
    select organization, day, cast(sum(balance_cents) as bigint) as balance_cents
    from analytics.qonto__daily_balances
    where currency = 'EUR'
    group by all
    order by all
"""
CARDS = "select * from analytics.qonto__card_spend where currency = 'EUR'"


def answer(database: duckdb.DuckDBPyConnection, query: str) -> Rows:
    """Rows by column."""
    cursor = database.execute(query)
    heads = [column[0] for column in cursor.description]
    return [dict(zip(heads, row, strict=True)) for row in cursor.fetchall()]


def cash(rows: Rows) -> None:
    """A line per organization over the last year, its name and balance at the end."""
    since = max(row["day"] for row in rows) - timedelta(days=365)
    lines: dict[str, list[tuple[date, float]]] = defaultdict(list)
    for row in rows:
        if row["day"] >= since:
            lines[row["organization"]].append((row["day"], row["balance_cents"] / 100))
    figure, axes = plt.subplots(figsize=(WIDTH, HEIGHT), dpi=DPI)
    ends = []
    for (name, points), colour in zip(sorted(lines.items()), COLOURS, strict=False):
        days, balances = zip(*points, strict=True)
        axes.plot(days, balances, color=colour, linewidth=1.8, drawstyle="steps-post")
        ends.append((balances[-1], name, colour))
    axes.set_title("Cash per day, EUR accounts only")
    euros(axes)
    last, room = max(row["day"] for row in rows), axes.get_ylim()[1] / 9
    place = float("inf")
    for balance, name, colour in sorted(ends, reverse=True):  # near equals make way downwards
        place = min(balance, place - room)
        text = f"{name}\n{balance:,.0f} €"
        axes.annotate(text, (last, place), (6, 0), textcoords="offset points", va="center",
                      color=colour, fontweight="bold", fontsize=9)  # fmt: skip
    axes.xaxis.set_major_formatter(mpl.dates.ConciseDateFormatter(axes.xaxis.get_major_locator()))
    axes.margins(x=0)
    save(figure, "cash")


def card_spend(rows: Rows) -> None:
    """A panel per organization, a bar per month, stacked by team; the last twelve full months.

    A team that was refunded more than it spent shows nothing that month.
    """
    this_month = date.today().replace(day=1)  # noqa: DTZ011 - as in the picture's title
    months = sorted({row["month"] for row in rows if row["month"] < this_month})[-12:]
    teams = sorted({row["team"] for row in rows})
    names = sorted({row["organization"] for row in rows})
    spend: dict[tuple[str, str, date], float] = defaultdict(float)
    for row in rows:
        spend[row["organization"], row["team"], row["month"]] += row["spend_cents"] / 100
    figure, panels = plt.subplots(
        1, len(names), figsize=(WIDTH, HEIGHT), dpi=DPI, sharey=True, squeeze=False
    )
    for name, axes in zip(names, panels[0], strict=True):
        floor = [0.0] * len(months)
        for team, colour in zip(teams, COLOURS, strict=False):
            tops = [max(0.0, spend[name, team, month]) for month in months]
            axes.bar(range(len(months)), tops, 0.8, floor, color=colour, label=team,
                     edgecolor="white", linewidth=0.6)  # fmt: skip
            floor = [low + top for low, top in zip(floor, tops, strict=True)]
        axes.set_title(name, fontsize=10)
        axes.set_xticks((1, len(months) - 2), [f"{months[0]:%b %Y}", f"{months[-1]:%b %Y}"])
        axes.tick_params(axis="x", length=0)
    euros(*panels[0])
    handles, labels = panels[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="upper right", ncols=len(teams), frameon=False)
    figure.suptitle("Card spend, EUR accounts only", x=0.01, ha="left", fontweight="bold")
    save(figure, "card_spend")


def euros(*panels: Axes) -> None:
    """Count the y axis in euros, from 0; one scale for all panels."""
    axes = panels[0]
    axes.set_ylim(0, max(one.dataLim.ymax for one in panels) * 1.05)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f} €")


def save(figure: t.Any, name: str) -> None:
    """Write the picture and say how large it is."""
    file = ROOT / f"docs/images/{name}.png"
    file.parent.mkdir(exist_ok=True)
    figure.tight_layout()
    figure.savefig(file, facecolor="white", metadata={"Software": None})
    print(f"{file.relative_to(ROOT)}  {file.stat().st_size / 1000:.0f} KB")


def main(path: str) -> None:
    """Draw both."""
    database = duckdb.connect(path, read_only=True)
    cash(answer(database, CASH))
    card_spend(answer(database, CARDS))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else str(ROOT / ".demo/qonto.duckdb"))
