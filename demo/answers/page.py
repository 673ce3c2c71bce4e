"""One HTML file with the pictures that a CFO looks at first; it needs no network and no script."""

from __future__ import annotations

import typing as t
from collections import defaultdict
from functools import partial
from html import escape
from pathlib import Path
from string import Template

from demo.answers.charts import Bar, bars, columns, lines, money

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import date

    from demo.answers.marts import Answers
    from demo.warehouse import Row

TEMPLATE = Path(__file__).with_name("page.html")
WIDE, NARROW, HALF = 960, 350, 440  # pixels that a picture is drawn for
COLOURS = 5
SHOWN = 8  # rows of a list before it ends in "and … more"


def page(answers: Answers) -> str:
    """The whole file."""
    today: date = max(row["day"] for row in answers.days)
    names = sorted({row["organization"] for row in answers.days})
    return Template(TEMPLATE.read_text("utf-8")).substitute(
        today=f"{today:%d %B %Y}",
        organizations=f"{len(names)} organizations" if len(names) > 1 else escape(names[0]),
        cards="".join(_card(name, answers) for name in names),
        cash=_cash(answers, names),
        flow=_flow(answers),
        overdue=_overdue(answers.overdue),
        receipts=_receipts(answers.receipts),
    )


def _card(organization: str, answers: Answers) -> str:
    """An organization: cash by currency, and what waits."""

    def own(rows: list[Row]) -> list[Row]:
        return [row for row in rows if row["organization"] == organization]

    cash = sorted(own(answers.runway), key=lambda row: -row["cash_cents"])
    lasts = [row["runway_months"] for row in cash[:1]]
    facts = {
        "Runway": "cash grows" if lasts == [None] else f"{lasts[0]} months" if lasts else "unknown",
        "Overdue": _totals(own(answers.overdue), "open_cents"),
        "Missing receipts": f"{len(own(answers.receipts))}",
    }
    return (
        f"<article><h2>{escape(organization)}</h2>"
        + "".join(f"<b>{money(row['cash_cents'], row['currency'])}</b>" for row in cash)
        + "<dl>"
        + "".join(f"<dt>{name}</dt><dd>{escape(value)}</dd>" for name, value in facts.items())
        + "</dl></article>"
    )


def _cash(answers: Answers, names: list[str]) -> str:
    parts = [_legend((f"s{n % COLOURS}", name) for n, name in enumerate(names))]
    for place, currency in enumerate(_currencies(answers.days, "cents")):
        series: dict[str, dict[date, int]] = {name: {} for name in names}
        for row in answers.days:
            if row["currency"] == currency:
                series[row["organization"]][row["day"]] = row["cents"]
        label = f"Cash per day in {currency}, a line per organization"
        height = 190 if place else 300

        draw = partial(lines, series, currency, label, height)
        parts += [f"<h3>{escape(currency)}</h3>", _both(draw)]
    ends = [
        (r["organization"], f"{r['month']:%b %Y}", money(r["closing_cents"], r["currency"]))
        for r in reversed(answers.months)
        if r["closing_cents"] is not None
    ]
    parts.append(_details("At the end of each month", ("Organization", "Month", "#Cash"), ends))
    return "".join(parts)


def _flow(answers: Answers) -> str:
    parts = [_legend([("in", "In"), ("out", "Out"), ("net", "What is left")])]
    listed = []
    for place, currency in enumerate(_currencies(answers.months, "in_cents")):
        months: dict[date, tuple[int, int]] = {}
        for row in answers.months:
            if row["currency"] == currency:
                into, out = months.get(row["month"], (0, 0))
                months[row["month"]] = (into + row["in_cents"], out + row["out_cents"])
        months = dict(sorted(months.items()))
        label = f"Money in and out by month in {currency}"
        height = 190 if place else 280

        draw = partial(columns, months, currency, label, height)
        parts += [f"<h3>{escape(currency)}</h3>", _both(draw)]
        listed += [
            (f"{month:%b %Y}", *(money(cents, currency) for cents in (into, out, into - out)))
            for month, (into, out) in reversed(months.items())
        ]
    parts.append(_details("As a table", ("Month", "#In", "#Out", "#Left"), listed))
    return "".join(parts)


