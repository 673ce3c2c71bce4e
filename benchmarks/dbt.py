"""A full rebuild of the dbt package on DuckDB: what it costs, and how that grows.

    python -m benchmarks.dbt                  100,000 and 1,000,000 transactions
    python -m benchmarks.dbt --rows 20000

The rows are made of those of the demo: each transaction is repeated with another id and an earlier
time, and the balances after them are worked out anew, so that every test of the package holds.
Needs the groups `demo` and `dbt`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import duckdb

from benchmarks.measure import Measured, run
from demo.server import running

ROOT = Path(__file__).parents[1]
STREAMS = (
    "bank_account_balances", "bank_accounts", "cards", "client_invoices", "clients", "credit_notes",
    "labels", "memberships", "organization", "sepa_transfers", "supplier_invoices", "suppliers",
    "teams", "transactions", "user_organizations",
)  # fmt: skip
LOADED = "timestamp '2026-11-01 10:00:00'"
# Ids and last digits of accounts stay; ids of transactions and times do not. A copy lies `n` hours
# before, so that a day has as many transactions more as there are copies.
COPIES = f"""
create or replace table transactions as
with copies as (
    select transactions.* replace (
        case n when 0 then id else id || '-' || n end as id,
        settled_at - n * interval 37 minute as settled_at,
        emitted_at - n * interval 37 minute as emitted_at
    ), {LOADED} as _sdc_batched_at
    from transactions, range(?) as numbers (n)
    where status <> 'completed' or settled_at is not null
)
select copies.* replace (
    case status when 'completed' then
        sum(case status when 'completed' then
            case side when 'credit' then amount_cents else -amount_cents end
        end) over (
            partition by organization_id, bank_account_id
            order by settled_at, id rows unbounded preceding
        )
    end as settled_balance_cents
)
from copies
"""
BALANCES = """
update {table} set balance_cents = coalesce((
    select arg_max(settled_balance_cents, (settled_at, id)) from transactions
    where transactions.organization_id = {table}.organization_id
        and transactions.bank_account_id = {table}.{account} and status = 'completed'
), 0)
"""


def tables(folder: Path) -> Path:
    """A database with the demo's rows, as target-duckdb types them."""
    sys.path[:0] = [str(ROOT / "tests" / "support")]
    from tables import into_duckdb  # noqa: PLC0415 - what tests of tables use
    from taps import catalog_of, read  # noqa: PLC0415

    with running(organizations=4, transactions=400) as server:
        config = server.config(token_store=f"sqlite:///{folder / 'sessions.db'}")
        messages = read(config, catalog=catalog_of(*STREAMS)).messages
    connection = into_duckdb(messages, folder)
    file = folder / "demo.duckdb"
    connection.execute(f"attach '{file}' as file")
    (name,) = connection.execute("select current_database()").fetchone() or ("memory",)
    connection.execute(f"copy from database {name} to file")
    connection.close()
    return file


def grown(demo: Path, rows: int) -> Path:
    """A database with about so many transactions."""
    file = demo.with_name(f"{rows}.duckdb")
    file.write_bytes(demo.read_bytes())
    with duckdb.connect(str(file)) as connection:
        connection.execute("set timezone = 'UTC'")
        (few,) = connection.execute("select count(*) from transactions").fetchone() or (1,)
        connection.execute(COPIES, [round(rows / few)])
        for table, account in (
            ("bank_accounts", "id"),
            ("bank_account_balances", "bank_account_id"),
        ):
            connection.execute(BALANCES.format(table=table, account=account))
    return file


def build(file: Path, *command: str) -> tuple[Measured, float]:
    """Run dbt; what it cost, and the seconds of the models alone."""
    target = file.parent / "target"
    places = ["--project-dir", str(ROOT / "dbt"), "--profiles-dir", str(ROOT / "dbt")]
    dbt = [str(Path(sys.executable).with_name("dbt")), *command, "--target", "duckdb", *places]
    env = {
        "DBT_DUCKDB_PATH": str(file),
        "DBT_TARGET_PATH": str(target),
        "DBT_LOG_PATH": str(target),
    }
    measured = run(dbt, **env)
    results = json.loads((target / "run_results.json").read_text("utf-8"))
    return measured, results["elapsed_time"]


def main() -> int:
    """Print a table in Markdown."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dbt", description=__doc__)
    parser.add_argument("--rows", type=int, nargs="*", default=[100_000, 1_000_000])
    given = parser.parse_args()
    print(
        "| transactions | | seconds | of which models | processor seconds | peak memory |\n"
        "|---:|---|---:|---:|---:|---:|"
    )
    with tempfile.TemporaryDirectory() as name:
        demo = tables(Path(name))
        for rows in given.rows:
            file = grown(demo, rows)
            with duckdb.connect(str(file), read_only=True) as connection:
                ((count,),) = connection.execute("select count(*) from transactions").fetchall()
            for told, command in (
                ("full rebuild", ("run", "--full-refresh")),
                ("next build", ("run",)),
                ("tests", ("test", "--exclude", "qonto_card_spend_equals_card")),
            ):
                cost, models = build(file, *command)
                print(
                    f"| {count:,} | {told} | {cost.wall:.0f} | {models:.0f} | {cost.cpu:.0f} "
                    f"| {cost.peak:,.0f} MB |",
                    flush=True,
                )
    print(
        f"\nDuckDB {duckdb.__version__}, {os.cpu_count()} processors, {time.strftime('%Y-%m-%d')}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
