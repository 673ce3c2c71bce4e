"""The whole login in a real browser: at an OAuth server that nobody here wrote, and at the demo's.

LOGIN_PICTURE=docs/images/login.png pytest -m slow tests/session/test_login.py -k demo
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import re
import shutil
import socket
import subprocess
import threading
import typing as t
from pathlib import Path

import pytest
from sessions import COMMAND
from token_server import CLIENT_ID, CLIENT_SECRET, MARK, ORGANIZATIONS

from tap_qonto.cli.authorization import default_scopes

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
NODE = Path(__file__).parents[1] / "support" / "node"
ALLOWED = "offline_access user_organization.read organization.read client.read"
SIGN_IN = [["fill", "input[name=login]", "me"], ["fill", "input[name=password]", "any"]]
SIGN_IN += [["click", "button[type=submit]"]]
CONSENT = [*SIGN_IN, ["wait", "text=Authorize"], ["click", "button[type=submit]"]]
CANCEL = [*SIGN_IN, ["click", "text=Cancel"]]


@pytest.fixture(scope="session")
def node() -> str:
    """Node with the packages of `node/package-lock.json`."""
    found, npm = shutil.which("node"), shutil.which("npm")
    if not found or not npm:
        pytest.skip("no Node on this machine: apt-get install nodejs npm")
    if not (NODE / "node_modules" / "oidc-provider").exists():
        installed = subprocess.run([npm, "ci"], cwd=NODE, capture_output=True, check=False)
        if installed.returncode:
            pytest.skip("npm could not install oidc-provider and playwright-core")
    return found


@pytest.fixture(scope="session")
def chromium() -> str:
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    pytest.skip("no Chromium on this machine: apt-get install chromium")


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return t.cast("int", probe.getsockname()[1])


class Login(t.NamedTuple):
    code: int
    output: str
    page: str


@pytest.fixture
def log_in(node: str, chromium: str, tmp_path: Path, port: int) -> Callable[..., Login]:
    """Run `tap-qonto-auth login`, which opens a browser in which somebody does `steps`."""

    def log_in(
        url: str,
        steps: list[list[str]],
        *arguments: str,
        picture: Path | None = None,
        **settings: str,
    ) -> Login:
        text = tmp_path / "page.txt"
        text.unlink(missing_ok=True)
        config = {
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "oauth_url": url,
            "api_url": url,
            "token_store": f"sqlite:///{tmp_path / 'sessions.db'}",
            "login_port": str(port),
        } | settings
        environment = os.environ | {
            **{f"TAP_QONTO_{name.upper()}": value for name, value in config.items()},
            "BROWSER": f"{node} {NODE / 'browser.mjs'} %s",
            "CHROMIUM": chromium,
            "LOGIN_STEPS": json.dumps(steps),
            "LOGIN_TEXT": str(text),
            "LOGIN_PICTURE": str(picture or ""),
        }
        done = subprocess.run(
            [COMMAND, *(arguments or ["login"])],
            env=environment,
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        assert MARK not in done.stdout
        return Login(done.returncode, done.stdout, text.read_text() if text.exists() else "")

    return log_in


@pytest.fixture
def provider(node: str, port: int) -> Iterator[str]:
    """`oidc-provider` with this client; its address."""
    settings = {
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "redirect_uri": f"http://localhost:{port}/callback",
        "scope": ALLOWED,
        "known_scopes": " ".join({*ALLOWED.split(), *default_scopes()}),
        "organizations": ORGANIZATIONS,
    }
    server = subprocess.Popen(
        [node, str(NODE / "provider.mjs"), json.dumps(settings)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    lines: queue.Queue[str] = queue.Queue()
    reader = threading.Thread(target=lambda: [lines.put(line) for line in server.stdout])
    reader.start()
    try:
        with contextlib.suppress(queue.Empty):
            while not (line := lines.get(timeout=60)).startswith("http"):
                pass
        yield line.strip()
    finally:
        server.terminate()
        server.wait()
        reader.join()
        server.stdout.close()


def test_a_login_at_a_third_partys_server_and_its_rotating_tokens(
    provider: str, log_in: Callable[..., Login]
) -> None:
    done = log_in(provider, CONSENT, "login", "--scope", "organization.read client.read")
    assert done.code == 0, done.output
    assert "Moulin <Bio>" in done.output
    assert "You are logged in" in done.page
    assert "Moulin <Bio>" in done.page
    for _ in range(3):  # each of which ends the token before
        assert log_in(provider, [], "refresh").code == 0
    assert "Atelier Brindille" in log_in(provider, [], "organizations").output
    status = log_in(provider, [], "status", "--json")
    assert json.loads(status.output)["status"] == "alive"
    assert "organization.read" in json.loads(status.output)["scopes"]
    ended = log_in(provider, [], "logout", "--yes")
    assert "did not confirm" not in ended.output  # RFC 7009, as the third party implements it


def test_a_third_partys_refusal_of_a_scope_names_it(
    provider: str, log_in: Callable[..., Login]
) -> None:
    done = log_in(provider, [], "login")
    assert done.code == 3, done.output
    assert re.search(r"does not let this application ask for [a-z_.]+\.read", done.output)
    assert "The login did not work" in done.page


def test_a_cancelled_consent_at_a_third_partys_server_changes_nothing(
    provider: str, log_in: Callable[..., Login]
) -> None:
    scope = ["--scope", "organization.read"]
    assert log_in(provider, CONSENT, "login", *scope).code == 0
    done = log_in(provider, CANCEL, "login", *scope)
    assert (done.code, "The consent was declined" in done.output) == (3, True)
    assert log_in(provider, [], "status").code == 0


def test_a_login_at_the_demos_consent_page(log_in: Callable[..., Login], tmp_path: Path) -> None:
    from demo.server import running  # noqa: PLC0415 - the demo's packages may not be installed

    picture = Path(os.environ.get("LOGIN_PICTURE") or tmp_path / "login.png").absolute()
    with running(seed=7, organizations=4, transactions=40) as qonto:
        config = qonto.config()
        settings = {name: config[name] for name in ("client_id", "client_secret")}
        first = log_in(qonto.url, [["click", "button[value=approve]"]], picture=picture, **settings)
        assert first.code == 0, first.output
        assert "4 organizations" in first.output
        assert picture.stat().st_size > 10_000
        gone = qonto.bank.organizations[0]
        fewer = [["uncheck", f"input[value='{gone.id}']"], ["click", "button[value=approve]"]]
        second = log_in(qonto.url, fewer, **settings)
        assert "3 organizations" in second.output
        assert f"- {gone.name}" in second.output
        assert f"No longer: {gone.name}." in second.page
        more = [["check", f"input[value='{gone.id}']"], ["click", "button[value=approve]"]]
        third = log_in(qonto.url, more, **settings)
        assert f"+ {gone.name}" in third.output
        denied = log_in(qonto.url, [["click", "button[value=deny]"]], **settings)
        assert (denied.code, "declined" in denied.page) == (3, True)
        assert log_in(qonto.url, [], "refresh", **settings).code == 0
