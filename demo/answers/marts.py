"""The marts that the demo shows, read from the warehouse, and as small tables for a terminal."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from demo.warehouse import Row, Warehouse

# Cents of one currency throughout. The last twelve months, the running one with them.
DAYS = """
    select organization, currency, day, cast(sum(balance_cents) as bigint) as cents
    from analytics.qonto__daily_balances
    where day > (select max(day) from analytics.qonto__daily_balances) - interval '1 year'
    group by all order by all
"""
MONTHS = """
    select organization, currency, month, in_cents, out_cents, net_cents, closing_cents
    from analytics.qonto__monthly_cash_flow
    where month > (select max(month) from analytics.qonto__monthly_cash_flow) - interval '1 year'
    order by all
"""
RUNWAY = """
    select organization, currency, cash_cents, monthly_in_cents, monthly_out_cents, runway_months
    from analytics.qonto__runway order by all
"""
OVERDUE = """
    select organization, client, invoice_number, currency, due_date, days_overdue, age, open_cents
    from analytics.qonto__receivables
    where open_cents > 0 and days_overdue > 0
    order by days_overdue desc, organization, client, invoice_number
"""
RECEIPTS = """
    select organization, coalesce(person, '(nobody named)') as person, day, paid_to, currency,
        spent_cents
    from analytics.qonto__missing_receipts order by all
"""


@dataclass(frozen=True)
class Answers:
    """Rows of five marts, as the queries above name their columns."""

    days: list[Row]
    months: list[Row]
    runway: list[Row]
    overdue: list[Row]
    receipts: list[Row]


def asked(warehouse: Warehouse) -> Answers:
    queries = (DAYS, MONTHS, RUNWAY, OVERDUE, RECEIPTS)
    return Answers(*(warehouse.rows(query) for query in queries))


def told(answers: Answers) -> Iterator[str]:
    """Four marts as lines of a terminal: the last full months, runway, overdue, receipts."""
    full = sorted({row["month"] for row in answers.months})[-4:-1]
    yield from _table(
        "qonto__monthly_cash_flow: the last full months, without transfers to oneself",
        ("organization", "month", "currency", "in", "out", "left"),
        [
            (
                r["organization"],
                f"{r['month']:%Y-%m}",
                r["currency"],
                r["in_cents"],
                r["out_cents"],
                r["net_cents"],
            )
            for r in answers.months
            if r["month"] in full
        ],
    )
    yield from _table(
        "qonto__runway: cash, and how many months it lasts",
        ("organization", "currency", "cash", "in a month", "out a month", "lasts"),
        [
            (
                r["organization"],
                r["currency"],
                r["cash_cents"],
                r["monthly_in_cents"],
                r["monthly_out_cents"],
                "grows" if r["runway_months"] is None else f"{r['runway_months']} months",
            )
            for r in answers.runway
        ],
    )
    yield from _table(
        "qonto__receivables: what clients should have paid",
        ("organization", "overdue by days", "currency", "invoices", "open"),
        _sums(answers.overdue, ("organization", "age", "currency"), "open_cents"),
    )
    yield from _table(
        "qonto__missing_receipts: payments without one",
        ("organization", "currency", "payments", "spent"),
        _sums(answers.receipts, ("organization", "currency"), "spent_cents"),
    )


def _sums(rows: list[Row], by: tuple[str, ...], cents: str) -> list[tuple[t.Any, ...]]:
    """Count and total per key."""
    found: dict[tuple[t.Any, ...], list[int]] = {}
    for row in rows:
        found.setdefault(tuple(row[name] for name in by), []).append(row[cents])
    return [(*key, f"{len(some)}", sum(some)) for key, some in sorted(found.items())]


def _table(title: str, heads: tuple[str, ...], rows: list[tuple[t.Any, ...]]) -> Iterator[str]:
    """Lines with even columns; whole numbers are cents."""
    cells = [[f"{v / 100:,.2f}" if isinstance(v, int) else v for v in row] for row in rows]
    right = [any(isinstance(row[n], int) for row in rows) for n in range(len(heads))]
    wide = [max(len(row[n]) for row in [heads, *cells]) for n in range(len(heads))]
    yield f"\n{title}\n"
    for row in [heads, *cells]:
        parts = (
            cell.rjust(room) if number else cell.ljust(room)
            for cell, room, number in zip(row, wide, right, strict=True)
        )
        yield "  " + "  ".join(parts).rstrip()
