"""docs/loaders.md: which columns hold whole cents, and which amounts have none."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import pytest

from tap_qonto.tap import TapQonto

PAGE = (Path(__file__).parents[2] / "docs" / "loaders.md").read_text("utf-8")
ROWS = {
    name: (cents, others)
    for name, cents, others in re.findall(
        r"^\| \[(\w+)\][^|]*\| (.*?) ?\| (.*?) ?\|$", PAGE, re.MULTILINE
    )
}
SCHEMAS = {
    stream.name: stream.schema
    for stream in TapQonto(config={}, validate_config=False).discover_streams()
    if stream.name != "child_transaction_links"  # a whole transaction, below
}


def columns(schema: dict[str, t.Any]) -> dict[str, str]:
    """The type of each column at the top of a row."""
    return {name: field["type"][0] for name, field in schema["properties"].items()}


@pytest.mark.parametrize("stream", SCHEMAS)
def test_every_column_of_cents_is_on_the_page_and_text_is_called_so(stream: str) -> None:
    for name, kind in columns(SCHEMAS[stream]).items():
        if name.endswith("_cents"):
            numbers, _, texts = ROWS[stream][0].partition("as text: ")
            assert f"`{name}`" in (texts if kind == "string" else numbers), name


def test_the_page_names_amounts_that_have_no_cents() -> None:
    assert ROWS["supplier_invoices"][0] == ""
    assert "`total_amount.value`" in ROWS["supplier_invoices"][1]
    assert ROWS["external_transfers"][0].startswith("as text: ")
    assert "`total_amount.value`" not in ROWS["client_invoices"][1]  # total_amount_cents is there
    assert ROWS["cards"] == (
        "",
        ", ".join(f"`{name}`" for name in columns(SCHEMAS["cards"]) if name.endswith("_limit")),
    )
