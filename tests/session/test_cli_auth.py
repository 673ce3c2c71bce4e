"""`tap-qonto-auth`, with a browser that is a program: consent, errors, status, logout."""

from __future__ import annotations

import dataclasses
import json
import re
import socket
import subprocess
import threading
import typing as t
import urllib.request
import webbrowser
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from click.testing import CliRunner, Result
from sessions import COMMAND, age, age_of_intent, interrupt
from token_server import CLIENT_ID, MARK, ORGANIZATIONS, TokenServer

from tap_qonto.auth import authenticator_for
from tap_qonto.cli.auth import auth
from tap_qonto.cli.authorization import parameters
from tap_qonto.cli.page import page
from tap_qonto.renewal import open_store

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tap_qonto.settings import Settings


@pytest.fixture
def environment(server: TokenServer, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What Meltano gives a command: nothing but variables."""
    config = server.config(token_store=f"sqlite:///{folder / 'sessions.db'}")
    for name, value in config.items():
        monkeypatch.setenv(f"TAP_QONTO_{name.upper()}", value)
    monkeypatch.chdir(folder.parent)  # no .env here


@pytest.fixture
def run(environment: None) -> Callable[..., Result]:  # noqa: ARG001 - it sets the environment
    def run(*arguments: str, typed: str = "") -> Result:
        result = CliRunner().invoke(auth, list(arguments), input=typed)
        assert MARK not in result.output
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return result

    return run


class Browser:
    """Opens what it is told to, follows redirects, keeps the last page."""

    def __init__(self) -> None:
        self.text = ""
        self.headers: t.Mapping[str, str] = {}
        self.closed = threading.Event()
        self.detour: Callable[[str], str] = lambda url: url

    def open(self, url: str) -> bool:
        # not `requests`, whose log would show the code: a browser's address bar does too
        with urllib.request.urlopen(self.detour(url), timeout=10) as response:
            self.text = response.read().decode()
            self.headers = response.headers
        self.closed.set()
        return True

    @property
    def last(self) -> Browser:
        assert self.closed.wait(10)
        return self


@pytest.fixture
def browser(monkeypatch: pytest.MonkeyPatch) -> Browser:
    """Stands in for the browser of the user's desk; real ones are in test_login."""
    fake = Browser()
    monkeypatch.setattr(webbrowser, "open", fake.open)
    return fake


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]
    monkeypatch.setenv("TAP_QONTO_LOGIN_PORT", str(free))
    return free


def authorization(result: Result) -> dict[str, str]:
    address = re.search(r"^  (http\S+/oauth2/auth\S+)$", result.output, re.MULTILINE)[1]
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}


# Login


@pytest.mark.usefixtures("port")
def test_a_login_ends_with_a_session_a_list_and_a_friendly_page(
    run: Callable[..., Result], browser: Browser, settings: Callable[..., Settings]
) -> None:
    result = run("login")
    assert result.exit_code == 0
    assert "2 organizations:\n  Atelier Brindille  owner       0000" in result.output
    asked = authorization(result)
    assert asked["identity_type"] == "user"
    assert asked["response_type"] == "code"
    assert {"user_organization.read", "offline_access"} < set(asked["scope"].split())
    assert len(asked["state"]) > 40
    assert "You are logged in" in browser.last.text
    assert "Moulin &lt;Bio&gt;" in browser.last.text
    assert "default-src 'none'" in browser.last.headers["Content-Security-Policy"]
    assert browser.last.headers["Referrer-Policy"] == "no-referrer"
    session = open_store(settings()).load().session
    assert session.consented_at == session.refreshed_at
    assert authenticator_for(settings()).flow == "user"


@pytest.mark.usefixtures("port", "browser")
def test_a_new_login_shows_who_came_and_who_went(
    run: Callable[..., Result], server: TokenServer, browser: Browser
) -> None:
    run("login")
    server.organizations = [
        ORGANIZATIONS[1],
        {"id": "new", "name": "Neue GmbH", "membership_role": "admin"},
    ]
    browser.closed.clear()
    result = run("login")
    assert "+ Neue GmbH" in result.output
    assert "No longer in the consent" in result.output
    assert "- Atelier Brindille" in result.output
    assert "No longer: Atelier Brindille." in browser.last.text
    assert "Neue GmbH</b> <small>new</small>" in browser.last.text


