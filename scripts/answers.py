"""Fill in the answers of docs/questions.md, from the marts that `make demo` leaves.

    make demo && .venv/bin/python scripts/answers.py

Each block of SQL is followed by a block with what it gives on the demo's rows, which this rewrites.
"""

from __future__ import annotations

import re
import typing as t
from decimal import Decimal
from pathlib import Path

import duckdb

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/questions.md"
WAREHOUSE = ROOT / ".demo/qonto.duckdb"
BLOCKS = re.compile(r"```sql\n(?P<query>.*?)```\n\n```\n(?P<answer>.*?)```\n", re.DOTALL)


def main() -> None:
    """Rewrite the page."""
    with duckdb.connect(str(WAREHOUSE), read_only=True) as database:

        def answered(block: re.Match[str]) -> str:
            query = block["query"]
            return f"```sql\n{query}```\n\n```\n{table(database.execute(query))}```\n"

        PAGE.write_text(BLOCKS.sub(answered, PAGE.read_text("utf-8")), "utf-8")


def table(found: duckdb.DuckDBPyConnection) -> str:
    """Lines with even columns, numbers to the right."""
    heads = [column[0] for column in found.description]
    rows = found.fetchall()
    right = [any(isinstance(row[n], (int, Decimal)) for row in rows) for n in range(len(heads))]
    cells = [heads, *([text(value) for value in row] for row in rows)]
    wide = [max(len(row[n]) for row in cells) for n in range(len(heads))]
    lines = (
        "  ".join(
            cell.rjust(room) if number else cell.ljust(room)
            for cell, room, number in zip(row, wide, right, strict=True)
        ).rstrip()
        for row in cells
    )
    return "".join(f"{line}\n" for line in lines)


def text(value: t.Any) -> str:
    """A value as people write it; nothing for null."""
    if value is None or isinstance(value, bool):
        return {None: "", True: "yes", False: "no"}[value]
    return f"{value.normalize():f}" if isinstance(value, Decimal) else str(value)


if __name__ == "__main__":
    main()
