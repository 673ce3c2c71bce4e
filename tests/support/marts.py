"""The views of docs/sql: where they are, what they read, and how they are asked."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path
from zoneinfo import ZoneInfo

if t.TYPE_CHECKING:
    import duckdb
    from taps import Row

ROOT = Path(__file__).parents[2]
PARIS = ZoneInfo("Europe/Paris")  # the days of the models
VIEWS = ROOT / "docs/sql/duckdb.sql"
STREAMS = {"transaction_counts", *re.findall(r"from main\.(\w+)", VIEWS.read_text("utf-8"))}
CASH = """
    select day, organization, currency, sum(in_cents)::bigint as in_cents,
        sum(out_cents)::bigint as out_cents, sum(balance_cents)::bigint as balance_cents
    from analytics.qonto__daily_balances group by all
"""


def ask(database: duckdb.DuckDBPyConnection, question: str) -> list[Row]:
    """The rows of a mart, or of a whole query."""
    query = question if " " in question else f"select * from analytics.qonto__{question}"
    cursor = database.execute(query)
    heads = [column[0] for column in cursor.description]
    return [dict(zip(heads, row, strict=True)) for row in cursor.fetchall()]


def signed(row: Row) -> int:
    """Cents of a transaction, negative where money left."""
    return int(row["amount_cents"]) * (1 if row["side"] == "credit" else -1)
