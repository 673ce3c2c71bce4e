"""The marts, as the views of docs/sql, over what the tap read from the demo."""

from __future__ import annotations

import typing as t
from datetime import timedelta

import pytest
from tables import into_duckdb
from taps import Row, catalog_of, read

from demo.server import running

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

    from demo.server import Server

from marts import PARIS, STREAMS, VIEWS


@pytest.fixture(scope="package")
def qonto() -> Iterator[Server]:
    """Four organizations, and in the first also what the demo does not bring by itself."""
    with running(organizations=4, transactions=120, seed=5) as server:
        bank, first = server.bank, server.bank.organizations[0].id
        today = server.clock.now().astimezone(PARIS).date()  # as the models count
        unpaid = [r["id"] for r in bank.rows("client_invoices", first) if r["status"] == "unpaid"]
        part = {"value": "10.07", "currency": "EUR"}
        bank.edit("client_invoices", first, unpaid[0], amount_paid=part)
        bank.edit("client_invoices", first, unpaid[1], due_date=None)
        for id_, days in zip(unpaid[2:], (0, 30), strict=False):
            bank.edit("client_invoices", first, id_, due_date=str(today - timedelta(days=days)))
        cards = [
            r["id"]
            for r in bank.rows("transactions", first)
            if r["operation_type"] == "card" and r["status"] == "completed"
        ]
        bank.edit("transactions", first, cards[0], attachment_lost=True, attachment_ids=[])
        bank.edit("transactions", first, cards[1], attachment_ids=None)
        bank.edit("transactions", first, cards[2], initiator_id=None)
        server.clock.advance(600)  # the edits are old enough to be read
        yield server


@pytest.fixture(scope="package")
def messages(qonto: Server, tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    store = f"sqlite:///{tmp_path_factory.mktemp('store')}/sessions.db"
    run = read(qonto.config(token_store=store), catalog=catalog_of(*STREAMS))
    assert run.code == 0, run.log
    return run.messages


@pytest.fixture(scope="package")
def database(
    messages: list[Row], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[duckdb.DuckDBPyConnection]:
    connection = into_duckdb(messages, tmp_path_factory.mktemp("tables"))
    for file in (VIEWS, VIEWS.with_name("duckdb_counts.sql")):
        connection.execute(file.read_text("utf-8"))
    yield connection
    connection.close()


@pytest.fixture
def spoiled(database: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
    """The tables, to be spoiled: what a test does to them is undone."""
    database.begin()
    yield database
    database.rollback()
