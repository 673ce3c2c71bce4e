"""What landed: the DuckDB file of the demo, read with plain SQL and held against the server."""

from __future__ import annotations

import typing as t
from contextlib import contextmanager

import duckdb

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Counts = dict[str, dict[str, int]]  # stream -> organization id -> rows
Row = dict[str, t.Any]

BALANCES = "SELECT organization_id, id, balance_cents::BIGINT FROM bank_accounts"


class Warehouse:
    """An open database, read only."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def query(self, sql: str) -> list[tuple[t.Any, ...]]:
        return self._connection.execute(sql).fetchall()

    def rows(self, sql: str) -> list[Row]:
        """Rows by column."""
        cursor = self._connection.execute(sql)
        heads = [column[0] for column in cursor.description]
        return [dict(zip(heads, row, strict=True)) for row in cursor.fetchall()]

    def tables(self) -> list[str]:
        """The loader's tables, without those of the models."""
        names = self.query("SELECT table_name FROM duckdb_tables() WHERE schema_name = 'main'")
        return sorted(name for (name,) in names)

    def counts(self) -> Counts:
        """Rows by stream and organization (`id` in `user_organizations`)."""
        found: Counts = {}
        for table in self.tables():
            key = "id" if table == "user_organizations" else "organization_id"
            rows = self.query(f'SELECT "{key}", count(*) FROM "{table}" GROUP BY 1')
            found[table] = dict(rows)
        return found

    def last_batch(self) -> str:
        """When the loader last wrote: later rows come from a later run."""
        (latest,) = self.query(
            "SELECT max(moment) FROM ("
            + " UNION ALL ".join(
                f'SELECT max(_sdc_batched_at)::VARCHAR AS moment FROM "{table}"'
                for table in self.tables()
            )
            + ")"
        )
        return str(latest[0])

    def written_since(self, moment: str) -> dict[str, int]:
        """Rows by stream that runs after `moment` (see `last_batch`) brought."""
        return {
            table: self.query(
                f"SELECT count(*) FROM \"{table}\" WHERE _sdc_batched_at > '{moment}'"
            )[0][0]
            for table in self.tables()
        }

    def balances(self) -> dict[str, dict[str, int]]:
        """Cents by organization and account."""
        found: dict[str, dict[str, int]] = {}
        for organization, account, cents in self.query(BALANCES):
            found.setdefault(organization, {})[account] = cents
        return found

    def files(self) -> list[tuple[str, int, int, str]]:
        """Kinds of files: how many, bytes of all, the path of one."""
        query = (
            "SELECT kind, count(*), sum(bytes)::BIGINT, min(path) FROM files GROUP BY 1 ORDER BY 1"
        )
        return [(kind, count, size, path) for kind, count, size, path in self.query(query)]

    def digests(self) -> list[tuple[str, str]]:
        """Path and SHA-256 of each file."""
        return [(path, digest) for path, digest in self.query("SELECT path, sha256 FROM files")]


@contextmanager
def opened(path: Path) -> Iterator[Warehouse]:
    connection = duckdb.connect(str(path), read_only=True)
    try:
        yield Warehouse(connection)
    finally:
        connection.close()


def differences(warehouse: Warehouse, truth: dict[str, t.Any], deselected: set[str]) -> list[str]:
    """Every way in which the warehouse is not what the server says a complete read finds."""
    counts, balances = warehouse.counts(), warehouse.balances()
    organizations: dict[str, t.Any] = truth["organizations"]
    found = []
    if set(counts.get("user_organizations", ())) != set(organizations):
        found.append("user_organizations: not the organizations that the user consented to")
    for organization, facts in organizations.items():
        for stream, rows in facts["rows"].items():
            landed = counts.get(stream, {}).get(organization, 0)
            if stream not in deselected and landed != rows:
                found.append(f"{stream}, {facts['name']}: {landed} rows landed, Qonto has {rows}")
        for account, there in facts["balances"].items():
            cents = balances.get(organization, {}).get(account)
            if cents != there["balance_cents"]:
                found.append(
                    f"balance of {there['name']}, {facts['name']}: "
                    f"{cents} cents landed, Qonto says {there['balance_cents']}"
                )
    return found
