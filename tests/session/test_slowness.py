"""A token endpoint that takes its time, a store that is away: waited for, and then gone on.

The answer to a refresh holds the only token that lives on. Who gives up waiting for it, or for a
place to write it to, has lost the session.
"""

from __future__ import annotations

import contextlib
import gzip
import itertools
import signal
import sqlite3
import threading
import time
import tracemalloc
import typing as t

import pytest
from sessions import age, ask, open_session, refused
from taps import catalog_of, read, start
from wire import Wire, reply

from demo.server import running
from tap_qonto.auth import place, refresh, token_endpoint, token_store
from tap_qonto.auth.refresh import open_store
from tap_qonto.auth.token_endpoint import NoAnswer, TokenEndpoint
from tap_qonto.errors import RequestFailed, StoreError
from tap_qonto.settings import Settings

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from token_server import TokenServer

PAIR = b'{"access_token": "a", "refresh_token": "b", "expires_in": %s}'


@contextlib.contextmanager
def answering(answer: t.Any) -> Iterator[TokenEndpoint]:
    """A token endpoint that always answers so."""
    with Wire(lambda _: answer) as wire:
        config = {"client_id": "id", "client_secret": "secret", "oauth_url": wire.url}
        endpoint = TokenEndpoint(Settings.from_config(config))
        try:
            yield endpoint
        finally:
            endpoint.close()


@contextlib.contextmanager
def away(server: TokenServer, settings: Settings, seconds: float) -> Iterator[None]:
    """Let nobody write to the store, from the next answer on, for so long."""
    blocker = sqlite3.connect(open_store(settings).path, check_same_thread=False)
    timer = threading.Timer(seconds, blocker.rollback)

    def leave() -> None:
        server.on_token = None
        blocker.execute("BEGIN EXCLUSIVE")
        timer.start()

    server.on_token = leave
    try:
        yield
    finally:
        timer.join()
        blocker.close()


# -- the token endpoint --------------------------------------------------------------------------


@pytest.mark.slow
def test_an_answer_after_half_a_minute_is_waited_for(
    server: TokenServer, session: Settings
) -> None:
    age(session, 3600)
    server.delay = (0, 35)
    open_session(session).session()
    server.delay, server.grace = (0, 0), 0
    assert ask(server, open_session(session)).status_code == 200
    assert server.refreshes == 1


@pytest.mark.slow
@pytest.mark.usefixtures("short_grace")
def test_an_attempt_that_outlasted_the_grace_is_repeated_once(
    server: TokenServer, session: Settings
) -> None:
    """As behind a proxy that gives up after a minute, though the token was used a moment ago."""
    age(session, 3600)
    server.delay, server.faults = (0, 0.7), ["503 after"]
    open_session(session).session()
    assert server.refreshes == 2
    age(session, 3600)
    server.faults = ["503 after"] * 9
    with refused(RequestFailed, "answered 503"):
        open_session(session).session()
    assert server.refreshes == 4


def test_the_end_of_a_run_does_not_end_a_refresh_whose_answer_was_lost(
    server: TokenServer, session: Settings
) -> None:
    class Closed(Exception):  # noqa: N818 - as the rate limiter's
        pass

    def before_request() -> None:
        if server.refreshes:
            raise Closed

    age(session, 3600)
    server.faults = ["cut after"]
    open_session(session, before_request=before_request).session()
    server.grace = 0
    assert ask(server, open_session(session)).status_code == 200


@pytest.mark.slow
def test_a_signal_while_the_answer_is_late_saves_the_session_first(
    store: str, tmp_path: Path
) -> None:
    catalog = catalog_of("labels")
    with running(organizations=1, transactions=0, gates=False) as qonto:
        config = qonto.config(token_store=store)
        late = qonto.faults.add("stall", path="/oauth2/token", seconds=8, times=1)
        process = start(tmp_path, config=config, catalog=catalog)
        while not late.struck:
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        log = process.communicate(timeout=60)[1].decode()
        assert process.returncode == 143
        assert "Waiting for the response to a refresh" in log
        qonto.clock.advance(120)  # the used token has ended
        assert read(config, catalog=catalog).code == 0


