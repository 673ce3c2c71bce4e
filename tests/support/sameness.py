"""Are the rows of a warehouse the rows of the server? Field by field, in values, not in spelling.

Two values are the same when they mean the same: a moment in any time zone, a number of any type,
JSON as text or not, an empty text and NULL. Links are left out, since the tap never emits them.
"""

from __future__ import annotations

import contextlib
import json
import re
import typing as t
from datetime import date, datetime, timezone
from decimal import Decimal

from tap_qonto.tap import TapQonto

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from demo.server import Server

Row = dict[str, t.Any]
Rows = dict[str, dict[tuple[t.Any, ...], Row]]  # stream -> primary key -> row
MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)?")
NOBODY = "00000000-0000-0000-0000-000000000000"  # how Qonto says that there is no supplier


def keys() -> dict[str, tuple[str, ...]]:
    """Primary key by stream."""
    streams = TapQonto(config={}, validate_config=False).streams
    return {name: tuple(stream.primary_keys) for name, stream in streams.items()}


def by_key(stream: str, rows: Iterable[Row], primary: dict[str, tuple[str, ...]]) -> Rows:
    return {stream: {tuple(row[name] for name in primary[stream]): row for row in rows}}


def served(server: Server, without: set[str]) -> Rows:
    """What a complete read of `server` finds, but for streams that are left out."""
    primary, found = keys(), t.cast("Rows", {})
    for organization, facts in server.truth()["organizations"].items():
        for stream in set(facts["rows"]) - without:
            rows = server.bank.rows(stream, organization)
            if stream == "international_currencies":
                rows = [
                    row | {"source_currency": source}
                    for source, below in server.bank.children(stream, organization).items()
                    for row in below
                ]
            owned = [row | {"organization_id": organization} for row in rows]
            found.setdefault(stream, {}).update(by_key(stream, owned, primary)[stream])
    return found


def differences(
    landed: Rows, there: Rows, text: Callable[[str], str] = lambda value: value
) -> list[str]:
    """Each row too few or too many, and each field that differs; `text`: what the loader alters."""
    found = []
    for stream, rows in there.items():
        got = landed.get(stream, {})
        found += [f"{stream} {key}: did not land" for key in set(rows) - set(got)]
        found += [f"{stream} {key}: is not there" for key in set(got) - set(rows)]
        for key in set(rows) & set(got):
            for field, value in rows[key].items():
                wish, have = plain(value, text), plain(got[key].get(field), text)
                if not _left_out(field) and wish != have:
                    found.append(f"{stream} {key} {field}: {have!r}, not {wish!r}")
    return found


def plain(value: t.Any, text: Callable[[str], str] = lambda value: value) -> t.Any:
    """`value` in one spelling."""
    if isinstance(value, dict):
        items = ((name, plain(one, text)) for name, one in value.items() if not _left_out(name))
        return {name: one for name, one in items if one is not None}
    if isinstance(value, list):
        return [plain(one, text) for one in value]
    if isinstance(value, (datetime, date)):
        return _plain_moment(value)
    if isinstance(value, str):
        return _plain_text(text(value), text)
    if isinstance(value, (int, float, Decimal)) and not isinstance(value, bool):
        return Decimal(str(value)).normalize()
    return value


def _plain_text(value: str, text: Callable[[str], str]) -> t.Any:
    if value in {"", NOBODY}:
        return None
    if MOMENT.fullmatch(value):
        return _plain_moment(datetime.fromisoformat(_padded(value)))
    with contextlib.suppress(ValueError):
        return plain(json.loads(value), text) if value[0] in "{[" else value
    return value


def _plain_moment(value: date) -> str:
    if not isinstance(value, datetime):
        return value.isoformat()
    aware = value if value.tzinfo else value.replace(tzinfo=timezone.utc)
    return aware.astimezone(timezone.utc).isoformat()


def _padded(moment: str) -> str:
    """As `datetime.fromisoformat` of Python 3.10 wants it: six decimals, an offset with a colon."""
    moment = re.sub(r"\.(\d+)", lambda found: f".{found[1]:0<6.6}", moment.replace("Z", "+00:00"))
    return re.sub(r"([+-]\d\d)(\d\d)$", r"\1:\2", moment)


def _left_out(field: str) -> bool:
    return field.endswith("url") or field in {"file_size", "secret"}


def from_duckdb(path: Path, *, was_killed: bool = False) -> Rows:
    """Every table; without those that a loader left half made, if one `was_killed`."""
    import duckdb  # noqa: PLC0415 - only slow tests have it

    primary, found = keys(), t.cast("Rows", {})
    with duckdb.connect(str(path), read_only=True) as connection:
        for (table,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall():
            if was_killed and table.startswith("tmp_"):
                continue
            cursor = connection.execute(f'SELECT * FROM "{table}"')
            names = [one[0] for one in cursor.description or ()]
            rows = [dict(zip(names, values, strict=True)) for values in cursor.fetchall()]
            found.update(by_key(table, rows, primary))
    return found


def from_postgres(url: str, schema: str) -> Rows:
    """Every table of `schema`."""
    import psycopg  # noqa: PLC0415 - only where there is a Postgres
    from psycopg import rows, sql  # noqa: PLC0415

    primary, found = keys(), t.cast("Rows", {})
    with psycopg.connect(url, row_factory=rows.dict_row) as connection:
        tables = connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = %s", [schema]
        )
        for table in [row["tablename"] for row in tables]:
            query = sql.SQL("SELECT * FROM {}").format(sql.Identifier(schema, table))
            found.update(by_key(table, connection.execute(query).fetchall(), primary))
    return found


def from_jsonl(folder: Path) -> Rows:
    """Every file, oldest run first: the last line of a key counts."""
    primary, found = keys(), t.cast("Rows", {})
    for path in sorted(folder.glob("*.jsonl")):
        stream = path.name.split("-")[0]
        with path.open(encoding="utf-8") as file:
            rows = [json.loads(line, parse_float=Decimal) for line in file]
        found.setdefault(stream, {}).update(by_key(stream, rows, primary)[stream])
    return found
