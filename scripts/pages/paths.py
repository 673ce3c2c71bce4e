"""Places of values in rows, written `client.id`, `label_ids[]` or `items[].amount`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_qonto.api.contract import FieldPath


def dotted(path: FieldPath) -> str:
    """Write a path of the contract."""
    return ".".join(path).replace(".[]", "[]")


def values(row: dict[str, Any], path: str) -> Iterator[Any]:
    """Find all values at a path of a row, without nulls."""
    first, _, rest = path.partition(".")
    value = row.get(first.removesuffix("[]"))
    for one in (value or ()) if first.endswith("[]") else (value,):
        if one is not None:
            yield from values(one, rest) if rest else (one,)
