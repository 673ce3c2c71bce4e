"""`tap-qonto-auth login`, with a browser that is a program: consent, errors, what is pasted."""

from __future__ import annotations

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
from sessions import COMMAND
from token_server import MARK, ORGANIZATIONS, TokenServer

from tap_qonto.auth.authenticator import authenticator_for
from tap_qonto.auth.refresh import open_store
from tap_qonto.cli.authorization import parameters
from tap_qonto.cli.page import page

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result

    from tap_qonto.settings import Settings


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
        free = int(probe.getsockname()[1])
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


@pytest.mark.usefixtures("port", "browser")
def test_what_qonto_has_to_approve_is_said_before_the_consent_page_is_opened(
    run: Callable[..., Result],
) -> None:
    said, _, _ = run("login").output.partition("Open Qonto's consent page")
    assert "Qonto has to approve organization.read for your application, which takes days" in said
    command = re.search(r"tap-qonto-auth (login --scope \w+)", said)
    result = run(*command[1].split())
    assert "organization.read" not in authorization(result)["scope"].split()
    assert "client_invoices.read" in authorization(result)["scope"]
    assert "has to approve" not in result.output


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


def test_what_is_no_answer_is_asked_for_again(
    run: Callable[..., Result], server: TokenServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The address is typed after it was shown, so the input is made as it is read."""
    shown: list[str] = []
    monkeypatch.setattr("click.echo", lambda text="", **_: shown.append(str(text)))
    asked = iter(["", "http://localhost:8765/callback?code=x&state=other", None])

    def typed(_: str) -> str:
        text = next(asked)
        if text is not None:
            return text or "nonsense"
        url = next(one.strip() for one in shown if "/oauth2/auth?" in one)
        back = requests.get(url, allow_redirects=False, timeout=10)
        return back.headers["Location"]

    monkeypatch.setattr("click.prompt", typed)
    assert run("login", "--no-browser").exit_code == 0
    output = "\n".join(shown)
    assert "That is no address with an answer of Qonto: copy all of it" in output
    assert "This response belongs to another login" in output
    assert "Logged in." in output
    assert server.refresh_tokens


@pytest.mark.usefixtures("port", "browser")
def test_the_login_says_that_it_waits_and_for_how_long(run: Callable[..., Result]) -> None:
    result = run("login")
    assert result.exit_code == 0
    assert "Waiting for your consent, for 10 minutes at most; Ctrl+C ends it." in result.output


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


def test_the_page_loads_nothing_and_escapes_everything() -> None:
    html = page("<a>", "<b>", organizations=[{"id": "1", "name": "<c>", "role": "<d>"}])
    assert not re.search(r"<[abcd]>", html.replace("<b>&lt;c&gt;</b>", ""))
    assert not re.search(r"https?:|src=|@import|url\(", html)
