"""docs/operating.md: what it promises was tried, and what it quotes is said."""

from __future__ import annotations

import ast
import re
import typing as t
from pathlib import Path

import duckdb
import psycopg
import pytest
import yaml
from pages import personal
from pages.paths import dotted, values
from postgres import running_postgres
from singer_sdk.exceptions import ConfigValidationError
from taps import Outcome, catalog_of, command, read

from demo.server import running
from tap_qonto.api.contract import CONTRACT, endpoints, fields
from tap_qonto.streams import STREAMS

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from demo.server import Server

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


@pytest.fixture(scope="module")
def qonto() -> Iterator[Server]:
    with running(seed=7, organizations=2, transactions=20) as server:
        yield server


# -- personal data -------------------------------------------------------------------------


def test_no_personal_data_leaves_with_the_rules_of_the_page(qonto: Server, store: str) -> None:
    without = [tuple(rule.removeprefix("!").split(".", 1)) for rule in personal.rules()]
    catalog = catalog_of(*(stream.name for stream in STREAMS), without=without)  # type: ignore[arg-type]
    outcome = read(qonto.config(token_store=store), catalog=catalog)
    assert outcome.code == 0, outcome.log
    for message in outcome.types("SCHEMA"):
        assert not [path for path, field in fields(message["schema"]) if field.get("x-pii")]
    for stream, rows in outcome.by_stream.items():
        if stream not in endpoints():
            continue
        marked = [
            dotted(path)
            for path, field in fields(CONTRACT.get_schema(stream))
            if field.get("x-pii")
        ]
        for row in rows:
            assert not [path for path in marked if list(values(row, path))], stream


def test_the_stream_maps_of_the_page_work(qonto: Server, store: str) -> None:
    found = re.search(r"```yaml\n(.*?)```", section("Personal data"), re.DOTALL)
    assert found
    config = yaml.safe_load(found[1])["config"]
    catalog = catalog_of("transactions", "memberships", "sepa_beneficiaries")
    outcome = read(qonto.config(token_store=store, **config), catalog=catalog)
    assert outcome.code == 0, outcome.log
    rows = outcome.rows("transactions")
    assert all(re.fullmatch("[0-9a-f]{64}", row["label"]) for row in rows if row["label"])
    assert any(row["label"] for row in rows)
    assert all("clean_counterparty_name" not in row for row in rows)
    people = outcome.rows("memberships")
    assert people
    assert all("last_name" not in one and len(one["first_name"] or "A.") == 2 for one in people)
    assert not outcome.rows("sepa_beneficiaries")


# -- messages ------------------------------------------------------------------------------