@pytest.mark.usefixtures("port")
def test_an_old_seed_in_the_settings_does_not_undo_a_login(
    run: Callable[..., Result],
    browser: Browser,
    server: TokenServer,
    settings: Callable[..., Settings],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seed = server.seed()
    monkeypatch.setenv("TAP_QONTO_REFRESH_TOKEN", seed)
    assert run("login").exit_code == 0
    assert browser.last
    authenticator_for(settings(refresh_token=seed)).session()
    assert server.refreshes == 0


@pytest.mark.usefixtures("port")
@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ({"error": "access_denied"}, "The consent was declined on Qonto's page."),
        (
            {
                "error": "invalid_scope",
                "error_description": "The OAuth 2.0 client is not allowed to request scope "
                "'card.read'.",
            },
            "does not let this application ask for card.read.",
        ),
        (
            {"error": "invalid_scope", "error_description": "'user_organization.read' not allowed"},
            "not approved this application for the user flow",
        ),
        ({"error": "invalid_scope"}, "it does not say which"),
        ({"error": "unauthorized_client"}, "login --membership"),
        ({"error": "server_error"}, "answers server_error"),
        ({"error": "<script>", "error_description": "x"}, "answers an unknown error"),
        ({"nothing": ""}, "neither a code nor an error"),
        ({"code": "made-up"}, "older than 10 minutes"),
    ],
)
def test_what_the_consent_server_refuses_is_explained_here_and_in_the_browser(
    run: Callable[..., Result],
    browser: Browser,
    server: TokenServer,
    answer: dict[str, str],
    sentence: str,
) -> None:
    server.consent = answer
    result = run("login")
    assert result.exit_code == 3
    assert sentence in result.output
    assert "a session that you had lives on" in result.output
    assert "The login did not work" in browser.last.text
    assert "<script>" not in browser.last.text
    assert "There is no session" in run("status").output


@pytest.mark.usefixtures("port", "browser")
def test_the_command_without_a_refused_scope_can_be_copied(
    run: Callable[..., Result], server: TokenServer
) -> None:
    server.consent = {"error": "invalid_scope", "error_description": "scope card.read is not"}
    command = re.search(r'tap-qonto-auth login --scope "([^"]+)"', run("login").output)
    assert "card.read" not in command[1]
    server.consent = {}
    result = run("login", "--scope", command[1])
    assert result.exit_code == 0
    assert "card.read" not in authorization(result)["scope"]


@pytest.mark.usefixtures("port")
def test_without_offline_access_no_session_is_begun(
    run: Callable[..., Result], browser: Browser, settings: Callable[..., Settings]
) -> None:
    browser.detour = lambda url: url.replace("offline_access", "")
    result = run("login")
    assert result.exit_code == 3
    assert "switch on the scope offline_access" in result.output
    assert open_store(settings()).load().session is None


def test_an_answer_with_another_state_is_not_taken_and_ours_still_is(
    run: Callable[..., Result], browser: Browser, port: int
) -> None:
    stale: list[requests.Response] = []

    def forged_first(url: str) -> str:
        forged = f"http://localhost:{port}/callback?code=forged&state=forged"
        stale.append(requests.get(forged, timeout=10))
        stale.append(requests.get(f"http://127.0.0.1:{port}/favicon.ico", timeout=10))
        return url

    browser.detour = forged_first
    assert run("login").exit_code == 0
    assert "not the login we wait for" in stale[0].text
    assert stale[1].status_code == 404
    assert "You are logged in" in browser.last.text


def test_a_port_in_use_is_named(run: Callable[..., Result], port: int) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        result = run("login")
    assert result.exit_code == 1
    assert f"Port {port} of this machine can't be used" in result.output


