"""The command line without a run, and the SDK's own suite of tests."""

from __future__ import annotations

import json
import subprocess
import sys
import typing as t

import pytest
from singer_sdk.testing import SuiteConfig, get_tap_test_class
from taps import Outcome, catalog_of, command, here

from demo.server import running
from tap_qonto.settings import SCHEMA
from tap_qonto.streams import STREAMS
from tap_qonto.tap import TapQonto

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONFIG: dict[str, t.Any] = {"client_id": "demo-client", "client_secret": "demo-secret"}


@pytest.fixture(scope="module", autouse=True)
def _served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Give `CONFIG`, which the suite below holds on to, a server to talk to."""
    store = tmp_path_factory.mktemp("suite") / "sessions.db"
    with running(organizations=2, transactions=30, gates=False) as qonto:
        CONFIG.update(qonto.config(token_store=f"sqlite:///{store}"))
        yield


def suite(**which: t.Any) -> t.Any:
    """The SDK's generated tests against the demo server, of every stream."""
    return get_tap_test_class(
        TapQonto,
        config=CONFIG,
        suite_config=SuiteConfig(max_records_limit=100),
        catalog=catalog_of(*(one.name for one in STREAMS)),
        **which,
    )


# Qonto leaves some fields out where they don't apply; a row then has no such field
@pytest.mark.filterwarnings("ignore:Fields in transformed catalog but not in records")
class TestOfTheSdk(suite(include_stream_attribute_tests=False)):  # type: ignore[misc]
    """Discovery, a connection test, and each stream."""


# `unknown_fields` is null where Qonto sends nothing new
@pytest.mark.filterwarnings("ignore:No records were available to test")
@pytest.mark.slow
class TestEveryFieldOfTheSdk(
    suite(include_tap_tests=False, include_stream_tests=False)  # type: ignore[misc]
):
    """Each field of each stream."""


def test_discover_takes_neither_settings_nor_network(tmp_path: Path) -> None:
    outcome = command(tmp_path, "--discover", env={"https_proxy": "http://127.0.0.1:1"})
    assert outcome.code == 0, outcome.log
    entries = {one["tap_stream_id"]: one for one in json.loads(outcome.out)["streams"]}
    assert entries.keys() == {one.name for one in STREAMS}
    roots = {
        name: next(one["metadata"] for one in entry["metadata"] if not one["breadcrumb"])
        for name, entry in entries.items()
    }
    assert {name for name, root in roots.items() if not root["selected-by-default"]} == {
        "beneficiaries_legacy",
        "child_transaction_links",
        "external_transfers",
        "international_beneficiaries",
        "payment_link_payments",
        "transaction_attachments",
        "transaction_counts",
        "webhook_subscriptions",
    }
    assert all(entry["key_properties"] for entry in entries.values())
    assert list(tmp_path.iterdir()) == []


def test_about_names_every_setting_and_no_secret(tmp_path: Path) -> None:
    secret = {"TAP_QONTO_CLIENT_SECRET": "s3cret", "TAP_QONTO_REFRESH_TOKEN": "s3cret"}
    for form in ("markdown", "json"):
        outcome = here(tmp_path, "--about", f"--format={form}", env=secret)
        assert outcome.code == 0, outcome.log
        assert all(name in outcome.out for name in SCHEMA["properties"])
        assert "s3cret" not in outcome.out + outcome.log
    about = json.loads(outcome.out)
    assert "batch" not in about["capabilities"]
    assert about["settings"]["properties"]["client_secret"]["secret"] is True


def test_help_shows_what_to_type(tmp_path: Path) -> None:
    outcome = here(tmp_path, "--help")
    assert outcome.code == 0
    assert "tap-qonto-auth login" in outcome.out
    assert "Exit codes" in outcome.out


def one_row_each(folder: Path, config: dict[str, t.Any]) -> Outcome:
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return here(folder, "--test", "--config", "config.json")


def test_test_reads_one_row_of_each_stream_and_asks_for_little(tmp_path: Path) -> None:
    with running(organizations=8, transactions=0, gates=False) as qonto:
        outcome = one_row_each(tmp_path, qonto.config(token_store=f"sqlite:///{tmp_path}/s.db"))
        assert outcome.code == 0, outcome.log
        assert outcome.counts["labels"] == outcome.counts["organization"] == 1
        asked = sum(1 for one in qonto.requests if one.path == "/v2/labels")
        assert asked < 3


def test_test_says_what_can_not_be_read(tmp_path: Path) -> None:
    with running(organizations=1, transactions=0, gates=False) as qonto:
        qonto.faults.add("status", status=422, path="/v2/labels")
        outcome = one_row_each(tmp_path, qonto.config(token_store=f"sqlite:///{tmp_path}/s.db"))
    assert outcome.code == 1
    assert "failed   labels" in outcome.log


def test_test_says_ok_or_what_is_wrong_of_each_stream_and_nothing_like_an_error(
    tmp_path: Path,
) -> None:
    with running(organizations=2, transactions=0, gates=False) as qonto:
        qonto.faults.add("status", status=403, path="/v2/cards")
        outcome = one_row_each(tmp_path, qonto.config(token_store=f"sqlite:///{tmp_path}/s.db"))
    assert outcome.code == 0
    told = outcome.log.partition("Tested:\n")[2].splitlines()[: len(STREAMS)]
    assert [line.split()[1].rstrip(":") for line in told] == sorted(one.name for one in STREAMS)
    bad = [line for line in told if not line.startswith("ok  ")]
    assert {line.split()[1] for line in bad} == {"cards:", "card_appearances:"}
    assert all("2 organizations, such as" in line for line in bad)
    for word in ("ERROR", "unhandled", '"status":"failed"', "Read 0 rows"):
        assert word not in outcome.log


def test_what_is_slow_to_import_is_imported_where_a_session_is_needed() -> None:
    code = (
        "import sys; from tap_qonto.tap import TapQonto;"
        "TapQonto(config={}, validate_config=False).catalog_json_text;"
        "print(*{'sqlalchemy', 'cryptography', 'demo', 'filelock'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_python_runs_the_package_as_the_command() -> None:
    outputs = [
        subprocess.run(
            [sys.executable, *command, "--discover"], capture_output=True, text=True, check=True
        ).stdout
        for command in (["-m", "tap_qonto"], ["-c", "import tap_qonto.tap as t; t.TapQonto.cli()"])
    ]
    assert '"user_organizations"' in outputs[0]
    assert outputs[0] == outputs[1]
