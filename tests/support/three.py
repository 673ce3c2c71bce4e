"""A bank of three organizations, and ways to spoil what it answers."""

from __future__ import annotations

import typing as t
from types import SimpleNamespace

import pytest
from taps import Outcome, catalog_of, every, keyed, truth, warehouse

from demo.server import running

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from demo.server import Server

    Config = Callable[..., dict[str, t.Any]]

STREAMS = ("clients", "labels", "teams", "transactions")
CATALOG = catalog_of(*STREAMS)


@pytest.fixture(scope="module")
def bank() -> Iterator[Server]:
    with running(organizations=3, transactions=40, gates=False) as server:
        yield server


@pytest.fixture
def qonto(bank: Server) -> Iterator[Server]:
    yield bank
    bank.faults.clear()
    bank.on_request = None
    bank.options.retired = bank.options.odd = frozenset()
    bank.consent(every(bank))


@pytest.fixture
def second(qonto: Server) -> str:
    """The organization that things go wrong with."""
    return list(every(qonto))[1]


@pytest.fixture
def places(qonto: Server, second: str) -> list[tuple[str, str]]:
    """(Stream, organization) that things go wrong with, a whole list and an account's."""
    return [("labels", second), ("transactions", next(every(qonto)))]


@pytest.fixture
def config(qonto: Server, store: str) -> Config:
    def make(**more: t.Any) -> dict[str, t.Any]:
        return qonto.config(token_store=store, **more)

    return make


@pytest.fixture
def without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries at once: the waits between them are real time and proven elsewhere."""
    monkeypatch.setattr("backoff._sync.time", SimpleNamespace(sleep=lambda _: None))


def granted_little(qonto: Server) -> dict[str, str]:
    """The setting of a session that was granted accounts, and none of the other scopes."""
    scope = "offline_access user_organization.read organization.read"
    return {"refresh_token": qonto.issue(scope=scope)["refresh_token"]}


def assert_whole(qonto: Server, *runs: Outcome, but: Iterable[tuple[str, str]] = ()) -> None:
    """All streams of all organizations are there, `but` those of some (stream, organization)."""
    for stream in STREAMS:
        expected = [
            row
            for one in every(qonto)
            if (stream, one) not in but
            for row in truth(qonto, stream, one)
        ]
        found = warehouse(stream, *runs).items()
        rest = {key: row for key, row in found if (stream, key[0]) not in but}
        assert rest == keyed(stream, expected)


def strike(
    qonto: Server, places: Iterable[tuple[str, str]], kind: str = "status", **facts: t.Any
) -> None:
    """Let a fault strike the list of each (stream, organization)."""
    for stream, organization_id in places:
        qonto.faults.add(kind, path=f"/v2/{stream}$", organization=organization_id, **facts)
