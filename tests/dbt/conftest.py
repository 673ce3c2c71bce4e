"""The package on tables that hold the demo's rows, and what was planted into them."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tables import into_duckdb
from taps import Row, catalog_of, read

from demo.server import running
from tap_qonto.streams import STREAMS

HERE = Path(__file__).parent
PACKAGE = HERE.parents[1] / "dbt"
LOADED = "2026-11-26 10:00:00"  # when the loader wrote the rows, as far as the models know


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep these tests on one core: they share a warehouse."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("dbt"))
            item.add_marker(pytest.mark.slow)
            item.add_marker(pytest.mark.timeout(300))


@dataclass
class Built:
    """A DuckDB file, and dbt on it."""

    file: Path
    target: Path  # shared, and one path for all files: dbt need not read the package anew
    results: dict[str, str] = field(default_factory=dict)  # node or test -> status, of the last run

    def execute(self, *statements: str) -> list[tuple[t.Any, ...]]:
        import duckdb  # noqa: PLC0415 - only slow tests have it

        with duckdb.connect(str(self.file)) as connection:
            connection.execute("set timezone = 'UTC'")
            for statement in statements:
                found = connection.execute(statement).fetchall()
        return found

    def rows(self, query: str) -> list[Row]:
        import duckdb  # noqa: PLC0415

        with duckdb.connect(str(self.file), read_only=True) as connection:
            cursor = connection.execute(query)
            heads = [column[0] for column in cursor.description]
            return [dict(zip(heads, row, strict=True)) for row in cursor.fetchall()]

    def dbt(self, *arguments: str) -> str:
        """Run dbt; its output. What became of each node is in `results`."""
        dropped = ("DBT_", "PYTHONDONTWRITEBYTECODE")  # settings; what makes dbt start slowly
        env = {k: v for k, v in os.environ.items() if not k.startswith(dropped)}
        env |= {
            "DBT_DUCKDB_PATH": str(self.file),
            "DBT_TARGET_PATH": str(self.target),
            "DBT_LOG_PATH": str(self.target),
            "DBT_USE_COLORS": "0",
        }
        places = ["--project-dir", str(PACKAGE), "--profiles-dir", str(PACKAGE)]
        done = subprocess.run(
            [Path(sys.executable).with_name("dbt"), *arguments, "--target", "duckdb", *places],
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )
        results = json.loads((self.target / "run_results.json").read_text("utf-8"))["results"]
        self.results = {one["unique_id"].split(".")[2]: one["status"] for one in results}
        return done.stdout

    @property
    def wrong(self) -> dict[str, str]:
        """What did not end well: name -> status."""
        return {k: v for k, v in self.results.items() if v not in {"pass", "success"}}


@pytest.fixture(scope="session")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every table that the tap fills, as target-duckdb makes them; one organization is empty."""
    if not importlib.util.find_spec("dbt") or not importlib.util.find_spec("duckdb"):
        pytest.skip("no dbt in this environment: use make test-slow")
    folder = tmp_path_factory.mktemp("dbt")
    with running(organizations=4, transactions=240, seed=5) as server:
        config = server.config(token_store=f"sqlite:///{folder / 'sessions.db'}")
        run = read(config, catalog=catalog_of(*(stream.name for stream in STREAMS)))
    assert run.code == 0, run.log
    file = folder / "tables.duckdb"
    connection = into_duckdb(run.messages, folder)
    names = connection.execute("select table_name from duckdb_tables()").fetchall()
    for (name,) in names:
        connection.execute(
            f"alter table \"{name}\" add column _sdc_batched_at timestamp default '{LOADED}'"
        )
        connection.execute(f'alter table "{name}" add column _sdc_deleted_at varchar')
    connection.execute(f"attach '{file}' as file")
    (memory,) = connection.execute("select current_database()").fetchone() or ("memory",)
    connection.execute(f"copy from database {memory} to file")
    connection.close()
    return file


@pytest.fixture(scope="session")
def warehouse_of_all(tables: Path) -> Built:
    return Built(tables.with_name("qonto.duckdb"), tables.with_name("target"))


@pytest.fixture
def warehouse(tables: Path, warehouse_of_all: Built) -> Built:
    """The tables anew, for one test to spoil."""
    warehouse_of_all.file.write_bytes(tables.read_bytes())
    return warehouse_of_all
