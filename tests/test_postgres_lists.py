"""Lists that a real Postgres answers: rows of one key come in the order of its plan."""

from __future__ import annotations

import threading
import typing as t
from datetime import datetime, timedelta, timezone

import psycopg
import pytest
from postgres import running_postgres

from tap_qonto.pagination.pages import Listing, Observed, Page, Query, page_of
from tap_qonto.pagination.readers import changed, whole
from tap_qonto.pagination.ways import first_accepted

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_qonto.pagination.pages import Row, Walk

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("postgres")]

ROWS = 5_000
PLANS = {
    "no index": "",
    "an index": "CREATE INDEX ON list (updated_at)",
    "an index with other columns": "CREATE INDEX ON list (updated_at, label)",
}
CHANGES = {
    "one bulk update": "UPDATE list SET updated_at = '2026-06-01T00:00Z' WHERE random() < 0.25",
    "all of 24 dates": "UPDATE list SET updated_at = date '2026-01-01' + (id % 24)",
    "an import of 60 to a moment": (
        "UPDATE list SET updated_at = timestamptz '2026-03-01T00:00Z' + id / 60 * interval '1 min'"
    ),
}


class InPostgres(Listing):
    """What `ORDER BY … LIMIT … OFFSET …` gives, and nothing that Postgres does not promise."""

    def __init__(
        self,
        connection: psycopg.Connection,
        order: str = "updated_at",
        window: tuple[t.Any, ...] | None = None,
    ) -> None:
        self.connection, self.order, self.window, self.requests = connection, order, window, 0
        self.observed = Observed()
        self.can_open = order == "updated_at"

    def page(self, query: Query) -> Page:
        self.requests += 1
        since, until = self.window or (query.since, query.until)
        where = "WHERE updated_at >= %(since)s AND updated_at <= %(until)s"
        bounds = {"since": since or "-infinity", "until": until or "infinity"}
        total = self.connection.execute(f"SELECT count(*) FROM list {where}", bounds).fetchone()
        rows = self.connection.execute(
            f"SELECT id, updated_at, created_at, version FROM list {where} "
            f"ORDER BY {self.order} LIMIT {query.size} OFFSET {query.start}",
            bounds,
        ).fetchall()
        names = ("id", "updated_at", "created_at", "version")
        found = [dict(zip(names, row, strict=True)) for row in rows]
        meta = {"total_count": total and total[0]}
        return page_of(found, meta, query, datetime.now(timezone.utc))

    def key(self, row: Row) -> datetime | None:
        return t.cast("datetime", row[self.order]) if self.order in row else None

    def apart(self, since: datetime, until: datetime) -> Listing:
        return InPostgres(self.connection, "created_at", (since, until))


@pytest.fixture(scope="module")
def connection() -> Iterator[psycopg.Connection]:
    with running_postgres() as url, psycopg.connect(url, autocommit=True) as found:
        yield found


def table(connection: psycopg.Connection, plan: str, change: str) -> None:
    connection.execute("DROP TABLE IF EXISTS list")
    connection.execute(
        "CREATE TABLE list (id int PRIMARY KEY, updated_at timestamptz, created_at timestamptz, "
        "version int DEFAULT 0, label text DEFAULT 'x')"
    )
    connection.execute(
        "INSERT INTO list SELECT n, timestamptz '2026-01-01T00:00Z' + n * interval '1 min', "
        f"timestamptz '2026-01-01T00:00Z' + n * interval '1 min' FROM generate_series(1, {ROWS}) n"
    )
    if plan:
        connection.execute(plan)
    connection.execute(change)
    connection.execute("ANALYZE list")


def ids(walk: Walk) -> dict[int, int]:
    return {row["id"]: row["version"] for records in walk for row in records.rows}


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_no_row_is_lost_behind_postgres(
    connection: psycopg.Connection, plan: str, change: str
) -> None:
    table(connection, plan, change)
    listing = InPostgres(connection)
    assert len(ids(changed(listing, None))) == ROWS
    assert listing.requests < 1.9 * ROWS / 100  # 118 of 100 pages where keys do not repeat


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
