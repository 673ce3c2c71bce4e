"""The authenticators, against a real token server: never two refreshes, never a lost session."""

from __future__ import annotations

import dataclasses
import sqlite3
import threading
import time
import typing as t

import pytest
import requests
from sessions import age, age_of_intent, ask, interrupt, open_session, refused
from token_server import MARK, SCOPE, TokenServer

from tap_qonto import renewal, tokens
from tap_qonto.auth import ApiKeyAuthenticator, authenticator_for
from tap_qonto.errors import LoginRequired, RequestFailed, SettingsError, StoreError
from tap_qonto.renewal import GRACE, open_store

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tap_qonto.settings import Settings

    MakeSettings = Callable[..., Settings]


@pytest.fixture
def session(server: TokenServer, settings: MakeSettings) -> Settings:
    """Settings whose store holds a live session, not begun from a seed."""
    seeded = settings(refresh_token=server.seed())
    open_session(seeded).session()
    server.requests.clear()
    return dataclasses.replace(seeded, refresh_token=None)


@pytest.fixture
def short_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits a minute in a test: the client gives up after half a second."""
    monkeypatch.setattr(renewal, "GRACE", 0.5)


# Where tokens come from


def test_a_seed_is_spent_once_and_the_store_carries_on(
    server: TokenServer, settings: MakeSettings
) -> None:
    seeded = settings(refresh_token=server.seed())
    for _ in range(3):
        assert ask(server, open_session(seeded)).status_code == 200
    assert server.refreshes == 1
    age(seeded, 3600)
    assert ask(server, open_session(seeded)).status_code == 200
    assert server.refreshes == 2


def test_a_changed_seed_begins_a_new_session_and_an_old_one_never_again(
    server: TokenServer, settings: MakeSettings
) -> None:
    first, second = settings(refresh_token=server.seed()), settings(refresh_token=server.seed())
    open_session(first).session()
    fresh = open_session(second).session()
    assert server.refreshes == 2
    for again in (first, second, first):  # two machines whose settings differ
        assert open_session(again).session() == fresh
    assert server.refreshes == 2


def test_a_refused_seed_leaves_the_stored_session_alone(
    server: TokenServer, session: Settings
) -> None:
    wrong = dataclasses.replace(session, refresh_token=f"ory_rt_{MARK}_wrong")
    with refused(LoginRequired, "does not accept the configured refresh_token .* is untouched"):
        open_session(wrong).session()
    assert ask(server, open_session(session)).status_code == 200
    assert open_store(session).load().refused_at is None


def test_without_seed_and_session_the_login_command_is_named(settings: MakeSettings) -> None:
    with refused(LoginRequired, r"no session of client .* run `tap-qonto-auth login`"):
        open_session(settings()).session()


def test_nothing_is_asked_or_written_before_a_token_is_needed(
    server: TokenServer, settings: MakeSettings, folder: Path
) -> None:
    auth = open_session(settings(refresh_token=server.seed()))
    auth.close()
    assert not folder.exists()
    assert server.requests == []


def test_a_seed_is_not_spent_if_the_store_cannot_be_written(
    server: TokenServer, settings: MakeSettings
) -> None:
    seeded = settings(refresh_token=server.seed())
    nowhere = dataclasses.replace(seeded, token_store="sqlite:////dev/null/sessions.db")
    with refused(StoreError, "can't be"):
        open_session(nowhere).session()
    assert server.requests == []


def test_a_store_that_dies_with_the_container_is_told_of_before_the_seed_is_spent(
    server: TokenServer,
    settings: MakeSettings,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    # whether a place survives is tested with real mounts in test_tokens
    monkeypatch.setattr(renewal, "survives", lambda _: False)
    spent_before: list[int] = []
    caplog.handler.addFilter(
        lambda record: (
            "ends with this container" not in record.getMessage()
            or spent_before.append(server.refreshes)
            or True
        )
    )
    seeded = settings(refresh_token=server.seed())
    open_session(seeded).session()
    open_session(seeded).session()
    assert spent_before == [0]


# When tokens are renewed


def test_a_token_is_renewed_ahead_of_its_end(server: TokenServer, session: Settings) -> None:
    age(session, 3600 - renewal.AHEAD - 5)
    open_session(session).session()
    assert server.refreshes == 0
    age(session, 10)
    open_session(session).session()
    assert server.refreshes == 1


def test_a_short_lived_token_is_not_renewed_at_every_request(
    server: TokenServer, session: Settings
) -> None:
    server.lifetime = 60
    age(session, 3600)
    auth = open_session(session)
    for _ in range(5):
        assert ask(server, auth).status_code == 200
    assert server.refreshes == 1


def test_sixteen_threads_make_one_refresh(server: TokenServer, session: Settings) -> None:
    age(session, 3600)
    auth = open_session(session)
    assert together(16, lambda: ask(server, auth).status_code) == [200] * 16
    assert server.refreshes == 1


def test_sixteen_threads_that_all_got_a_401_make_one_refresh(
    server: TokenServer, session: Settings
) -> None:
    auth = open_session(session)
    rejected = f"Bearer {auth.session().access_token}"
    server.access_tokens.clear()
    together(16, lambda: auth.renew(rejected))
    assert ask(server, auth).status_code == 200
    assert server.refreshes == 1


def test_after_a_401_the_token_that_another_process_got_is_used(
    server: TokenServer, session: Settings
) -> None:
    mine, others = open_session(session), open_session(session)
    rejected = f"Bearer {mine.session().access_token}"
    others.renew(rejected)
    assert ask(server, mine).status_code == 401
    mine.renew(rejected)
    assert ask(server, mine).status_code == 200
    assert server.refreshes == 1


def test_a_token_request_is_counted_by_the_budget(server: TokenServer, session: Settings) -> None:
    server.faults = ["429"]
    counted: list[int] = []
    age(session, 3600)
    open_session(session, before_request=lambda: counted.append(1)).session()
    assert len(counted) == len(server.requests) == 2


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
    assert 2 <= server.refreshes <= 5
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
    auth.renewal._failed = None  # 30 seconds later
    server.faults.clear()
    assert ask(server, auth).status_code == 200


@pytest.mark.usefixtures("short_grace")
def test_an_unreachable_server_costs_nothing(server: TokenServer, session: Settings) -> None:
    age(session, 3600)
    store = open_store(session)
    deaf = dataclasses.replace(session, token_store=session.token_store)
    auth = open_session(deaf)
    auth.renewal.endpoint.url = "http://127.0.0.1:9/oauth2/token"
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
            r"A refresh that began 14 minutes ago \(.* UTC\) was interrupted before its answer was "
            r"stored, .* run `tap-qonto-auth login`",
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
    server.client_secret = session.client_secret
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
    monkeypatch.setattr(tokens, "BUSY_WAIT", 0.1)  # not 15 seconds
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
    monkeypatch.setattr(renewal, "SAVE_AGAIN", 0)
    auth.renewal._save_at = 0
    assert ask(server, auth).status_code == 200  # asking for the token is enough
    auth.close()
    assert ask(server, open_session(session)).status_code == 200
    assert server.refreshes == 1


def test_a_pair_in_memory_is_renewed_from_memory(
    server: TokenServer, session: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "BUSY_WAIT", 0.1)
    age(session, 3600)
    blocker = sqlite3.connect(open_store(session).path, check_same_thread=False)
    begin = iter(["BEGIN EXCLUSIVE"])  # at the first refresh only
    server.on_token = lambda: [blocker.execute(statement) for statement in begin]
    auth = open_session(session)
    rejected = f"Bearer {auth.session().access_token}"
    auth.renew(rejected)
    assert ask(server, auth).status_code == 200
    assert server.refreshes == 2
    blocker.rollback()
    blocker.close()
    auth.close()
    assert ask(server, open_session(session)).status_code == 200


def test_a_pair_in_memory_does_not_replace_a_newer_login(
    server: TokenServer, session: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "BUSY_WAIT", 0.1)
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


# Clocks


@pytest.mark.parametrize("skew", [-3600, 3600])
def test_a_token_written_by_a_machine_whose_clock_is_an_hour_off_still_works(
    server: TokenServer, session: Settings, skew: int
) -> None:
    age(session, skew)
    auth = open_session(session)
    assert ask(server, auth).status_code == 200
    server.access_tokens.clear()  # and when it really ends, a 401 mends it
    auth.renew(f"Bearer {auth.session().access_token}")
    assert ask(server, auth).status_code == 200


def test_a_server_whose_clock_is_an_hour_off_makes_no_difference(
    server: TokenServer, session: Settings
) -> None:
    for offset in (3600, -3600, 0):
        server.offset = offset
        age(session, 3600)
        assert ask(server, open_session(session)).status_code == 200
    assert server.refreshes == 3


@pytest.mark.usefixtures("short_grace")
def test_an_intent_from_the_future_does_not_lengthen_the_grace(
    server: TokenServer, session: Settings
) -> None:
    age(session, 3600)
    interrupt(session, server, ago=-3600, spent=False)
    server.faults = ["503 before"] * 20
    with refused(RequestFailed, "answered 503"):
        open_session(session).session()
    assert server.refreshes <= 5


# Age, scopes and other ways in


def test_a_session_near_its_end_is_warned_of_once(
    session: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    age(session, 75 * 86400)
    open_session(session).session()
    assert "ends it after 90 days" not in caplog.text
    age(session, 77 * 86400 + 60)
    open_session(session).session()
    warnings = [r.getMessage() for r in caplog.records if "after 90 days" in r.getMessage()]
    assert len(warnings) == 1
    assert "last refreshed 77 days ago; Qonto ends it" in warnings[0]


@pytest.mark.parametrize(
    ("scope", "flow", "granted"),
    [
        (SCOPE, "user", frozenset(SCOPE.split())),
        ("offline_access organization.read", "membership", {"offline_access", "organization.read"}),
        (None, "user", None),
    ],
)
def test_the_flow_follows_from_the_granted_scopes(
    server: TokenServer, settings: MakeSettings, scope: str | None, flow: str, granted: t.Any
) -> None:
    server.scope = scope
    seeded = settings(refresh_token=server.seed())
    for _ in range(2):  # from the answer, then from the store
        auth = open_session(seeded)
        assert (auth.flow, auth.granted_scopes) == (flow, granted)
    server.scope = None  # a refresh that does not repeat the scopes changes nothing
    age(seeded, 3600)
    assert open_session(seeded).granted_scopes == granted


def test_an_api_key_is_sent_as_it_is_and_cannot_be_renewed(
    server: TokenServer, settings: MakeSettings
) -> None:
    key = dataclasses.replace(
        settings(), api_key_login="atelier-1234", api_key_secret=f"{MARK}-key"
    )
    auth = authenticator_for(key)
    assert isinstance(auth, ApiKeyAuthenticator)
    request = requests.Request("GET", server.url, auth=auth).prepare()
    assert request.headers["Authorization"] == f"atelier-1234:{MARK}-key"
    assert (auth.flow, auth.granted_scopes) == ("api_key", None)
    with refused(LoginRequired, "API key of atelier-1234"):
        auth.renew(request.headers["Authorization"])
    auth.close()


def test_the_sdk_can_use_it_like_any_oauth_authenticator(
    server: TokenServer, session: Settings
) -> None:
    auth = open_session(session)
    assert not auth.is_token_valid()
    auth.update_access_token()
    assert auth.is_token_valid()
    assert auth.access_token in server.access_tokens


def together(count: int, work: Callable[[], t.Any]) -> list[t.Any]:
    """Run `work` on threads that start at the same moment."""
    barrier = threading.Barrier(count)
    results: list[t.Any] = []

    def run() -> None:
        barrier.wait()
        results.append(work())

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results