@pytest.mark.usefixtures("browser")
def test_a_store_that_cannot_be_written_ends_the_login_before_it_begins(
    run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAP_QONTO_TOKEN_STORE", "sqlite:////dev/null/sessions.db")
    result = run("login")
    assert result.exit_code == 1
    assert "consent page" not in result.output


@pytest.mark.usefixtures("port")
def test_a_login_is_done_even_if_the_organizations_cannot_be_listed(
    run: Callable[..., Result], browser: Browser, server: TokenServer
) -> None:
    server.organizations = None
    result = run("login")
    assert result.exit_code == 0
    assert "The organizations can't be listed at the moment" in result.output
    assert "You are logged in" in browser.last.text


@pytest.mark.usefixtures("port", "browser")
def test_a_membership_login_asks_for_one_organization(run: Callable[..., Result]) -> None:
    result = run("login", "--membership", "--scope", "organization.read")
    assert result.exit_code == 0
    asked = authorization(result)
    assert asked["scope"].split() == ["offline_access", "organization.read"]
    assert "identity_type" not in asked
    assert "1 organization:\n  Atelier Brindille" in result.output


@pytest.mark.usefixtures("environment")
def test_without_a_browser_the_pasted_address_is_taken(server: TokenServer) -> None:
    child = subprocess.Popen(
        [COMMAND, "login", "--no-browser"], stdin=-1, stdout=-1, stderr=subprocess.STDOUT, text=True
    )
    printed = ""
    while "/oauth2/auth?" not in (line := child.stdout.readline()):
        printed += line
    visit = requests.get(line.strip(), allow_redirects=False, timeout=10)
    rest, _ = child.communicate(visit.headers["Location"] + "\n", timeout=30)
    assert child.returncode == 0, printed + rest
    assert "2 organizations" in rest
    assert MARK not in printed + rest
    assert server.refreshes == 0


@pytest.mark.parametrize(
    "pasted",
    [
        "http://x/callback?code=c&state=s",
        " 'https://x/?state=s&code=c&scope=a+b#_=_'\n",
        "code=c&state=s",
    ],
)
def test_an_address_may_be_pasted_whole_quoted_or_in_part(pasted: str) -> None:
    found = parameters(pasted)
    assert (found["code"], found["state"]) == ("c", "s")


def test_a_pasted_address_of_another_login_is_refused(run: Callable[..., Result]) -> None:
    result = run("login", "--no-browser", typed="http://localhost:8765/callback?code=x&state=y\n")
    assert result.exit_code == 3
    assert "belongs to another login" in result.output


def test_a_redirect_address_elsewhere_is_pasted(run: Callable[..., Result]) -> None:
    result = run("login", "--redirect-uri", "https://example.org/back", typed="nonsense\n")
    assert authorization(result)["redirect_uri"] == "https://example.org/back"
    assert "Paste it here" in result.output


@pytest.mark.usefixtures("port", "browser")
def test_a_wrong_client_secret_is_said_at_login(
    run: Callable[..., Result], server: TokenServer
) -> None:
    server.client_secret = "another"
    result = run("login")
    assert result.exit_code == 1
    assert "client_id or client_secret is not accepted" in result.output


# The other commands


@pytest.fixture
def session(server: TokenServer, settings: Callable[..., Settings]) -> Settings:
    seeded = settings(refresh_token=server.seed())
    authenticator_for(seeded).session()
    return dataclasses.replace(seeded, refresh_token=None)


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
    assert found["flow"] == "user"
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
    server.access_tokens.clear()  # a 401 is mended on the way
    found = json.loads(run("organizations", "--json").output)
    assert [one["role"] for one in found] == ["owner", "admin"]


def test_refresh_renews_a_token_that_is_still_alive(
    run: Callable[..., Result], session: Settings, server: TokenServer
) -> None:
    before = open_store(session).load().session
    result = run("refresh")
    assert re.search(r"would end on \d{4}-\d\d-\d\d \d\d:\d\d UTC", result.output)
    assert open_store(session).load().session.refresh_token != before.refresh_token
    assert server.refreshes == 2


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


def test_the_page_loads_nothing_and_escapes_everything() -> None:
    html = page("<a>", "<b>", organizations=[{"id": "1", "name": "<c>", "role": "<d>"}])
    assert not re.search(r"<[abcd]>", html.replace("<b>&lt;c&gt;</b>", ""))
    assert not re.search(r"https?:|src=|@import|url\(", html)
