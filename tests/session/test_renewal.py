"""When a refresh goes wrong: answers that get lost, refusals, and writes that fail."""

from __future__ import annotations

import dataclasses
import sqlite3
import time
import typing as t

import pytest
from sessions import age, age_of_intent, ask, interrupt, open_session, refused, together
from token_server import MARK, TokenServer

from tap_qonto.auth import place, refresh
from tap_qonto.auth.refresh import GRACE, open_store
from tap_qonto.errors import LoginRequired, RequestFailed, SettingsError, StoreError

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tap_qonto.settings import Settings

    MakeSettings = Callable[..., Settings]


# The answer that got lost


@pytest.mark.parametrize("fault", ["cut before", "cut after", "503 before", "503 after"])
def test_a_lost_answer_is_asked_for_again_with_the_same_token(
    server: TokenServer, session: Settings, fault: str
) -> None:
    server.faults = [fault]
    age(session, 3600)
    assert ask(server, open_session(session)).status_code == 200
    assert len({request["form"]["refresh_token"] for request in server.requests}) == 1
    assert server.refreshes == 2


def test_an_answer_cut_short_is_asked_for_again(server: TokenServer, session: Settings) -> None:
    server.faults = ["truncated"]
    age(session, 3600)
    assert ask(server, open_session(session)).status_code == 200


@pytest.mark.usefixtures("short_grace")
def test_after_the_grace_nothing_is_repeated(server: TokenServer, session: Settings) -> None:
    server.faults = ["503 before"] * 20
    age(session, 3600)
    with refused(RequestFailed, r"answered 503.* Run again"):
        open_session(session).session()
    assert 2 <= server.refreshes < 20  # the waits between them are random
    server.requests.clear()
    age_of_intent(session, 60)
    with refused(RequestFailed, "answered 503"):
        open_session(session).session()
    assert server.refreshes == 1
    server.faults.clear()
    assert ask(server, open_session(session)).status_code == 200


@pytest.mark.usefixtures("short_grace")
def test_a_budget_that_outlasts_the_grace_spends_no_token(
    server: TokenServer, session: Settings
) -> None:
    """Long after the first use, a repetition would look to the server like a stolen token."""
    server.faults = ["cut after"]
    age(session, 3600)
    waits = iter([0, 0.6])
    with refused(RequestFailed, "broke off"):
        open_session(session, before_request=lambda: time.sleep(next(waits))).session()
    assert server.refreshes == 1


@pytest.mark.usefixtures("short_grace")
def test_a_failed_refresh_is_not_tried_again_by_every_thread(
    server: TokenServer, session: Settings
) -> None:
    server.faults = ["503 before"] * 40
    age(session, 3600)
    auth = open_session(session)

    def fails() -> str:
        with refused(RequestFailed, "answered 503"):
            auth.session()
        return "failed"

    assert together(16, fails) == ["failed"] * 16
    assert server.refreshes <= 5  # of one thread, within its grace
    auth.refresher._failed = None  # 30 seconds later
    server.faults.clear()
    assert ask(server, auth).status_code == 200


@pytest.mark.usefixtures("short_grace")
def test_an_unreachable_server_costs_nothing(server: TokenServer, session: Settings) -> None:
    age(session, 3600)
    store = open_store(session)
    deaf = dataclasses.replace(session, token_store=session.token_store)
    auth = open_session(deaf)
    auth.refresher.endpoint.url = "http://127.0.0.1:9/oauth2/token"
    with refused(RequestFailed, r"can't be reached\. The session is unharmed"):
        auth.session()
    assert store.load().intent is None
    assert ask(server, open_session(session)).status_code == 200


def test_a_refresh_killed_within_the_grace_is_repeated(
    server: TokenServer, session: Settings
) -> None:
    age(session, 3600)
    interrupt(session, server, ago=GRACE - 20, spent=True)
    assert ask(server, open_session(session)).status_code == 200


def test_a_refresh_killed_before_the_token_was_spent_is_repeated_at_any_time(
    server: TokenServer, session: Settings
) -> None:
    age(session, 3600)
    interrupt(session, server, ago=20 * 3600, spent=False)
    assert ask(server, open_session(session)).status_code == 200


def test_a_refresh_killed_long_ago_says_exactly_what_happened_each_time(
    server: TokenServer, session: Settings
) -> None:
    age(session, 3600)
    interrupt(session, server, ago=14 * 60 + 5, spent=True)
    for _ in range(2):
        with refused(
            LoginRequired,
            r"A refresh that began 14 minutes ago \(.* UTC\) was interrupted before its "
            r"response was stored, .* run `tap-qonto-auth login`",
        ):
            open_session(session).session()
    assert LoginRequired.exit_code == 3


# Refusals


def test_a_refused_refresh_token_names_the_login_command(
    server: TokenServer, session: Settings
) -> None:
    age(session, 3 * 86400 + 60)
    server.refresh_tokens.clear()
    for _ in range(2):  # the second run has the same to say
        with refused(
            LoginRequired,
            r"Qonto ended the session \(\w{6}\), last refreshed 3 days ago: the consent was "
            "withdrawn.*`tap-qonto-auth login`",
        ):
            open_session(session).session()
    assert server.refreshes == 2


