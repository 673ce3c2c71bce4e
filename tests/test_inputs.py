"""States, catalogs, maps and files as people have them: read, or refused in a sentence."""

from __future__ import annotations

import json
import os
import typing as t

import pytest
from inputs import CATALOG, configured, refused
from taps import catalog_of, command, every, here, read, truth
from three import CATALOG as EVERYTHING
from three import assert_whole

from tap_qonto.settings import doubts

if t.TYPE_CHECKING:
    from pathlib import Path

    from three import Config

    from demo.server import Server

# -- settings ----------------------------------------------------------------------------------


def test_null_and_empty_text_mean_not_set(qonto: Server, config: Config, tmp_path: Path) -> None:
    unset = {"environment": None, "stream_maps": None, "start_date": "", "concurrency": None}
    more = {"organization_ids": None, "api_key_login": " ", "files": "", "rate_limits": None}
    (tmp_path / "catalog.json").write_text(json.dumps(CATALOG))
    args = configured(tmp_path, config(**unset, **more))
    outcome = here(tmp_path, *args, "--catalog", "catalog.json")
    assert outcome.code == 0, outcome.log
    assert len(outcome.rows("labels")) == sum(
        len(truth(qonto, "labels", one)) for one in every(qonto)
    )


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("organisation_ids", "organization_ids"),
        ("Start_Date", "start_date"),
        ("token_sotre", "token_store"),
        ("stream_map", "stream_maps"),
    ],
)
def test_a_misspelt_setting_is_refused_with_the_one_that_is_near(
    config: Config, tmp_path: Path, name: str, meant: str
) -> None:
    outcome = here(tmp_path, *configured(tmp_path, config(**{name: "x"})))
    assert (outcome.code, outcome.out) == (1, "")
    assert f"{name} is no setting: did you mean {meant}?" in outcome.log


def test_a_misspelt_variable_is_refused_and_one_of_others_is_named(tmp_path: Path) -> None:
    env = {
        "TAP_QONTO_ORGANISATION_IDS": '["a"]',
        "TAP_QONTO_SERVICE_HOST": "10.0.0.1",  # of Kubernetes
        "TAP_QONTO__SELECT": "[]",  # of Meltano
        "TAP_QONTO_EU_CLIENT_ID": "x",  # of Meltano, for a plugin that inherits
    }
    outcome = here(tmp_path, env=env)
    assert outcome.code == 1
    wanted = "TAP_QONTO_ORGANISATION_IDS is no setting: did you mean TAP_QONTO_ORGANIZATION_IDS?"
    assert wanted in outcome.log
    assert "TAP_QONTO_SERVICE_HOST is no setting of tap-qonto: it does nothing." in outcome.log
    assert outcome.log.count("did you mean") == 1
    assert "__SELECT" not in outcome.log


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "utf-16-le", "utf-32"])
def test_files_are_read_in_the_encodings_of_windows(
    config: Config, tmp_path: Path, encoding: str
) -> None:
    state: dict[str, t.Any] = {"bookmarks": {"labels": {}}}
    for name, content in (("config", config()), ("state", state), ("catalog", CATALOG)):
        (tmp_path / f"{name}.json").write_bytes(json.dumps(content).encode(encoding))
    args = (part for one in ("config", "state", "catalog") for part in (f"--{one}", f"{one}.json"))
    outcome = here(tmp_path, *args)
    assert outcome.code == 0, outcome.log
    assert outcome.rows("labels")


@pytest.mark.parametrize("name", ["config", "state", "catalog"])
def test_a_file_in_no_known_encoding_is_refused_in_a_sentence(
    config: Config, tmp_path: Path, name: str
) -> None:
    configured(tmp_path, config())
    (tmp_path / f"{name}.json").write_bytes(b'{"caf\xe9": 1}')
    args = ("--config", "config.json", f"--{name}", f"{name}.json")
    outcome = here(tmp_path, *args)
    assert outcome.code in {1, 2}
    assert "Traceback" not in outcome.log
    assert name in outcome.log


@pytest.mark.parametrize("variable", ["TAP_QONTO_LOGLEVEL", "LOGLEVEL"])
def test_an_unknown_log_level_is_refused_in_a_sentence(tmp_path: Path, variable: str) -> None:
    outcome = command(tmp_path, "--version", env={variable: "verbose"})
    assert (outcome.code, outcome.out) == (1, "")
    assert f"{variable} is 'verbose': use DEBUG, INFO" in outcome.log
    assert "Traceback" not in outcome.log


