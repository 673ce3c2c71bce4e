"""Bad input: one clear sentence, a code that is not zero, and nothing else."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass, field

import pytest
from taps import Outcome, command, here, read

from demo.server import running
from tap_qonto.errors import SettingsError
from tap_qonto.settings import Settings

if t.TYPE_CHECKING:
    from pathlib import Path

GOOD: dict[str, t.Any] = {"client_id": "an-id", "client_secret": "s3cret"}
KEY = {"api_key_login": "acme-1234", "api_key_secret": "s3cret"}


@dataclass
class Bad:
    """What is given, and a part of the sentence that answers it."""

    said: str
    config: t.Any = None
    env: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    args: tuple[str, ...] = ()


def wrong(said: str, **settings: t.Any) -> Bad:
    return Bad(said, GOOD | settings)


CASES: dict[str, Bad] = {
    "nothing at all": Bad("client_id is missing: set it to that of your Qonto OAuth application"),
    "no secret": Bad("client_secret is missing", {"client_id": "an-id"}),
    "a key and a client": Bad("are both set: use either an API key or an OAuth", GOOD | KEY),
    "half a key": Bad("api_key_secret is missing", {"api_key_login": "acme-1234"}),
    "a secret that is a number": wrong("is not of type 'string'", client_secret=8_316_204),
    "a secret that is a list": wrong("is not of type 'string'", client_secret=["s3cret"]),
    "an unknown environment": wrong("environment is 'prod': use one of", environment="prod"),
    "a sandbox without its token": wrong("staging_token is missing", environment="sandbox"),
    "an address without scheme": wrong("api_url is 'qonto.com': use an", api_url="qonto.com"),
    "an address with a password": wrong(
        "api_url holds more than scheme, host and path", api_url="https://me:s3cret@qonto.com"
    ),
    "a date that is none": wrong("start_date is 'yesterday': use RFC 3339", start_date="yesterday"),
    "an id instead of a list": wrong(
        "organization_ids is 'an-id': use a list", organization_ids="an-id"
    ),
    "an empty list of ids": wrong("organization_ids is an empty list", organization_ids=[]),
    "ids that are numbers": wrong("organization_ids is [7]: use a list", organization_ids=[7]),
    "a shard of nothing": wrong("shard is '9/8': use NUMBER/COUNT", shard="9/8"),
    "a shard that is a word": wrong("shard is 'half': use NUMBER/COUNT", shard="half"),
    "an unknown status": wrong("transaction_statuses is ['done']", transaction_statuses=["done"]),
    "no status": wrong("transaction_statuses is []", transaction_statuses=[]),
    "no concurrency": wrong("concurrency is 0: use a whole number from 1 to 64", concurrency=0),
    "too much concurrency": wrong("concurrency is 500", concurrency=500),
    "half a concurrency": wrong("concurrency is 1.5: use a whole", concurrency=1.5),
    "a limit without a window": wrong("rate_limits is [[1000]]: use a list", rate_limits=[[1000]]),
    "a limit of nothing": wrong("rate_limits is [[0, 10]]", rate_limits=[[0, 10]]),
    "an unknown wish": wrong("on_denied is 'ignore': use one of skip, fail", on_denied="ignore"),
    "a stream map that is none": wrong("stream_maps", stream_maps={"labels": 7}),
    "a stream map of no language": wrong("stream_maps", stream_maps={"labels": {"name": "md5("}}),
    "a store of no kind": wrong("token_store", token_store="oracle://s3cret@there/db"),
    "a store without a driver": wrong(
        "token_store", token_store="postgresql+nothing://u:s3cret@h/"
    ),
    "a store that can't be opened": wrong("store", token_store="sqlite:////proc/no/such/file.db"),
    "a number that is a word": Bad(
        "TAP_QONTO_CONCURRENCY can't be read: write a whole number.",
        env={"TAP_QONTO_CONCURRENCY": "many"},
    ),
    "a list that is no JSON": Bad(
        "TAP_QONTO_RATE_LIMITS can't be read: write JSON.", env={"TAP_QONTO_RATE_LIMITS": "1000/10"}
    ),
    "a config file that is missing": Bad("--config", args=("--config", "nowhere.json")),
    "a config file of no name": Bad("--config", args=("--config", "")),
    "a config that is a folder": Bad("--config", args=("--config", ".")),
    "a config that is no JSON": Bad(
        "--config", args=("--config", "a"), files={"a": "client_id: x"}
    ),
    "a config that is a list": Bad("--config", args=("--config", "a"), files={"a": "[1, 2]"}),
    "a config that is binary": Bad("--config", args=("--config", "a"), files={"a": "\ud800"}),
    "a state that is missing": Bad("--state", args=("--state", "nowhere.json")),
    "a state that is no JSON": Bad(
        "The state is not one of this tap", GOOD, args=("--state", "a"), files={"a": "x"}
    ),
    "a state that is a list": Bad(
        "The state is not one of this tap", GOOD, args=("--state", "a"), files={"a": "[1]"}
    ),
    "a state of another shape": Bad(
        "The state is not one of this tap",
        GOOD,
        args=("--state", "a"),
        files={"a": '{"bookmarks": {"transactions": {"partitions": [{"key": 1}]}}}'},
    ),
    "a bookmark that is a list": Bad(
        "The state is not one of this tap",
        GOOD,
        args=("--state", "a"),
        files={
            "a": '{"bookmarks": {"labels": {"partitions": '
            '[{"context": {}, "replication_key_value": []}]}}}'
        },
    ),
    "a catalog that is no JSON": Bad(
        "The catalog is not one", GOOD, args=("--catalog", "a"), files={"a": "x"}
    ),
    "a catalog that is a list": Bad(
        "The catalog is not one", GOOD, args=("--catalog", "a"), files={"a": "[1]"}
    ),
    "a catalog without streams": Bad(
        "The catalog is not one", GOOD, args=("--catalog", "a"), files={"a": "{}"}
    ),
    "an unknown option": Bad("No such option", args=("--full-refresh",)),
}


def prepared(bad: Bad, folder: Path) -> tuple[str, ...]:
    for name, content in bad.files.items():
        (folder / name).write_bytes(content.encode("utf-8", "surrogatepass"))
    if bad.config is None:
        return bad.args
    (folder / "config.json").write_text(json.dumps(bad.config), encoding="utf-8")
    return (*bad.args, "--config", "config.json")


def assert_refused(bad: Bad, outcome: Outcome) -> None:
    assert outcome.code in {1, 2}, outcome.log
    assert bad.said in outcome.log
    assert outcome.out == ""
    assert "Traceback" not in outcome.log
    assert "s3cret" not in outcome.log
    assert "8316204" not in outcome.log
    assert "Decimal" not in outcome.log


@pytest.mark.parametrize("bad", CASES.values(), ids=CASES.keys())
def test_what_is_wrong_is_said_in_a_sentence(bad: Bad, tmp_path: Path) -> None:
    assert_refused(bad, here(tmp_path, *prepared(bad, tmp_path), env=bad.env))


@pytest.mark.slow
@pytest.mark.parametrize("bad", list(CASES.values())[::3], ids=list(CASES)[::3])
def test_what_is_wrong_is_said_by_the_process_too(bad: Bad, tmp_path: Path) -> None:
    assert_refused(bad, command(tmp_path, *prepared(bad, tmp_path), env=bad.env))


@pytest.mark.parametrize("name", ["nothing at all", "a secret that is a number"])
def test_test_refuses_the_same_in_the_same_words(name: str, tmp_path: Path) -> None:
    bad = CASES[name]
    assert_refused(bad, here(tmp_path, *prepared(bad, tmp_path), "--test", env=bad.env))


def test_a_process_says_it_too(tmp_path: Path) -> None:
    bad = CASES["a secret that is a number"]
    assert_refused(bad, command(tmp_path, *prepared(bad, tmp_path)))


def test_every_problem_is_said_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_config({"shard": "x", "start_date": "y", "concurrency": "z"})
    assert len(caught.value.problems) == 5


def test_variables_that_are_empty_are_not_set(tmp_path: Path) -> None:
    env = {
        "TAP_QONTO_CLIENT_ID": "an-id",
        "TAP_QONTO_CONCURRENCY": "",
        "TAP_QONTO_ORGANIZATION_IDS": "",
        "TAP_QONTO_SHARD": "",
    }
    outcome = here(tmp_path, env=env)
    assert "client_secret is missing" in outcome.log
    assert "CONCURRENCY" not in outcome.log.replace("env variable", "")
    assert "organization_ids" not in outcome.log


def test_settings_come_from_a_file_named_env_where_one_works(tmp_path: Path) -> None:
    with running(organizations=1, transactions=0) as qonto:
        config = qonto.config(token_store=f"sqlite:///{tmp_path}/sessions.db")
        lines = [
            f"TAP_QONTO_{name.upper()}={value if isinstance(value, str) else json.dumps(value)}"
            for name, value in config.items()
        ]
        (tmp_path / ".env").write_text("\n".join(lines), encoding="utf-8")
        below = tmp_path / "below"
        below.mkdir()
        outcome = here(below)
        assert outcome.code == 0, outcome.log
        assert outcome.rows("organization")
        assert config["refresh_token"] not in outcome.log


def test_a_refused_refresh_token_names_the_login_command(tmp_path: Path) -> None:
    with running(organizations=1, transactions=0) as qonto:
        config = qonto.config(token_store=f"sqlite:///{tmp_path}/sessions.db")
        config["refresh_token"] = "ory_rt_s3cret"
        outcome = read(config)
    assert (outcome.code, outcome.out) == (3, "")
    assert "tap-qonto-auth login" in outcome.log
    assert "s3cret" not in outcome.log
    assert "Traceback" not in outcome.log


def test_a_wrong_client_secret_is_named(tmp_path: Path) -> None:
    with running(organizations=1, transactions=0) as qonto:
        config = qonto.config(token_store=f"sqlite:///{tmp_path}/sessions.db")
        outcome = read(config | {"client_secret": "s3cret"})
    assert (outcome.code, outcome.out) == (1, "")
    assert "client_id or client_secret is not accepted" in outcome.log
    assert "s3cret" not in outcome.log


def test_a_wrong_api_key_is_named() -> None:
    with running(organizations=1, transactions=0) as qonto:
        key = {**qonto.api_key(qonto.bank.organizations[0].id), "api_key_secret": "s3cret"}
        outcome = read({**key, "api_url": qonto.url})
    assert (outcome.code, outcome.out) == (3, "")
    assert "Qonto does not accept the API key of" in outcome.log
    assert "s3cret" not in outcome.log


@pytest.mark.slow
def test_an_api_url_where_nobody_listens_ends_within_a_minute(tmp_path: Path) -> None:
    with running(organizations=1, transactions=0) as qonto:
        config = qonto.config(token_store=f"sqlite:///{tmp_path}/sessions.db")
        outcome = command(tmp_path, config=config | {"api_url": "http://127.0.0.1:9"})
    assert (outcome.code, outcome.out) == (1, "")
    assert "Check the network, and api_url" in outcome.log
    assert "Traceback" not in outcome.log