def texts() -> Iterator[str]:
    """Every text constant of the tap, neighbours of one expression together."""
    for file in (ROOT / "tap_qonto").glob("**/*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield re.sub(r"%(\.\d)?[sdf]", "…", node.value)


def test_every_line_that_the_page_explains_can_be_said() -> None:
    known = "\n".join(texts())
    rows = [row for row in section("What a run says").splitlines() if row.startswith("| `")]
    lines = [row.split(" | ")[0] for row in rows]
    assert len(lines) > 15
    for line in lines:
        for part in line.removeprefix("| ").strip("`").split("…"):
            assert part.strip(" `") in known, line


def mistakes() -> dict[str, tuple[str, int]]:
    """Mistake -> (message with … for what changes, exit code), as the page has them."""
    text = section("Likely mistakes")
    rows = re.findall(r"^\| (.+?) \| `+(.+?)`+ \| (\d) \|$", text, re.MULTILINE)
    return {name: (message, int(code)) for name, message, code in rows}


def used_elsewhere(qonto: Server, store: str) -> dict[str, t.Any]:
    config = qonto.config(token_store=store)
    read(config, catalog=catalog_of("user_organizations"))
    qonto.clock.advance(200)
    return config | {"token_store": store.replace("sessions", "others")}


def of_another_client(qonto: Server, store: str) -> dict[str, t.Any]:
    config = qonto.config(token_store=store)
    read(config, catalog=catalog_of("user_organizations"))
    return config | {"client_secret": "another"}


def with_key(qonto: Server, **more: str) -> dict[str, t.Any]:
    addresses = {name: qonto.config()[name] for name in ("api_url", "oauth_url", "rate_limits")}
    return addresses | qonto.api_key(qonto.bank.organizations[0].id) | more


def with_scope(qonto: Server, store: str, scope: str) -> dict[str, t.Any]:
    token = qonto.issue(scope=f"offline_access user_organization.read {scope}")
    return qonto.config(token_store=store, refresh_token=token["refresh_token"])


MADE: dict[str, Callable[[Server, str], dict[str, t.Any]]] = {
    "nothing is set": lambda _qonto, _store: {},
    "nobody logged in": lambda qonto, store: qonto.config(token_store=store, refresh_token=""),
    "a wrong client secret": lambda qonto, store: qonto.config(
        token_store=store, client_secret="wrong"
    ),
    "another client secret than at the login": of_another_client,
    "a refresh token that something else has used": used_elsewhere,
    "an organization that was not ticked": lambda qonto, store: qonto.config(
        token_store=store, organization_ids=["11111111-2222-3333-4444-555555555555"]
    ),
    "an API key and an application": lambda qonto, store: qonto.config(
        token_store=store, api_key_login="acme-1234"
    ),
    "a wrong API key": lambda qonto, _store: with_key(qonto, api_key_secret="wrong"),
    "the sandbox without its token": lambda qonto, store: qonto.config(
        token_store=store, environment="sandbox"
    ),
    "a path in place of a URL": lambda qonto, _store: qonto.config(token_store="/home/me/s.db"),
    "a token store that can't be written": lambda qonto, _store: qonto.config(
        token_store="sqlite:////dev/null/sessions.db"
    ),
    "a wrong `api_url`": lambda qonto, store: qonto.config(
        token_store=store, api_url=f"{qonto.url}/v3"
    ),
    "a scope that was not granted": lambda qonto, store: with_scope(
        qonto, store, "organization.read"
    ),
}


def said(config: dict[str, t.Any]) -> Outcome:
    try:
        return read(config, catalog=catalog_of("user_organizations", "labels", "clients"))
    except ConfigValidationError as error:  # the command prints these and ends with 1
        return Outcome(1, "", "\n".join(error.errors))


@pytest.mark.parametrize("mistake", [*MADE, "a config file that is not JSON"])
def test_a_likely_mistake_gets_the_message_of_the_page(
    mistake: str, qonto: Server, store: str, tmp_path: Path
) -> None:
    message, code = mistakes()[mistake]
    if mistake in MADE:
        outcome = said(MADE[mistake](qonto, store))
    else:
        (tmp_path / "broken.json").write_text('{"client_id": ')
        outcome = command(tmp_path, "--config", "broken.json")
    assert outcome.code == code, outcome.log
    pattern = ".*?".join(re.escape(part) for part in message.split("…"))
    assert re.search(pattern, outcome.log, re.DOTALL), outcome.log
    assert code == 0 or not outcome.out


def test_the_page_lists_no_mistake_that_was_not_tried() -> None:
    assert set(mistakes()) == {*MADE, "a config file that is not JSON"}


# -- rows deleted in Qonto -----------------------------------------------------------------


def living_rows() -> str:
    found = re.search(r"```sql\n(.*?)```", section("Rows deleted in Qonto"), re.DOTALL)
    assert found
    return found[1]


FULL_READS = """
    create table labels (organization_id text, id text, _sdc_extracted_at timestamp);
    insert into labels values
        ('a', 'deleted', '2026-11-01 03:00:00'),
        ('a', 'living', '2026-11-02 03:00:01'), ('a', 'too', '2026-11-02 03:00:02'),
        ('b', 'of another organization', '2026-11-01 03:00:00')
"""
LIVING = {"living", "too", "of another organization"}


def test_the_query_of_the_page_finds_living_rows_in_duckdb() -> None:
    database = duckdb.connect()
    database.execute(FULL_READS)
    assert {row[1] for row in database.execute(living_rows()).fetchall()} == LIVING


@pytest.mark.slow
def test_the_query_of_the_page_finds_living_rows_in_postgres() -> None:
    with running_postgres() as url, psycopg.connect(url) as database:
        database.execute(FULL_READS)
        assert {row[1] for row in database.execute(living_rows()).fetchall()} == LIVING
