"""Singer messages as tables, with the types that target-duckdb and target-postgres give them."""

from __future__ import annotations

import json
import typing as t

import duckdb

if t.TYPE_CHECKING:
    from pathlib import Path

    import psycopg

Message = dict[str, t.Any]

DUCKDB = {
    "array": "json",
    "object": "json",
    "date-time": "timestamp",
    "integer": "hugeint",
    "number": "double",
    "boolean": "boolean",
}
POSTGRES = {
    "array": "jsonb[]",  # of texts: text[]
    "object": "jsonb",
    "date-time": "timestamp",
    "date": "date",
    "integer": "bigint",
    "number": "numeric",
    "boolean": "boolean",
}


def columns(schema: Message, types: dict[str, str]) -> dict[str, str]:
    """Column types by name."""
    found = {}
    for name, facts in schema["properties"].items():
        kinds = facts.get("type", ())
        known = [kind for kind in (facts.get("format"), *kinds) if kind in types]
        found[name] = types[known[0]] if known else "varchar"
        if found[name] == "jsonb[]" and "string" in facts.get("items", {}).get("type", ()):
            found[name] = "text[]"
    return found


def into_duckdb(messages: list[Message], folder: Path) -> duckdb.DuckDBPyConnection:
    """A database in memory with all rows; those with the same key as in the stream, once."""
    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'")
    for name, schema, rows in tables(messages):
        file = folder / f"{name}.jsonl"
        file.write_text("".join(json.dumps(row, default=str) + "\n" for row in rows), "utf-8")
        wanted = columns(schema, DUCKDB)
        listed = ", ".join(f'"{column}" {kind}' for column, kind in wanted.items())
        connection.execute(f'create table "{name}" ({listed})')
        if rows:
            connection.execute(
                f"insert into \"{name}\" select * from read_json('{file}', "
                f"format = 'newline_delimited', columns = {wanted!r})"
            )
    return connection


def into_postgres(messages: list[Message], connection: psycopg.Connection) -> None:
    """Create and fill the tables in the current schema."""
    for name, schema, rows in tables(messages):
        wanted = columns(schema, POSTGRES)
        listed = ", ".join(f'"{column}" {kind}' for column, kind in wanted.items())
        connection.execute(f'create table "{name}" ({listed})')
        for row in rows:
            connection.execute(
                f'insert into "{name}" select * from jsonb_populate_record(null::"{name}", %s)',
                [json.dumps(row, default=str)],
            )


def tables(messages: list[Message]) -> t.Iterator[tuple[str, Message, list[Message]]]:
    """Name, schema and rows of each stream; of rows with one key the last."""
    for message in messages:
        if message["type"] == "SCHEMA":
            name, keys = message["stream"], message["key_properties"]
            rows = {
                tuple(one["record"][key] for key in keys): one["record"]
                for one in messages
                if one["type"] == "RECORD" and one["stream"] == name
            }
            yield name, message["schema"], list(rows.values())
