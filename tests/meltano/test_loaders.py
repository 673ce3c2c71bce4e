"""What each loader of `meltano.yml` makes of the rows: docs/loaders.md says what is shown here."""

from __future__ import annotations

import json
import subprocess
import typing as t
from decimal import Decimal

import psycopg
import pytest
import sameness
from postgres import running_postgres

from demo import odd

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from demo.project import Project
    from demo.server import Server

Run = t.Callable[..., str]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
TEXTS = [
    'L\'été, "42"; 日本 🏦\t|tab\nline\r\nreturn\rback\\slash',
    "'quoted'",
    "NULL",
    "\\N",
    " 007 ",
    "{}",
    "2026-11-01",
    "e\u0301 \u202e rtl \u2028 \ufeffbom",
    "x" * 70_000,
]
CENTS = [("0.01", 1), ("-999999.99", -99999999), ("12345678901234.56", 1234567890123456)]


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    with running_postgres() as url:
        yield url


@pytest.fixture
def hostile(qonto: Server) -> Server:
    """Texts and amounts that have broken loaders, in flat and in nested fields."""
    organization = qonto.bank.organizations[0].id
    rows = iter(qonto.bank.rows("transactions", organization))
    for text, row in zip(TEXTS, rows, strict=False):
        changes: dict[str, t.Any] = {"note": text, "label": text, "reference": text}
        nested = {"cashflow_category": {"id": row["id"], "name": text}}
        qonto.bank.edit("transactions", organization, row["id"], **changes, **nested)
    for (amount, cents), row in zip(CENTS, rows, strict=False):
        changes = {"local_amount": Decimal(amount), "local_amount_cents": cents}
        qonto.bank.edit("transactions", organization, row["id"], **changes)
    for text, row in zip(TEXTS, qonto.bank.rows("labels", organization), strict=False):
        qonto.bank.edit("labels", organization, row["id"], name=text)
    return qonto


@pytest.fixture(params=["target-duckdb", "target-postgres", "target-jsonl"])
def loader(
    request: pytest.FixtureRequest, run: Run, project: Project, tmp_path: Path
) -> Iterator[tuple[str, Callable[[], sameness.Rows]]]:
    """A loader that is ready to run, and how to read what it wrote."""
    del run  # has begun the project's settings for this test
    if request.param == "target-postgres":
        url: str = request.getfixturevalue("postgres")
        with psycopg.connect(url, autocommit=True) as connection:  # what another test left
            connection.execute("DROP SCHEMA IF EXISTS qonto CASCADE")
        project.env["TARGET_POSTGRES_SQLALCHEMY_URL"] = url.replace(":", "+psycopg:", 1)
        yield request.param, lambda: sameness.from_postgres(url, "qonto")
    elif request.param == "target-jsonl":
        yield request.param, lambda: sameness.from_jsonl(tmp_path / "jsonl")
    else:
        yield request.param, lambda: sameness.from_duckdb(tmp_path / "qonto.duckdb")


def test_a_loader_keeps_every_value_and_a_second_run_replaces_rows(
    loader: tuple[str, Callable[[], sameness.Rows]], run: Run, project: Project, hostile: Server
) -> None:
    name, read = loader
    for _ in range(2):
        run(name)
        assert not sameness.differences(read(), sameness.served(hostile, project.deselected))[:20]
        hostile.bank.advance(edits=5, adds=2)
        hostile.clock.advance(600)


def test_a_load_goes_through_though_a_field_of_each_stream_comes_in_another_type(
    loader: tuple[str, Callable[[], sameness.Rows]], run: Run, project: Project, qonto: Server
) -> None:
    """A loader stops at the first value that breaks the SCHEMA, and nothing of the load is kept."""
    name, read = loader
    there = sameness.served(qonto, project.deselected)
    same = {stream for stream, rows in there.items() if not any(map(is_spoiled, rows.values()))}
    assert same <= {
        "child_transaction_links",
        "international_currencies",
        "statements",
    }  # keys only
    qonto.options.odd = frozenset({"other-types"})
    run(name)
    landed = read()
    assert {stream: {*rows} for stream, rows in there.items()} == {
        stream: {*landed.get(stream, {})} for stream in there
    }
    sides = {row["side"] for row in landed["transactions"].values()}
    assert sides == {'{"value":"credit"}', '{"value":"debit"}'}


