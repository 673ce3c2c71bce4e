"""The authenticators, against a real token server: never two refreshes, never a lost session."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
import requests
from sessions import age, ask, interrupt, open_session, refused, together
from token_server import MARK, SCOPE, TokenServer

from tap_qonto.auth import refresh
from tap_qonto.auth.authenticator import ApiKeyAuthenticator, authenticator_for
from tap_qonto.auth.refresh import open_store
from tap_qonto.errors import LoginRequired, RequestFailed, StoreError

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tap_qonto.settings import Settings

    MakeSettings = Callable[..., Settings]


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
    # whether a place survives is tested with real mounts in test_places
    monkeypatch.setattr(refresh, "survives", lambda _: False)
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
    age(session, 3600 - refresh.AHEAD - 5)
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
    together(16, lambda: auth.refresh(rejected))
    assert ask(server, auth).status_code == 200
    assert server.refreshes == 1


def test_after_a_401_the_token_that_another_process_got_is_used(
    server: TokenServer, session: Settings
) -> None:
    mine, others = open_session(session), open_session(session)
    rejected = f"Bearer {mine.session().access_token}"
    others.refresh(rejected)
    assert ask(server, mine).status_code == 401
    mine.refresh(rejected)
    assert ask(server, mine).status_code == 200
    assert server.refreshes == 1


def test_a_token_request_is_counted_by_the_budget(server: TokenServer, session: Settings) -> None:
    server.faults = ["429"]
    counted: list[int] = []
    age(session, 3600)
    open_session(session, before_request=lambda: counted.append(1)).session()
    assert len(counted) == len(server.requests) == 2


# Clocks


@pytest.mark.parametrize("skew", [-3600, 3600])
def test_a_token_written_by_a_machine_whose_clock_is_an_hour_off_still_works(
    server: TokenServer, session: Settings, skew: int
) -> None:
    age(session, skew)
    auth = open_session(session)
    assert ask(server, auth).status_code == 200
    server.access_tokens.clear()  # and when it really ends, a 401 repairs it
    auth.refresh(f"Bearer {auth.session().access_token}")
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
    ("scope", "granted"),
    [
        (SCOPE, frozenset(SCOPE.split())),
        ("offline_access,organization.read", {"offline_access", "organization.read"}),
        (None, None),
    ],
)
def test_scopes_are_known_as_far_as_they_were_told_and_say_nothing_of_the_flow(
    server: TokenServer, settings: MakeSettings, scope: str | None, granted: t.Any
) -> None:
    server.scope = scope
    seeded = settings(refresh_token=server.seed())
    for _ in range(2):  # from the answer, then from the store
        auth = open_session(seeded)
        assert (auth.flow, auth.granted_scopes) == ("user", granted)
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
        auth.refresh(request.headers["Authorization"])
    auth.close()


def test_the_sdk_can_use_it_like_any_oauth_authenticator(
    server: TokenServer, session: Settings
) -> None:
    auth = open_session(session)
    assert not auth.is_token_valid()
    auth.update_access_token()
    assert auth.is_token_valid()
    assert auth.access_token in server.access_tokens
