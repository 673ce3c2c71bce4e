"""A list that a real Postgres answers: rows of one key come in the order of its plan."""

from __future__ import annotations

import typing as t
from datetime import datetime, timezone

from tap_qonto.pagination.pages import Listing, Observed, Page, Query
from tap_qonto.pagination.readers import whole
from tap_qonto.streams.meta import page_of

if t.TYPE_CHECKING:
    import psycopg

    from tap_qonto.pagination.pages import Row, Walk

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
        self.connection, self.order, self.window = connection, order, window
        self.asked: list[Query] = []
        self.observed = Observed()
        self.can_open = order == "updated_at"

    def page(self, query: Query) -> Page:
        self.asked.append(query)
        since, until = self.window or (query.since, None)
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

    def apart(self, since: datetime, until: datetime) -> Walk:
        found = InPostgres(self.connection, "created_at", (since, until))
        found.asked, found.grows = self.asked, False
        return whole(found)


def table(connection: psycopg.Connection, plan: str, change: str, rows: int = ROWS) -> None:
    connection.execute("DROP TABLE IF EXISTS list")
    connection.execute(
        "CREATE TABLE list (id int PRIMARY KEY, updated_at timestamptz, created_at timestamptz, "
        "version int DEFAULT 0, label text DEFAULT 'x')"
    )
    connection.execute(
        "INSERT INTO list SELECT n, timestamptz '2026-01-01T00:00Z' + n * interval '1 min', "
        f"timestamptz '2026-01-01T00:00Z' + n * interval '1 min' FROM generate_series(1, {rows}) n"
    )
    if plan:
        connection.execute(plan)
    connection.execute(change)
    connection.execute("ANALYZE list")


def ids(walk: Walk) -> dict[int, int]:
    return {row["id"]: row["version"] for records in walk for row in records.rows}
