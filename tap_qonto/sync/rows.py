"""How a row as Qonto sends it becomes a row as its stream's schema promises it.

What to do comes as data from the contract (`row_facts`); it is compiled once per stream. Values
are never invented: those that don't fit are converted or become null (`fit`), and what the schema
has no place for is kept in `unknown_fields`.
"""

from __future__ import annotations

import typing as t

from tap_qonto.api.contract import UNKNOWN_FIELDS, secret_names
from tap_qonto.sync.fit import MISFIT, Fields, usual

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from tap_qonto.api.contract import RowFacts
    from tap_qonto.sync.fit import Kind

Row = dict[str, t.Any]


def row_shaper(
    facts: RowFacts, tell: Callable[[Kind, str], None] = lambda _kind, _field: None
) -> Callable[[Row, str | None], Row]:
    """Compile the function (row, organization id) -> row of the schema, `organization_id` first.

    The row given is used up. `unknown_fields` comes last: an object of names and values, or null.
    `tell` is told the kind and the field of everything that is not as the schema says.
    """
    fills = facts.fills
    foreign = {path[0] for _, path in fills} - facts.schema["properties"].keys()
    is_usual = usual(facts.schema, foreign)
    fit = Fields(facts.schema, foreign, secret_names())

    def shape(row: Row, organization_id: str | None) -> Row:
        if organization_id is not None:
            row.pop("organization_id", None)
            row = {"organization_id": organization_id, **row}
        for name, path in fills:
            if row.get(name) is None:
                row[name] = _at(row, path)
        if is_usual(row):
            row[UNKNOWN_FIELDS] = None
        else:
            odd = fit(row)
            for one in odd:
                tell(one.kind, one.field)
            kept = {one.path: one.kept for one in odd if one.kept is not MISFIT}
            row[UNKNOWN_FIELDS] = kept or None
        return row

    return shape


def _at(row: Row, path: tuple[str, ...]) -> t.Any:
    value: t.Any = row
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value
