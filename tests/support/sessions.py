"""What a test does to a session: use it, age it, interrupt it."""

from __future__ import annotations

import contextlib
import dataclasses
import sqlite3
import sys
import threading
import traceback
import typing as t
from pathlib import Path

import pytest
import requests
from token_server import MARK

from tap_qonto.auth.authenticator import QontoAuthenticator, authenticator_for
from tap_qonto.auth.refresh import open_store

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from token_server import TokenServer

    from tap_qonto.errors import QontoError
    from tap_qonto.settings import Settings

COMMAND = str(Path(sys.executable).with_name("tap-qonto-auth"))


def open_session(settings: Settings, **options: t.Any) -> QontoAuthenticator:
    """Start what is, as far as the session goes, a new process."""
    return t.cast("QontoAuthenticator", authenticator_for(settings, **options))


def ask(server: TokenServer, auth: QontoAuthenticator) -> requests.Response:
    return requests.get(f"{server.url}/v2/user_organizations", auth=auth, timeout=10)


def age(settings: Settings, seconds: float, **changes: t.Any) -> None:
    """Make the stored session `seconds` older."""
    store = open_store(settings)
    with store.locked():
        session = store.load().session
        store.save(
            dataclasses.replace(
                session,
                expires_at=session.expires_at - seconds,
                refreshed_at=session.refreshed_at - seconds,
                **changes,
            )
        )


def age_of_intent(settings: Settings, seconds: float) -> None:
    with sqlite3.connect(open_store(settings).path) as database:
        database.execute("UPDATE oauth_sessions SET intent_at = intent_at - ?", [seconds])
    database.close()


def interrupt(settings: Settings, server: TokenServer, *, ago: float, spent: bool) -> None:
    """Leave behind what a process leaves that was killed in a refresh `ago` seconds ago."""
    store = open_store(settings)
    with store.locked():
        stored = store.load()
        store.begin(stored.session.refresh_token, stored.now - ago)
    if spent:
        server.spend(stored.session.refresh_token)
        server.refresh_tokens[stored.session.refresh_token].used_at -= ago


@contextlib.contextmanager
def refused(kind: type[QontoError], match: str) -> Iterator[None]:
    """Expect an error, with no secret in it or in what it came from."""
    with pytest.raises(kind, match=match) as caught:
        yield
    assert MARK not in "".join(traceback.format_exception(caught.value))


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
