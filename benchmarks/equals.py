"""What equal keys cost behind a real Postgres: `python -m benchmarks.equals`. Ours must lose 0.

`ORDER BY updated_at LIMIT … OFFSET …` gives rows of one key in another order at each plan, and
nothing moves while they are read. Needs the programs of Postgres on this machine.
"""

from __future__ import annotations

import typing as t

import psycopg
from postgres import running_postgres
from postgres_lists import CHANGES, PLANS, InPostgres, ids, table

from benchmarks.drift import pages
from tap_qonto.pagination.readers import changed

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from tap_qonto.pagination.pages import Listing, Walk

ROWS = 20_000
WAYS: dict[str, Callable[[Listing], Walk]] = {
    "page numbers": lambda listing: pages(listing, None),
    "tap-qonto": lambda listing: changed(listing, None),
}


def main() -> None:
    """Print rows lost and requests, for each change of the table, plan and way of reading."""
    print(f"| {ROWS:,} rows | Postgres has | way | lost | requests |\n|---|---|---|---:|---:|")
    with running_postgres() as url, psycopg.connect(url, autocommit=True) as connection:
        for change, update in CHANGES.items():
            for plan, index in PLANS.items():
                table(connection, index, update, ROWS)
                for way, read in WAYS.items():
                    listing = InPostgres(connection)
                    lost = ROWS - len(ids(read(listing)))
                    print(f"| {change} | {plan} | {way} | {lost:,} | {len(listing.asked)} |")


if __name__ == "__main__":
    main()