def _overdue(rows: list[Row]) -> str:
    if not rows:
        return "<p>Nothing is overdue.</p>"
    by: dict[tuple[str, str], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for row in rows:
        by[row["currency"], row["organization"]][row["age"]] += row["open_cents"]
    ages = sorted({row["age"] for row in rows})
    parts = [_legend((f"age{age[0]}", age[2:]) for age in ages)]
    for currency in _currencies(rows, "open_cents"):
        drawn = [
            Bar(
                name,
                money(sum(some.values()), currency),
                [
                    (f"age{age[0]}", cents, f"{name}, {age[2:]}: {money(cents, currency)}")
                    for age, cents in sorted(some.items())
                ],
            )
            for (here, name), some in sorted(by.items())
            if here == currency
        ]
        label = f"Overdue receivables in {currency} by organization"
        parts.append(_both(partial(bars, drawn, label), HALF))
    heads = ("Client", "Invoice", "#Days", "#Open")
    listed = [
        (r["client"] or "", r["invoice_number"] or "", f"{r['days_overdue']}",
         money(r["open_cents"], r["currency"]))
        for r in rows
    ]  # fmt: skip
    return "".join([*parts, _rows(heads, listed[:SHOWN]), _more(heads, listed[SHOWN:])])


def _receipts(rows: list[Row]) -> str:
    if not rows:
        return "<p>None is missing.</p>"
    by: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        by[row["person"], row["organization"]].append(row)
    people = sorted(by.items(), key=lambda item: (-len(item[1]), item[0]))
    drawn = [
        Bar(
            f"{person}, {organization}",
            f"{len(some)}",
            [("in", len(some), f"{person}: {len(some)} payments, {_totals(some, 'spent_cents')}")],
        )
        for (person, organization), some in people[:SHOWN]
    ]
    heads = ("Person", "Day", "Paid to", "#Spent")
    listed = [
        (r["person"], f"{r['day']:%d %b %Y}", r["paid_to"] or "",
         money(r["spent_cents"], r["currency"]))
        for r in sorted(rows, key=lambda r: r["day"], reverse=True)
    ]  # fmt: skip
    rest = sum(len(some) for _, some in people[SHOWN:])
    more = f"<p>and {rest} of other people</p>" if rest else ""
    return _both(partial(bars, drawn, "Missing receipts by person"), HALF) + more + _details(
        "Every payment", heads, listed
    )  # fmt: skip


# -- pieces -------------------------------------------------------------------------------------


def _currencies(rows: list[Row], cents: str) -> list[str]:
    """The one that most rows are in comes first."""
    counts: dict[str, int] = defaultdict(int)
    for row in rows:
        counts[row["currency"]] += bool(row[cents])
    return sorted(counts, key=lambda currency: (-counts[currency], currency))


def _totals(rows: list[Row], cents: str) -> str:
    sums: dict[str, int] = defaultdict(int)
    for row in rows:
        sums[row["currency"]] += row[cents]
    return " + ".join(money(total, currency) for currency, total in sorted(sums.items())) or "none"


def _both(draw: Callable[[int], str], width: int = WIDE) -> str:
    """Draw for wide and for narrow screens: a picture that is only shrunk can't be read."""
    wide, narrow = draw(width), draw(NARROW)
    return f'<div class="wide">{wide}</div><div class="narrow">{narrow}</div>'


def _legend(entries: Iterable[tuple[str, str]]) -> str:
    items = (f'<li><i class="{kind}"></i>{escape(name)}</li>' for kind, name in entries)
    return f'<ul class="legend">{"".join(items)}</ul>'


def _rows(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """A table; a head that begins with # is that of a column of numbers."""
    kinds = [' class="number"' if head.startswith("#") else "" for head in heads]
    top = (f"<th{kind}>{head.lstrip('#')}</th>" for kind, head in zip(kinds, heads, strict=True))
    body = (
        "".join(f"<td{kind}>{escape(cell)}</td>" for kind, cell in zip(kinds, row, strict=True))
        for row in rows
    )
    inside = "".join(f"<tr>{row}</tr>" for row in ("".join(top), *body))
    return f'<div class="scroll"><table>{inside}</table></div>'


def _details(summary: str, heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    return f"<details><summary>{summary}</summary>{_rows(heads, rows)}</details>"


def _more(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    return _details(f"and {len(rows)} more", heads, rows) if rows else ""