@pytest.mark.parametrize(
    "answer",
    [
        [b"HTTP/1.1 200 OK\r\nX-Odd: ", *itertools.chain(*[(b"x", 0.05)] * 40)],
        [reply(b" " * 3000)[:-3000], *itertools.chain(*[(b" ", 0.05)] * 40)],
    ],
    ids=["header", "body"],
)
def test_an_answer_that_drips_has_an_end(answer: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_endpoint, "WHOLE", 0.4)
    with answering(answer) as endpoint, pytest.raises(NoAnswer, match="took too long") as caught:
        endpoint.refresh("a token")
    assert caught.value.spent


@pytest.mark.parametrize(
    "value",
    ["1" + "0" * 400, "9" * 6000, "-1", "0", "true", '"soon"', "1e300", "NaN", "null", "[]"],
    ids=lambda value: value[:8],
)
def test_an_absurd_lifetime_is_as_if_not_told(value: str) -> None:
    with answering(reply(PAIR % value.encode())) as endpoint:
        grant = endpoint.refresh("a token")
    assert (grant.expires_in, grant.access_token, grant.refresh_token) == (3600, "a", "b")


@pytest.mark.parametrize(("value", "seconds"), [("60", 60), ('"1800"', 1800), ("7200.5", 7200.5)])
def test_a_lifetime_that_can_be_is_believed(value: str, seconds: float) -> None:
    with answering(reply(PAIR % value.encode())) as endpoint:
        assert endpoint.refresh("a token").expires_in == seconds


@pytest.mark.parametrize("body", [b" " * 64 * 2**20, b"[" * 2**19], ids=["spaces", "brackets"])
def test_a_bomb_in_place_of_a_token_takes_no_memory(body: bytes) -> None:
    bomb = gzip.compress(body)
    with answering(reply(bomb, Content_Encoding="gzip")) as endpoint:
        tracemalloc.start()
        try:
            with pytest.raises(NoAnswer):
                endpoint.refresh("a token")
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < 16 * 2**20


# -- the store -----------------------------------------------------------------------------------


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that is away is tried for half a minute, five times a second."""
    monkeypatch.setattr(place, "BUSY_WAIT", 0.1)
    monkeypatch.setattr(refresh, "STORE_AWAY", 30)
    monkeypatch.setattr(refresh, "SAVE_AGAIN", 0.2)


@pytest.mark.usefixtures("patient")
def test_a_store_that_is_away_at_the_end_is_tried_until_it_is_back(
    server: TokenServer, session: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    age(session, 3600)
    with away(server, session, 1.5):
        auth = open_session(session)
        auth.session()
        auth.close()
    assert "trying for up to 30 seconds" in caplog.text
    server.grace = 0
    assert ask(server, open_session(session)).status_code == 200
    assert server.refreshes == 1


@pytest.mark.usefixtures("patient")
def test_a_store_that_is_away_in_mid_run_is_waited_for(
    server: TokenServer, session: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    auth = open_session(session)
    token = auth.session().access_token
    blocker = sqlite3.connect(open_store(session).path, check_same_thread=False)
    blocker.execute("BEGIN EXCLUSIVE")
    timer = threading.Timer(1.0, blocker.rollback)
    timer.start()
    auth.refresh(f"Bearer {token}")
    timer.join()
    blocker.close()
    assert "database is locked" in caplog.text
    assert ask(server, auth).status_code == 200
    assert server.refreshes == 1


@pytest.mark.usefixtures("patient")
def test_a_store_that_is_away_at_the_start_is_told_at_once(
    server: TokenServer, session: Settings
) -> None:
    age(session, 3600)
    blocker = sqlite3.connect(open_store(session).path)
    blocker.execute("BEGIN EXCLUSIVE")
    with refused(StoreError, "database is locked"):
        open_session(session).session()
    blocker.rollback()
    blocker.close()
    assert server.refreshes == 0


def test_the_lock_outlasts_every_answer() -> None:
    """Else another process would spend the same token, long after its grace."""
    longest = sum(token_endpoint.TIMEOUT) + token_endpoint.WHOLE + refresh.GRACE
    assert longest < token_store.LOCK_HOLD < token_store.LOCK_WAIT