def is_spoiled(row: sameness.Row) -> bool:
    """Would "other-types" change a field of this row?"""
    spoiled = dict(row)
    odd.PAGES["other-types"]([spoiled], "id")
    return spoiled != row


def test_duckdb_has_columns_of_these_types_and_exports_them_to_parquet(
    run: Run, hostile: Server, tmp_path: Path
) -> None:
    import duckdb  # noqa: PLC0415 - only slow tests have it

    run("target-duckdb", TAP_QONTO__SELECT='["transactions.*"]')
    with duckdb.connect(str(tmp_path / "qonto.duckdb")) as connection:
        types = {
            name: type_ for name, type_, *_ in connection.sql("DESCRIBE transactions").fetchall()
        }
        parquet = str(tmp_path / "transactions.parquet")
        connection.execute(f"COPY transactions TO '{parquet}' (FORMAT parquet)")
        exported = connection.sql(f"SELECT * FROM '{parquet}' ORDER BY organization_id, id")
        rows = connection.sql("SELECT * FROM transactions ORDER BY organization_id, id")
        assert exported.fetchall() == rows.fetchall()
        assert len(rows.fetchall()) == sum(
            len(hostile.bank.rows("transactions", one.id)) for one in hostile.bank.organizations
        )
    wanted = {
        "amount": "DOUBLE",
        "amount_cents": "HUGEINT",
        "attachment_lost": "BOOLEAN",
        "labels": "JSON",
        "settled_at": "TIMESTAMP",
        "note": "VARCHAR",
    }
    assert wanted == {name: types[name] for name in wanted}


def test_postgres_has_columns_of_these_types(run: Run, project: Project, postgres: str) -> None:
    import psycopg  # noqa: PLC0415 - only where there is a Postgres

    project.env["TARGET_POSTGRES_SQLALCHEMY_URL"] = postgres.replace(":", "+psycopg:", 1)
    run(
        "target-postgres",
        TAP_QONTO__SELECT='["transactions.*"]',
        TARGET_POSTGRES_DEFAULT_TARGET_SCHEMA="types",
    )
    with psycopg.connect(postgres) as connection:
        types: dict[str, str] = dict(
            connection.execute(
                "SELECT column_name, data_type FROM information_schema.columns "
                "WHERE table_schema = 'types' AND table_name = 'transactions'"
            ).fetchall()
        )
    wanted = {
        "amount": "numeric",
        "amount_cents": "bigint",
        "attachment_lost": "boolean",
        "cashflow_category": "jsonb",
        "label_ids": "ARRAY",
        "labels": "ARRAY",
        "settled_at": "timestamp without time zone",
        "note": "text",
    }
    assert wanted == {name: types[name] for name in wanted}


@pytest.mark.parametrize("batch", [1, 2, 3, 100])
def test_the_pinned_duckdb_loses_no_row_of_a_batch_of_texts(
    batch: int, project: Project, tmp_path: Path
) -> None:
    """The fault that the pins in `meltano.yml` are for: a first row taken for a CSV header."""
    text = {"type": ["string", "null"]}
    schema = {"properties": {"id": {"type": ["string"]}, "name": text, "note": text}}
    rows: list[dict[str, t.Any]] = [
        {"id": f"{n}", "name": f"name {n}", "note": TEXTS[n % 8]} for n in range(7)
    ]
    rows[3] |= {"name": None, "note": ""}
    messages: list[dict[str, t.Any]] = [
        {"type": "SCHEMA", "stream": "texts", "schema": schema, "key_properties": ["id"]},
        *({"type": "RECORD", "stream": "texts", "record": row} for row in rows),
    ]
    config = tmp_path / "config.json"
    settings = {"default_target_schema": "main", "add_metadata_columns": True}
    config.write_text(
        json.dumps({**settings, "path": str(tmp_path / "w.duckdb"), "batch_size_rows": batch})
    )
    loader = project.folder / ".meltano/loaders/target-duckdb/venv/bin/target-duckdb"
    lines = "".join(f"{json.dumps(message)}\n" for message in messages)
    subprocess.run([loader, "--config", config], input=lines, text=True, check=True)

    import duckdb  # noqa: PLC0415 - only slow tests have it

    with duckdb.connect(str(tmp_path / "w.duckdb"), read_only=True) as connection:
        landed = connection.sql("SELECT id, name, note FROM texts ORDER BY id").fetchall()
    wanted = [(row["id"], row["name"], row["note"] or None) for row in rows]
    assert landed == wanted, "an empty text lands as NULL, all else as it was"
