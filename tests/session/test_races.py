"""Thirty processes start together on an expired token: one refresh, and all go on."""

from __future__ import annotations

import json
import os
import subprocess
import typing as t

import pytest
from runners import processes, start_together
from sessions import COMMAND, age
from token_server import MARK

from tap_qonto.auth.authenticator import authenticator_for

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from token_server import TokenServer

    from tap_qonto.settings import Settings

COUNT = 30
pytestmark = pytest.mark.timeout(300)


def race(settings: Settings) -> list[t.Any]:
    barrier = processes.Barrier(COUNT)
    pipes = [processes.Pipe() for _ in range(COUNT)]
    runners = [
        processes.Process(target=start_together, args=(settings, barrier, theirs))
        for _, theirs in pipes
    ]
    for runner in runners:
        runner.start()
    results = [mine.recv() for mine, _ in pipes]
    for runner in runners:
        runner.join()
    for pair in pipes:
        for end in pair:
            end.close()
    return results


DATABASES = pytest.mark.parametrize(
    "database", ["sqlite", pytest.param("postgres", marks=pytest.mark.slow)]
)


@pytest.fixture
def shared(
    request: pytest.FixtureRequest, database: str, settings: Callable[..., Settings]
) -> Callable[..., Settings]:
    """Settings on either database."""
    more = {"token_store": request.getfixturevalue("postgres")} if database != "sqlite" else {}
    return lambda **others: settings(**more, **others)


@pytest.mark.slow
@DATABASES
def test_thirty_processes_on_an_expired_token_make_one_refresh(
    server: TokenServer, shared: Callable[..., Settings]
) -> None:
    """A second refresh would also end the first one's pair: the server keeps the newest only."""
    authenticator_for(shared(refresh_token=server.seed())).session()
    server.requests.clear()
    age(shared(), 3600)
    assert race(shared()) == [200] * COUNT
    assert server.refreshes == 1


@pytest.mark.slow
@DATABASES
def test_thirty_processes_on_a_fresh_seed_spend_it_once(
    server: TokenServer, shared: Callable[..., Settings]
) -> None:
    assert race(shared(refresh_token=server.seed())) == [200] * COUNT
    assert server.refreshes == 1


@pytest.mark.slow
@DATABASES
def test_thirty_processes_and_a_server_that_loses_its_answers(
    server: TokenServer, shared: Callable[..., Settings]
) -> None:
    authenticator_for(shared(refresh_token=server.seed())).session()
    server.requests.clear()
    for round_ in range(3):
        server.faults = ["cut after", "503 after"]
        age(shared(), 3600)
        assert race(shared()) == [200] * COUNT
        assert server.refreshes == 3 * (round_ + 1)


@pytest.mark.slow
def test_thirty_commands_started_together_all_list_the_organizations(
    server: TokenServer, settings: Callable[..., Settings], postgres: str, folder: Path
) -> None:
    """The real command, in the form in which a scheduler starts it."""
    shared = settings(token_store=postgres)
    authenticator_for(settings(token_store=postgres, refresh_token=server.seed())).session()
    server.requests.clear()
    age(shared, 3600)
    environment = {
        f"TAP_QONTO_{name.upper()}": value
        for name, value in server.config(token_store=postgres).items()
    }
    children = [
        subprocess.Popen(
            [COMMAND, "organizations", "--json"],
            env=os.environ | environment,
            cwd=folder.parent,
            stdout=-1,
            stderr=-1,
            text=True,
        )
        for _ in range(COUNT)
    ]
    for child in children:
        out, err = child.communicate(timeout=250)
        assert MARK not in out + err
        assert (child.returncode, len(json.loads(out or "[]"))) == (0, 2), err
    assert server.refreshes == 1