# -- .env --------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"A='caf\xe9'\n", b"\xff\xfeA", None])
def test_the_env_file_of_another_program_stops_nothing(
    config: Config, tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / ".env"
    file.mkdir() if content is None else file.write_bytes(content)
    below = tmp_path / "below"
    below.mkdir()
    args = configured(below, config(organization_ids=["x"]))
    assert ".env" not in here(below, *args, "--discover").log
    outcome = here(below)
    assert "client_id is missing" in outcome.log
    assert "Traceback" not in outcome.log


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read everything")
def test_an_env_file_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("TAP_QONTO_CLIENT_ID=x")
    (tmp_path / ".env").chmod(0)
    assert ".env can't be read (Permission denied)" in here(tmp_path).log


def test_an_env_file_with_our_settings_in_latin_1_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"TAP_QONTO_FILES=re\xe7us\n")
    outcome = here(tmp_path)
    assert outcome.code == 2
    assert "is not UTF-8: save it as that" in outcome.log


def test_an_env_file_in_utf_16_is_read(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes("TAP_QONTO_CLIENT_ID=x\n".encode("utf-16"))
    outcome = here(tmp_path)
    assert "client_secret is missing" in outcome.log
    assert "client_id is missing" not in outcome.log


def test_no_proxy_comes_from_an_env_file(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "")  # so that this machine is no exception
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    names = ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "REQUESTS_CA_BUNDLE")
    lines = [f"{name}=http://127.0.0.1:9" for name in names]
    values = {
        name: json.dumps(one) if isinstance(one, list) else one for name, one in config().items()
    }
    lines += [f"TAP_QONTO_{name.upper()}={value}" for name, value in values.items()]
    (tmp_path / ".env").write_text("\n".join(lines))
    (tmp_path / "catalog.json").write_text(json.dumps(CATALOG))
    outcome = here(tmp_path, "--catalog", "catalog.json")
    assert outcome.code == 0, outcome.log
    for name in names:
        assert f"{name} in {tmp_path / '.env'} is not used" in outcome.log


# -- states ------------------------------------------------------------------------------------


def wrapped(state: t.Any, how: str) -> t.Any:
    return {
        "line": {"type": "STATE", "value": state},
        "meltano": {"singer_state": state},
        "both": {"singer_state": {"type": "STATE", "value": state}},
    }[how]


@pytest.mark.parametrize("how", ["line", "meltano", "both"])
def test_a_wrapped_state_is_unwrapped(config: Config, how: str) -> None:
    catalog = catalog_of("clients")
    first = read(config(), catalog=catalog)
    assert first.rows("clients")
    plain = read(config(), catalog=catalog, state=first.state)
    again = read(config(), catalog=catalog, state=wrapped(first.state, how))
    assert again.counts == plain.counts
    assert again.counts["clients"] < first.counts["clients"]


PARTITION = {"context": {"organization_id": "a"}, "replication_key": "updated_at"}


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({"transactions": "2026-01-01"}, "it has no bookmarks"),
        ({"bookmarks": []}, "it has no bookmarks"),
        ({"bookmarks": {"issues": {}}}, "issues is no stream of it"),
        ({"bookmarks": {"clients": "2026-01-01"}}, "the bookmarks of clients have another shape"),
        (
            {"bookmarks": {"clients": {"replication_key_value": "2026-01-01T00:00:00Z"}}},
            "a bookmark of clients names no organization",
        ),
        (
            {
                "bookmarks": {
                    "clients": {"partitions": [{**PARTITION, "replication_key_value": "today"}]}
                }
            },
            "a bookmark of clients for {'organization_id': 'a'} is no date",
        ),
    ],
)
def test_a_state_that_is_none_is_refused(
    config: Config, state: dict[str, t.Any], said: str
) -> None:
    assert f"The state is not one of this tap: {said}." in refused(config(), state=state)


