"""The dbt package behind real loaders, run by Meltano."""

from __future__ import annotations

import typing as t
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from postgres import running_postgres

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from demo.project import Project
    from demo.server import Server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]
MARTS = sorted(path.stem for path in (Path(__file__).parents[2] / "dbt/models/marts").glob("*.sql"))


def plain(value: object) -> str:
    """A value as text, the same for both databases."""
    return str(value.normalize() if hasattr(value, "normalize") else value)


def landed(execute: Callable[[str], t.Any]) -> dict[str, list[tuple[str, ...]]]:
    """Every mart's rows, in whatever order, as text."""
    found = {}
    for mart in MARTS:
        rows = execute(f"select * from analytics.{mart}").fetchall()
        found[mart] = sorted(tuple(map(plain, row)) for row in rows)
    return found


def test_loader_and_dbt_take_turns_on_one_file_and_postgres_gives_the_same_answers(
    run: Callable[..., str], project: Project, qonto: Server, tmp_path: Path
) -> None:
    import duckdb  # noqa: PLC0415 - comes with Meltano's group only
    import psycopg  # noqa: PLC0415

    file = str(tmp_path / "qonto.duckdb")
    project.env |= {"DBT_DUCKDB_PATH": file, "TARGET_DUCKDB_PATH": file}
    # dbt begins the file, with a DuckDB years younger than the loader's
    log = project.meltano("run", "dbt-duckdb:run")
    assert "ERROR=0" in log
    run("target-duckdb")
    log = project.meltano("run", "dbt-duckdb:run")
    assert "ERROR=0 SKIP=0" in log

    organization = qonto.bank.organizations[0].id
    edited = qonto.bank.rows("transactions", organization)[5]["id"]
    qonto.bank.edit("transactions", organization, edited, note="seen by both")
    qonto.bank.advance(edits=5, adds=5)
    qonto.clock.advance(600)
    run("target-duckdb")
    log = project.meltano("run", "dbt-duckdb:build")
    assert "ERROR=0 SKIP=0" in log
    with duckdb.connect(file, read_only=True) as connection:
        (note,) = connection.execute(
            "select note from analytics.qonto__transactions where transaction_id = ?", [edited]
        ).fetchone() or ("",)
        assert note == "seen by both"
        (rows,) = connection.execute(
            "select count(*) from analytics.qonto__transactions"
        ).fetchone() or (0,)
        here = landed(connection.execute)
    assert rows == sum(
        len(qonto.bank.rows("transactions", one.id)) for one in qonto.bank.organizations
    )

    with running_postgres() as url:
        place = urlsplit(url)
        log = project.meltano(
            "run", "--full-refresh", "tap-qonto", "target-postgres", "dbt-postgres:build",
            env={
                "TARGET_POSTGRES_SQLALCHEMY_URL": url.replace(":", "+psycopg:", 1),
                "DBT_POSTGRES_HOST": str(place.hostname),
                "DBT_POSTGRES_PORT": str(place.port),
                "DBT_POSTGRES_USER": str(place.username),
                "DBT_POSTGRES_PASSWORD": str(place.password),
                "DBT_POSTGRES_DATABASE": "postgres",
            },
        )  # fmt: skip
        assert "ERROR=0 SKIP=0" in log
        with psycopg.connect(url) as postgres:
            there = landed(postgres.execute)
    for mart in MARTS:
        assert here[mart] == there[mart], mart
    assert {mart for mart in MARTS if here[mart]} >= {
        "qonto__transactions",
        "qonto__daily_balances",
        "qonto__monthly_cash_flow",
        "qonto__receivables",
        "qonto__missing_receipts",
    }
