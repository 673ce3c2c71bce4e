"""Whole runs: what arrives is what the bank holds, to the cent; then only what changed."""

from __future__ import annotations

import typing as t
from collections import Counter
from datetime import datetime, timedelta, timezone
from decimal import Decimal

import pytest
from taps import Outcome, catalog_of, command, every, keyed, names, read, truth, warehouse

from demo.server import running
from tap_qonto.contract import endpoints
from tap_qonto.streams import STREAMS

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from demo.server import Server

    Config = Callable[..., dict[str, t.Any]]

NAMES = tuple(stream.name for stream in STREAMS)


@pytest.fixture(scope="module")
def qonto() -> Iterator[Server]:
    with running(organizations=4, transactions=60) as server:
        yield server


@pytest.fixture
def config(qonto: Server, store: str) -> Config:
    def make(**more: t.Any) -> dict[str, t.Any]:
        return qonto.config(token_store=store, **more)

    return make


def readable(qonto: Server, stream: str) -> list[str]:
    """Organizations that may read a stream: the gated ones lack some."""
    from demo.offer import BY_STREAM

    gated = BY_STREAM[stream].gate is not None
    return [one.id for one in qonto.bank.organizations if not (gated and one.gated)]


@pytest.fixture(scope="module")
def everything(qonto: Server, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """Every stream, also those that are off by default, through the command."""
    folder = tmp_path_factory.mktemp("everything")
    return command(
        folder,
        config=qonto.config(token_store=f"sqlite:///{folder}/sessions.db"),
        catalog=catalog_of(*NAMES),
    )


def test_a_run_ends_well_though_a_plan_lacks_some_streams(everything: Outcome) -> None:
    assert everything.code == 0, everything.log
    assert "payment_links: organization" in everything.log
    assert "Traceback" not in everything.log


@pytest.mark.parametrize("stream", [name for name in endpoints() if name != "user_organizations"])
def test_the_rows_of_a_stream_are_those_of_the_bank(
    qonto: Server, everything: Outcome, stream: str
) -> None:
    expected = [row for one in readable(qonto, stream) for row in truth(qonto, stream, one)]
    rows = everything.rows(stream)
    assert keyed(stream, rows) == keyed(stream, expected)
    assert {next(iter(row)) for row in rows} <= {"organization_id"}
    assert {name for row in rows for name in row} <= set(names(stream))
