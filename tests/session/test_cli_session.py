"""The commands beside login: status, organizations, refresh, logout; and their settings."""

from __future__ import annotations

import json
import re
import subprocess
import typing as t

import pytest
from click.testing import CliRunner, Result
from sessions import COMMAND, age, age_of_intent, interrupt
from token_server import CLIENT_ID, MARK, TokenServer

from tap_qonto.auth.refresh import open_store
from tap_qonto.cli.main import auth

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tap_qonto.settings import Settings


@pytest.mark.parametrize(
    ("days", "spoiled", "verdict", "code"),
    [
        (0, "", "alive", 0),
        (77, "", "attention", 4),
        (91, "", "login", 3),
        (1, "interrupted", "attention", 4),
        (1, "refused", "login", 3),
        (1, "secret", "unreadable", 1),
        (1, "deleted", "login", 3),
    ],
)
def test_status_has_an_exit_code_for_a_monitor(  # noqa: PLR0913, PLR0917 - fixtures and columns
    run: Callable[..., Result],
    session: Settings,
    server: TokenServer,
    monkeypatch: pytest.MonkeyPatch,
    days: int,
    spoiled: str,
    verdict: str,
    code: int,
) -> None:
    age(session, days * 86400)
    store = open_store(session)
    if spoiled == "interrupted":
        interrupt(session, server, ago=900, spent=False)
    elif spoiled == "refused":
        server.refresh_tokens.clear()
        assert run("refresh").exit_code == 3
    elif spoiled == "secret":
        monkeypatch.setenv("TAP_QONTO_CLIENT_SECRET", "another")
    elif spoiled == "deleted":
        store.delete()
    asked = len(server.requests)
    result = run("status", "--json")
    found = json.loads(result.output)
    assert (found["status"], result.exit_code) == (verdict, code)
    assert found["message"] in run("status").output
    assert len(server.requests) == asked  # status asks nobody


def test_status_tells_everything_there_is_to_know(
    run: Callable[..., Result], session: Settings
) -> None:
    age(session, 86400)
    found = json.loads(run("status", "--json").output)
    assert found["client_id"] == CLIENT_ID
    assert found["flow"] is None  # nobody asked Qonto yet
    assert found["days_left"] == 89
    assert found["token_store"].endswith("sessions.db")
    assert found["scopes"] == ["offline_access", "user_organization.read", "organization.read"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", found["ends_at"])


def test_status_says_that_a_new_seed_waits(
    run: Callable[..., Result], server: TokenServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAP_QONTO_REFRESH_TOKEN", server.seed())
    result = run("status")
    assert result.exit_code == 4
    assert "begins a new session from the configured refresh_token" in result.output


@pytest.mark.usefixtures("session")
def test_organizations_are_asked_for_live(run: Callable[..., Result], server: TokenServer) -> None:
    assert "Moulin <Bio>       admin" in run("organizations").output
    server.access_tokens.clear()  # a 401 is repaired on the way
    found = json.loads(run("organizations", "--json").output)
    assert [one["role"] for one in found] == ["owner", "admin"]


def test_refresh_renews_a_token_that_is_still_alive(
    run: Callable[..., Result], session: Settings, server: TokenServer
) -> None:
    before = open_store(session).load().session
    result = run("refresh")
    assert re.search(r"would end on \d{4}-\d\d-\d\d \d\d:\d\d UTC", result.output)
    assert open_store(session).load().session.refresh_token != before.refresh_token
    assert server.refreshes == 1


def test_refresh_after_an_interruption_tells_how_it_went(
    run: Callable[..., Result], session: Settings, server: TokenServer
) -> None:
    interrupt(session, server, ago=30, spent=True)
    assert run("refresh").exit_code == 0
    interrupt(session, server, ago=30, spent=True)
    age_of_intent(session, 600)
    for token in server.refresh_tokens.values():
        token.used_at = (token.used_at or 0) - 600
    result = run("refresh")
    assert result.exit_code == 3
    assert "A refresh that began 10 minutes ago" in result.output


def test_logout_revokes_and_forgets(
    run: Callable[..., Result], session: Settings, server: TokenServer
) -> None:
    assert run("logout", typed="n\n").exit_code == 1
    assert open_store(session).load().session
    result = run("logout", "--yes")
    assert result.exit_code == 0
    assert "did not confirm" not in result.output
    assert server.access_tokens == {}
    assert run("status").exit_code == 3
    assert run("logout", "--yes").exit_code == 3


def test_where_there_is_no_session_it_is_said_for_which_server(
    run: Callable[..., Result], server: TokenServer
) -> None:
    said = f"There is no session of client {CLIENT_ID} at {server.url} in SQLite file "
    for command in ("status", "refresh", "organizations"):
        result = run(command)
        assert result.exit_code == 3
        assert said in result.output
    result = run("logout")  # and is not asked whether it should end
    assert result.exit_code == 3
    assert said in result.output
    assert "End the session?" not in result.output


def test_logout_works_without_the_server(
    run: Callable[..., Result], session: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(session)
    monkeypatch.setenv("TAP_QONTO_CLIENT_SECRET", "another")  # unreadable, so nothing to revoke
    result = run("logout", "--yes")
    assert "did not confirm the revocation" in result.output
    assert store.load().session is None


# Settings


def test_settings_come_from_one_file_or_from_environment_before_dotenv(
    run: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TAP_QONTO_CLIENT_ID")
    (tmp_path / ".env").write_text("TAP_QONTO_CLIENT_ID=from-dotenv\n")
    assert "client id              from-dotenv" in run("status").output
    monkeypatch.setenv("TAP_QONTO_CLIENT_ID", "from-environment")
    assert "client id              from-environment" in run("status").output
    file = tmp_path / "config.json"
    file.write_text(json.dumps({"client_id": "from-file", "shard": "of another command"}))
    assert "client_secret is missing" in run("status", "--config", str(file)).output
    file.write_text(json.dumps({"client_id": "from-file", "client_secret": "x"}))
    assert "client id              from-file" in run("status", "--config", str(file)).output
    file.write_text("[")
    result = run("status", "--config", str(file))
    assert result.exit_code == 1
    assert "can't be read as a JSON object" in result.output


def test_missing_settings_are_named(
    run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TAP_QONTO_CLIENT_SECRET")
    for command in ("login", "status", "organizations", "refresh"):
        result = run(command)
        assert result.exit_code == 1
        assert "TAP_QONTO_CLIENT_SECRET" in result.output


def test_an_api_key_needs_no_login(
    run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("CLIENT_ID", "CLIENT_SECRET"):
        monkeypatch.delenv(f"TAP_QONTO_{name}")
    monkeypatch.setenv("TAP_QONTO_API_KEY_LOGIN", "atelier")
    monkeypatch.setenv("TAP_QONTO_API_KEY_SECRET", f"{MARK}-key")
    for command in ("login", "status", "refresh"):
        assert "an API key has no session" in run(command).output


@pytest.mark.parametrize("command", ["", "login", "status", "organizations", "refresh", "logout"])
def test_help_needs_no_settings(command: str) -> None:
    result = CliRunner().invoke(auth, [*command.split(), "--help"])
    assert result.exit_code == 0
    assert "\b" not in result.output


@pytest.mark.usefixtures("environment")
def test_a_real_process_ends_with_one_sentence() -> None:
    done = subprocess.run([COMMAND, "refresh"], capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert done.stdout == ""
    assert re.fullmatch(r"Error: There is no session of client .*\n", done.stderr)
