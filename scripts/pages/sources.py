"""dbt/models/staging/src_qonto.yml: every table and column that the tap fills, as dbt sources."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from pages.markdown import paragraphs
from tap_qonto.tap import TapQonto

if TYPE_CHECKING:
    from tap_qonto.streams.client import QontoStream

TYPES = {
    "array": "json",
    "object": "json",
    "date-time": "timestamp",
    "date": "date",
    "integer": "bigint",
    "number": "numeric",
    "boolean": "boolean",
}
HEAD = """\
# Made by `python scripts/docs.py` from tap_qonto/streams and the contract: edit those, not this.
"""
SCHEMA = "{{ var('qonto_schema', 'qonto' if target.type == 'postgres' else 'main') }}"
FRESH = ("bank_accounts", "bank_account_balances")  # read whole, or anew, at each run
OLD = {
    "warn_after": {"count": 36, "period": "hour"},
    "error_after": {"count": 7, "period": "day"},
}


def page() -> str:
    """Make the file."""
    tap = TapQonto(config={}, validate_config=False)
    source = {
        "name": "qonto",
        "description": "Qonto as tap-qonto reads it: a table per stream, every row of one "
        "organization. Amounts that end in _cents are whole cents, times are UTC.",
        "database": "{{ var('qonto_database', target.database) }}",
        "schema": SCHEMA,
        "config": {"loaded_at_field": "{{ var('qonto__loaded_at_column', '_sdc_batched_at') }}"},
        "tables": [_table(stream) for stream in tap.discover_streams()],
    }
    text = yaml.safe_dump(
        {"version": 2, "sources": [source]}, sort_keys=False, allow_unicode=True, width=100
    )
    return HEAD + text


def _table(stream: QontoStream) -> dict[str, Any]:
    table: dict[str, Any] = {
        "name": stream.name,
        "description": paragraphs(type(stream))[0],
    }
    if stream.name in FRESH:
        table["config"] = {"freshness": OLD}
    table["columns"] = [
        _column(name, schema) for name, schema in stream.schema["properties"].items()
    ]
    return table


def _column(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    kinds = schema.get("type", ())
    kinds = [kinds] if isinstance(kinds, str) else kinds
    known = [TYPES[kind] for kind in (schema.get("format"), *kinds) if kind in TYPES]
    column = {"name": name, "data_type": known[0] if known else "text"}
    if told := schema.get("description"):
        column["description"] = " ".join(told.split())
    return column
