"""The pages: in step with the code, and their links and joins hold."""

from __future__ import annotations

import re
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
from pages import contract as contract_page
from pages.joins import JOINS, Join
from pages.paths import dotted, values
from taps import catalog_of, read

from demo.server import running
from tap_qonto.api.contract import CONTRACT, fields
from tap_qonto.streams import STREAMS

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from demo.server import Server

ROOT = Path(__file__).parents[2]
ALL_JOINS = [join for joins in JOINS.values() for join in joins]
WRITTEN = sorted(
    page
    for pattern in ("*.md", "docs/**/*.md", "dbt/*.md", "examples/*/*.md", "hub/*.md")
    for page in ROOT.glob(pattern)
)
EACH_PAGE = pytest.mark.parametrize("page", WRITTEN, ids=lambda page: str(page.relative_to(ROOT)))
CODE = [
    file for folder in ("tap_qonto", "scripts", "demo") for file in ROOT.glob(f"{folder}/**/*.py")
]


# -- made from the code --------------------------------------------------------------------


def test_the_pages_say_what_the_code_says() -> None:
    check = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "docs.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (check.returncode, check.stdout) == (0, ""), check.stdout


def test_every_stream_has_its_section() -> None:
    text = (ROOT / "docs" / "streams.md").read_text(encoding="utf-8")
    for stream in STREAMS:
        assert text.count(f"\n### {stream.name}\n") == 1


def test_the_page_of_streams_says_once_what_holds_for_all() -> None:
    text = read_page("streams.md")
    assert text.count("thers may come") == 1  # values
    assert text.count("no links and no secrets") == 1  # unknown_fields


def test_the_numbers_of_the_contract_page_are_those_of_the_contract_test() -> None:
    from test_contract import source_row  # noqa: PLC0415 - reads 14,000 lines of YAML

    for stream, names in contract_page.source_rows().items():
        given = {"transaction_id"} if stream == "child_transaction_links" else set()  # a fold: Q79
        renamed = {"Invoice_issue_date"} if stream == "credit_notes" else set()  # a fold: Q65
        assert set(names) - given | renamed == source_row(stream) | renamed, stream


# -- links and numbers ---------------------------------------------------------------------


def anchors(page: Path) -> set[str]:
    """Where links into a page can lead: its headings, as GitHub names them, and its ids."""
    text = page.read_text(encoding="utf-8")
    headings = re.findall(
        r"^#+ (.*)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE
    )
    slugs = {re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in headings}
    return slugs | set(re.findall(r'<a id="([^"]+)">', text))


@EACH_PAGE
def test_every_link_leads_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith(("http://", "https://")):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), target


def test_the_page_of_all_pages_names_each() -> None:
    text = read_page("README.md")
    named = {(ROOT / "docs" / target).resolve() for target in re.findall(r"\]\(([^)\s#]+)", text)}
    below = {page for page in ROOT.glob("docs/**/*.md") if page.name != "README.md"}
    assert below <= named


def test_every_quirk_that_is_cited_is_told() -> None:
    told = {int(one) for one in re.findall(r'<a id="q(\d+)">', read_page("quirks.md"))}
    assert told == set(range(1, 102))
    for file in CODE:
        cited = {int(one) for one in re.findall(r"\bQ(\d{1,3})\b", file.read_text("utf-8"))}
        assert cited <= told, file


def read_page(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


# -- joins ---------------------------------------------------------------------------------


def schema_fields(stream: str) -> set[str]:
    declared = next(one for one in STREAMS if one.name == stream)
    schema = (
        CONTRACT.get_schema(stream) if declared.derived_from is None else vars(declared)["schema"]
    )
    return {dotted(path) for path, _ in fields(schema)}


@pytest.mark.parametrize("join", ALL_JOINS, ids=lambda join: f"{join.stream}.{join.field}")
def test_a_join_names_fields_that_exist(join: Join) -> None:
    assert join.field in schema_fields(join.stream)
    assert join.key in schema_fields(join.of)


# not in the demo's data: old transfers name no transaction, categories have no subcategories
UNFILLED = {"external_transfers.transaction_id", "transactions.cashflow_subcategory.id"}


@pytest.fixture(scope="module")
def qonto() -> Iterator[Server]:
    with running(seed=7, organizations=1, transactions=240, accounts=4) as server:
        yield server


@pytest.mark.slow
def test_the_rows_of_the_demo_join_as_the_page_says(qonto: Server, store: str) -> None:
    outcome = read(
        qonto.config(token_store=store), catalog=catalog_of(*(stream.name for stream in STREAMS))
    )
    assert outcome.code == 0, outcome.log
    rows = outcome.by_stream
    for stream, field, of, key in ALL_JOINS:
        known = {(row["organization_id"], one) for row in rows[of] for one in values(row, key)}
        named = [
            (row["organization_id"], one)
            for row in rows[stream]
            for one in (values(row, field) if field != key or stream != of else ())
        ]
        assert named or f"{stream}.{field}" in UNFILLED, f"{stream}.{field}"
        assert set(named) <= known, f"{stream}.{field}"