def test_a_session_past_its_ninety_days_is_named_so(server: TokenServer, session: Settings) -> None:
    age(session, 97 * 86400 + 60)
    server.refresh_tokens.clear()
    with refused(LoginRequired, "97 days ago: it ended after 90 days without a refresh"):
        open_session(session).session()


def test_after_a_refusal_the_store_is_read_once_more(
    server: TokenServer, session: Settings
) -> None:
    """As on a network disk whose locks do not hold: somebody wrote past ours."""
    age(session, 3600)
    store = open_store(session)
    current = store.load().session
    server.revoke(server.refresh_tokens[current.refresh_token].session)
    pair = server.spend(server.seed())

    def write_past_the_lock() -> None:
        now = store.load().now
        store.save(
            dataclasses.replace(
                current,
                access_token=pair["access_token"],
                refresh_token=pair["refresh_token"],
                expires_at=now + 3600,
                refreshed_at=now,
            )
        )

    server.on_token = write_past_the_lock
    assert ask(server, open_session(session)).status_code == 200
    assert server.refreshes == 1


def test_a_wrong_client_secret_is_not_mistaken_for_a_lost_session(
    server: TokenServer, session: Settings
) -> None:
    age(session, 3600)
    server.client_secret = "changed in the developer portal"
    with refused(SettingsError, r"client_id or client_secret is not accepted .*unharmed"):
        open_session(session).session()
    server.client_secret = str(session.client_secret)
    assert ask(server, open_session(session)).status_code == 200


def test_a_store_from_another_client_secret_says_so_and_asks_nobody(
    server: TokenServer, session: Settings
) -> None:
    other = dataclasses.replace(session, client_secret=f"{MARK}-another")
    with refused(StoreError, r"was written with another client secret.*set client_secret"):
        open_session(other).session()
    assert server.requests == []
    assert ask(server, open_session(session)).status_code == 200


@pytest.mark.usefixtures("short_grace")
@pytest.mark.parametrize(
    ("fault", "sentence"),
    [("html", "web page instead of a token.*staging_token"), ("redirect", "answered 307")],
)
def test_a_web_page_instead_of_a_token_is_explained(
    server: TokenServer, session: Settings, fault: str, sentence: str
) -> None:
    age(session, 3600)
    server.faults = [fault]
    with refused(RequestFailed, sentence):
        open_session(session).session()
    assert len(server.requests) == 1  # no secret went to the address of a redirect
    assert ask(server, open_session(session)).status_code == 200


def test_the_request_is_form_encoded_with_the_staging_token_and_nothing_of_a_netrc(
    server: TokenServer, session: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password else")
    monkeypatch.setenv("NETRC", str(netrc))
    age(session, 3600)
    staged = dataclasses.replace(session, staging_token=f"{MARK}-staging")
    open_session(staged).session()
    headers = server.requests[0]["headers"]
    assert headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert headers["X-Qonto-Staging-Token"] == f"{MARK}-staging"
    assert "Authorization" not in headers


# The write that fails


def test_a_pair_that_cannot_be_written_is_used_and_written_later(
    server: TokenServer,
    session: Settings,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(place, "BUSY_WAIT", 0.1)  # not 15 seconds
    age(session, 3600)
    blocker = sqlite3.connect(open_store(session).path, check_same_thread=False)
    server.on_token = lambda: blocker.execute("BEGIN EXCLUSIVE")  # between request and write
    auth = open_session(session)
    assert ask(server, auth).status_code == 200
    assert "database is locked" in caplog.text
    with refused(StoreError, "new tokens could not be written"):
        auth.close()
    blocker.rollback()
    blocker.close()
    server.on_token = None
    monkeypatch.setattr(refresh, "SAVE_AGAIN", 0)
    auth.refresher._save_at = 0
    assert ask(server, auth).status_code == 200  # asking for the token is enough
    auth.close()
    assert ask(server, open_session(session)).status_code == 200
    assert server.refreshes == 1


def test_a_pair_in_memory_is_renewed_from_memory(
    server: TokenServer, session: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(place, "BUSY_WAIT", 0.1)
    age(session, 3600)
    blocker = sqlite3.connect(open_store(session).path, check_same_thread=False)
    begin = iter(["BEGIN EXCLUSIVE"])  # at the first refresh only
    server.on_token = lambda: [blocker.execute(statement) for statement in begin]
    auth = open_session(session)
    rejected = f"Bearer {auth.session().access_token}"
    auth.refresh(rejected)
    assert ask(server, auth).status_code == 200
    assert server.refreshes == 2
    blocker.rollback()
    blocker.close()
    auth.close()
    assert ask(server, open_session(session)).status_code == 200


def test_a_pair_in_memory_does_not_replace_a_newer_login(
    server: TokenServer, session: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(place, "BUSY_WAIT", 0.1)
    age(session, 3600)
    store = open_store(session)
    blocker = sqlite3.connect(store.path, check_same_thread=False)
    server.on_token = lambda: blocker.execute("BEGIN EXCLUSIVE")
    auth = open_session(session)
    auth.session()
    blocker.rollback()
    blocker.close()
    newer = dataclasses.replace(store.load().session, refreshed_at=store.load().now + 5)
    with store.locked():
        store.save(newer)
    auth.close()
    assert store.load().session == newer
