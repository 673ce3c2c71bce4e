"""The table of docs/loaders.md: where each stream holds money, and in which form (Q51)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pages.markdown import code, table
from pages.paths import dotted
from tap_qonto.api.contract import fields
from tap_qonto.tap import TapQonto

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_qonto.api.contract import FieldPath, Schema

AMOUNT = re.compile(
    r"(^|_)(amount|balance|price|vat|subtotal|limit)$|^amount_(excluding_vat|paid)$"
)
Field = tuple[str, str]  # its place, and its type
LEFT_OUT = ("child_transaction_links",)  # holds a whole transaction


def part() -> str:
    """Make the table."""
    tap = TapQonto(config={}, validate_config=False)
    schemas = {stream.name: stream.schema for stream in tap.discover_streams()}
    rows = []
    for name, schema in schemas.items():
        cents, others = money(schema)
        if (cents or others) and name not in LEFT_OUT:
            rows.append([f"[{name}](streams.md#{name})", named(cents), named(others)])
    return "\n".join(table(["Stream", "Whole cents", "Only as a decimal"], rows))


def money(schema: Schema) -> tuple[list[Field], list[Field]]:
    """Find the fields that hold cents, and those that are told as decimals alone."""
    types = dict(_types(schema))
    cents: list[Field] = []
    others: list[Field] = []
    for path, kind in types.items():
        *above, name = path
        if name.endswith("_cents"):
            cents.append((dotted(path), kind))
            continue
        if name == "value" and (*above, "currency") in types:
            *above, name = above
        elif not AMOUNT.search(name) or kind not in {"number", "string"}:
            continue
        if (*above, f"{name}_cents") not in types:
            others.append((dotted(path), kind))
    return cents, others


def named(found: list[Field]) -> str:
    """Set fields as code, numbers first; say which are text."""
    numbers = code(*(name for name, kind in found if kind != "string"))
    texts = code(*(name for name, kind in found if kind == "string"))
    return "; ".join(filter(None, [numbers, texts and f"as text: {texts}"]))


def _types(schema: Schema) -> Iterator[tuple[FieldPath, str]]:
    for path, field in fields(schema):
        kinds = field["type"] if isinstance(field["type"], list) else [field["type"]]
        yield path, next(kind for kind in kinds if kind != "null")
