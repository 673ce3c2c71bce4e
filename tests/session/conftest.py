"""A token server, a store and settings for each test; and a look for secrets at what it left."""

from __future__ import annotations

import dataclasses
import logging
import os
import tempfile
import typing as t
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from postgres import running_postgres
from sessions import open_session
from token_server import MARK, TokenServer, token_server

from tap_qonto.auth import refresh
from tap_qonto.cli.main import auth
from tap_qonto.settings import Settings

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def server() -> Iterator[TokenServer]:
    with token_server() as book:
        yield book


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Where the store goes: in memory if possible, since every commit waits for the disk."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else tmp_path) as fresh:
        yield Path(fresh) / "store"


@pytest.fixture
def settings(server: TokenServer, folder: Path) -> Callable[..., Settings]:
    """Make settings; by default of the test's server and a SQLite file in `folder`."""

    def make(**more: t.Any) -> Settings:
        store = {"token_store": f"sqlite:///{folder / 'sessions.db'}"}
        return Settings.from_config(server.config(**(store | more)))

    return make


@pytest.fixture
def session(server: TokenServer, settings: Callable[..., Settings]) -> Settings:
    """Settings whose store holds a live session, not begun from a seed."""
    seeded = settings(refresh_token=server.seed())
    open_session(seeded).session()
    server.requests.clear()
    return dataclasses.replace(seeded, refresh_token=None)


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


@pytest.fixture
def short_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits a minute in a test: the client gives up after half a second."""
    monkeypatch.setattr(refresh, "GRACE", 0.5)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a real Postgres of our own."""
    with running_postgres() as url:
        yield url


class Scan(logging.Handler):
    """Looks for the mark of all secrets in every record, of whatever library and level."""

    def __init__(self) -> None:
        super().__init__()
        self.leaks: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if MARK in record.getMessage():
            self.leaks.append(record.name)


@pytest.fixture(autouse=True)
def no_secret_is_left_behind(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Scan every log record, and every file that the test leaves."""
    monkeypatch.setattr(refresh, "PAUSE", 0.05)  # nobody waits for seconds in a test
    monkeypatch.setattr(refresh, "STORE_AWAY", 0)
    for name in [name for name in os.environ if name.startswith("TAP_QONTO_")]:
        monkeypatch.delenv(name)
    scan = Scan()
    talkative = [logging.getLogger(name) for name in ("", "sqlalchemy.engine", "filelock")]
    levels = [logger.level for logger in talkative]
    for logger in talkative:
        logger.setLevel(logging.DEBUG)
        logger.addHandler(scan)
        logger.propagate = False  # statements and rows would bury the report of a failure
    yield
    for logger, level in zip(talkative, levels, strict=True):
        logger.removeHandler(scan)
        logger.setLevel(level)
        logger.propagate = True
    assert not scan.leaks, f"a secret in log records of {scan.leaks}"
    for file in (*tmp_path.rglob("*"), *folder.rglob("*")):
        if file.is_file() and "secret" not in file.name:  # what tests themselves put there
            assert MARK.encode() not in file.read_bytes(), f"a secret in {file.name}"