def test_several_lines_of_state_are_refused_with_what_to_do(config: Config, tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text('{"bookmarks": {}}\n{"bookmarks": {}}\n')
    outcome = here(tmp_path, *configured(tmp_path, config()), "--state", "state.json")
    assert (outcome.code, outcome.out) == (1, "")
    assert "of several lines take the last" in outcome.log


# -- catalogs ----------------------------------------------------------------------------------


def odd(change: t.Callable[[dict[str, t.Any]], None]) -> dict[str, t.Any]:
    catalog = catalog_of("labels")
    change(catalog["streams"][0])
    return catalog


def no_keys(entry: dict[str, t.Any]) -> None:
    del entry["key_properties"]
    for one in entry["metadata"]:
        one["metadata"].pop("inclusion", None)
        one["metadata"].pop("table-key-properties", None)
        if one["breadcrumb"]:
            one["metadata"]["selected"] = False


def other_name(entry: dict[str, t.Any]) -> None:
    entry["stream"] = "my_labels"


def no_name(entry: dict[str, t.Any]) -> None:
    del entry["stream"]


def no_schema(entry: dict[str, t.Any]) -> None:
    entry["schema"] = {}


def no_key_in_schema(entry: dict[str, t.Any]) -> None:
    del entry["schema"]["properties"]["id"]


def no_metadata(entry: dict[str, t.Any]) -> None:
    del entry["metadata"]


@pytest.mark.parametrize(
    "change", [no_keys, other_name, no_name, no_schema, no_key_in_schema, no_metadata]
)
def test_rows_have_their_keys_whatever_the_catalog_lacks(
    qonto: Server, config: Config, change: t.Callable[[dict[str, t.Any]], None]
) -> None:
    outcome = read(config(), catalog=odd(change))
    assert outcome.code == 0, outcome.log
    (schema,) = outcome.types("SCHEMA")
    assert (schema["stream"], schema["key_properties"]) == ("labels", ["organization_id", "id"])
    expected = {(org, row["id"]) for org in every(qonto) for row in truth(qonto, "labels", org)}
    assert {(row["organization_id"], row["id"]) for row in outcome.rows("labels")} == expected


def test_a_catalog_that_deselects_a_field_that_is_not_there_is_refused(config: Config) -> None:
    typo = {"breadcrumb": ["properties", "last_nmae"], "metadata": {"selected": False}}
    catalog = json.loads(json.dumps(CATALOG))
    next(one for one in catalog["streams"] if one["stream"] == "memberships")["metadata"] += [typo]
    said = "The catalog deselects last_nmae of memberships, which is no field of it"
    assert f"{said}: did you mean last_name?" in refused(config(), catalog=catalog)


def test_a_stream_that_only_the_catalog_knows_is_named(config: Config) -> None:
    catalog = json.loads(json.dumps(CATALOG))
    catalog["streams"] += [{"tap_stream_id": "lables", "schema": {}, "metadata": []}]
    outcome = read(config(), catalog=catalog)
    assert outcome.code == 0
    assert "The catalog has lables, which is no stream: did you mean labels?" in outcome.log


# -- what is allowed, but should not go unsaid --------------------------------------------------


@pytest.mark.parametrize(
    ("start", "told"),
    [
        ("2020-01-02T00:00:00", True),  # what Meltano makes of 01/02/2020
        ("2020-01-02T00:00:00.5", True),
        ("2020-01-02", False),
        ("2020-01-02T00:00:00Z", False),
    ],
)
def test_a_start_date_that_meltano_may_have_rewritten_is_named(
    config: Config, start: str, told: bool
) -> None:
    outcome = read(config(start_date=start), catalog=CATALOG)
    assert outcome.code == 0
    assert ("without a zone: read as UTC" in outcome.log) == told


def test_a_server_that_is_asked_in_clear_is_named() -> None:
    near = ["http://localhost:1", "http://127.0.0.1:1", "http://127.9.9.9", "https://host.example"]
    for url in near:
        assert not list(doubts({"api_url": url, "oauth_url": url}))
    (told,) = doubts({"api_url": "http://gateway.example"})
    assert "cross the network in clear" in told


def test_settings_of_the_sdk_that_do_nothing_here_are_named() -> None:
    told = " ".join(doubts({"batch_config": {}, "faker_config": {"seed": 1}}))
    assert "batch_config does nothing" in told
    assert "faker_config does nothing without the package faker" in told


# -- moments that are far away ------------------------------------------------------------------


def moved(state: dict[str, t.Any], moment: str) -> dict[str, t.Any]:
    """The state with every bookmark at `moment`."""
    result = json.loads(json.dumps(state))
    for bookmarks in result["bookmarks"].values():
        for partition in bookmarks.get("partitions", ()):
            partition["replication_key_value"] = moment
    return t.cast("dict[str, t.Any]", result)


@pytest.mark.parametrize("how", ["start_date", "bookmark"])
def test_the_first_year_means_from_the_beginning(qonto: Server, config: Config, how: str) -> None:
    if how == "start_date":
        outcome = read(config(start_date="0001-01-01T00:00:00Z"), catalog=EVERYTHING)
    else:
        state = moved(read(config(), catalog=EVERYTHING).state, "0001-01-01T00:00:00Z")
        outcome = read(config(), catalog=EVERYTHING, state=state)
    assert outcome.code == 0, outcome.log
    assert_whole(qonto, outcome)


def test_statuses_that_are_new_are_read_from_the_first_year_on(
    qonto: Server, config: Config
) -> None:
    facts = {"start_date": "0001-01-01T00:00:00Z"}
    one = read(config(transaction_statuses=["completed"], **facts), catalog=EVERYTHING)
    outcome = read(config(**facts), catalog=EVERYTHING, state=one.state)
    assert outcome.code == 0, outcome.log
    assert_whole(qonto, one, outcome)


def test_bookmarks_of_the_future_hide_nothing_and_are_named(qonto: Server, config: Config) -> None:
    first = read(config(), catalog=EVERYTHING)
    future = moved(first.state, "2099-01-01T00:00:00.000Z")
    outcome = read(config(), catalog=EVERYTHING, state=future)
    assert outcome.code == 0, outcome.log
    assert "the bookmark 2099-01-01T00:00:00.000Z is in the future" in outcome.log
    assert_whole(qonto, outcome)
    assert "2099" not in json.dumps(outcome.state)
    assert "future" not in read(config(), catalog=EVERYTHING, state=outcome.state).log
