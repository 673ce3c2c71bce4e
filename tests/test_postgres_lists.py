"""Lists that a real Postgres answers: rows of one key come in the order of its plan."""

from __future__ import annotations

import threading
import typing as t
from datetime import datetime, timedelta, timezone

import psycopg
import pytest
from postgres import running_postgres
from postgres_lists import CHANGES, PLANS, ROWS, InPostgres, ids, table

from tap_qonto.pagination.pages import Observed
from tap_qonto.pagination.readers import changed, whole
from tap_qonto.streams.ways import first_accepted

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_qonto.pagination.pages import Walk

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("postgres")]


@pytest.fixture(scope="module")
def connection() -> Iterator[psycopg.Connection]:
    with running_postgres() as url, psycopg.connect(url, autocommit=True) as found:
        yield found


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_no_row_is_lost_behind_postgres(
    connection: psycopg.Connection, plan: str, change: str
) -> None:
    table(connection, plan, change)
    listing = InPostgres(connection)
    assert len(ids(changed(listing, None))) == ROWS
    # by both keys, and once more for each that fills a page; 1.18 where keys do not repeat
    assert len(listing.asked) < 3 * ROWS / 100


def test_no_row_is_lost_while_rows_are_updated_in_bulk(connection: psycopg.Connection) -> None:
    table(connection, PLANS["an index"], CHANGES["one bulk update"])
    ended = threading.Event()

    def update() -> None:
        for number in range(200):
            if ended.is_set():
                return
            connection.execute(
                "UPDATE list SET updated_at = now(), version = version + 1 "
                f"WHERE id % 997 = {number}"
            )

    writer = threading.Thread(target=update)
    writer.start()
    try:
        found = ids(changed(InPostgres(connection), None))
    finally:
        ended.set()
        writer.join()
    begun = datetime.now(timezone.utc) - timedelta(minutes=30)
    found |= ids(changed(InPostgres(connection), begun))
    truth: dict[t.Any, t.Any] = dict(connection.execute("SELECT id, version FROM list").fetchall())
    assert found == truth


def test_a_whole_list_whose_key_repeats_is_read_by_its_count(
    connection: psycopg.Connection,
) -> None:
    table(connection, "", CHANGES["an import of 60 to a moment"])
    connection.execute("UPDATE list SET created_at = updated_at")
    connection.execute("DELETE FROM list WHERE id > 3000")

    def walk(*, is_sorted: bool) -> Walk:
        listing = InPostgres(connection, "created_at")
        listing.is_sorted = is_sorted
        return whole(listing)

    ways = [lambda: walk(is_sorted=True), lambda: walk(is_sorted=False)]
    assert len(ids(first_accepted(ways, Observed(), lambda: None))) == 3000
