"""docs/maintainers/contract.md: the fields of the contract against the schemas, in numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import contract as folding  # scripts/contract.py
from pages.markdown import MADE, code, quirks, table
from tap_qonto.api.contract import CONTRACT, fields

if TYPE_CHECKING:
    from collections.abc import Iterator

INTRODUCTION = """\
# Contract against schemas

The schemas are folded from `contract/openapi.yaml` by `scripts/contract.py`. Every field of a row,
at every depth, has its place in the stream's schema, but for those of the last column: links that
open without a login (Q92, Q96), what is signed with (the secret of a webhook), and one field that
Qonto spells in two ways (Q65). What the schemas have more is `organization_id` and the id of the
parent row, where Qonto does not send them.

`tests/test_contract.py` compares the two, field by field, by code that it shares with nobody. The
items of lists are counted as fields.
"""


def page() -> str:
    """Make the page."""
    rows = []
    totals = [0, 0, 0]
    for stream, source in source_rows().items():
        schema = CONTRACT.get_schema(stream)
        ours = {".".join(path) for path, _ in fields(schema)}
        left_out = [name for name in source if name not in ours]
        personal = sum(1 for _, field in fields(schema) if field.get("x-pii"))
        counts = [len(source), len(ours), personal]
        totals = [total + count for total, count in zip(totals, counts, strict=True)]
        rows.append(
            [
                f"[{stream}](../streams.md#{stream})",
                *map(str, counts),
                code(*(name.replace(".[]", "[]") for name in left_out)),
            ]
        )
    rows.append(["**all**", *(f"**{total}**" for total in totals), ""])
    head = ["Stream", "Fields of the contract", "of the schema", "personal", "Left out"]
    introduction = quirks(INTRODUCTION, "../quirks.md").splitlines()
    lines = [MADE.format(source="contract/openapi.yaml"), "", *introduction]
    return "\n".join([*lines, "", *table(head, rows)]) + "\n"


def source_rows() -> dict[str, list[str]]:
    """The dotted names of all fields of a row, by stream, as the source has them."""
    document = folding.load(folding.SOURCE)
    return {
        operation["x-stream"]: list(
            _names(folding.row(operation, operation["x-envelope"], document))
        )
        for operations in document["paths"].values()
        for operation in operations.values()
        if "x-stream" in operation
    }


def _names(schema: dict[str, Any], prefix: str = "") -> Iterator[str]:
    children = list(schema.get("properties", {}).items())
    if "items" in schema:
        children.append(("[]", schema["items"]))
    for name, child in children:
        yield f"{prefix}{name}"
        yield from _names(child, f"{prefix}{name}.")
