"""A running server, and a client that knows how to ask it."""

from __future__ import annotations

import typing as t
from datetime import datetime, timezone

import pytest
import requests

from demo.server import Server, running

if t.TYPE_CHECKING:
    from collections.abc import Iterator

Row = dict[str, t.Any]


class Client:
    """A session of the user flow, one line per question."""

    def __init__(self, server: Server, **issue: t.Any) -> None:
        self.server = server
        self.http = requests.Session()
        self.http.trust_env = False
        self.sign(server.issue(**issue)["access_token"])

    def sign(self, token: str) -> None:
        self.http.headers["Authorization"] = f"Bearer {token}"

    def ask(
        self, path: str, number: int | None = 0, body: t.Any = None, **query: t.Any
    ) -> requests.Response:
        """GET `/v2/{path}` (POST with a `body`) for organization `number`; None: no header.

        In the names of `query`, `__` stands for brackets: `status__=["paid"]` is `status[]=paid`.
        """
        headers = {}
        if number is not None:
            headers["X-Qonto-Organization-Id"] = self.server.bank.organizations[number].id
        return self.http.request(
            "GET" if body is None else "POST",
            f"{self.server.url}/v2/{path}",
            params={name.replace("__", "[]"): value for name, value in query.items()},
            headers=headers,
            json=body,
            timeout=20,
            allow_redirects=False,
        )

    def pages(self, path: str, number: int = 0, **query: t.Any) -> Iterator[Row]:
        """The bodies of all pages, by total_pages."""
        page, last = 1, 1
        while page <= last:
            answer = self.ask(path, number, page=page, **query)
            assert answer.status_code == 200, answer.text
            yield answer.json()
            last = answer.json()["meta"]["total_pages"]
            page += 1

    def close(self) -> None:
        self.http.close()


@pytest.fixture(scope="module")
def shared() -> Iterator[Server]:
    """One server for the tests of a module that change nothing; its rows are of one day."""
    with running(seed=7, now=datetime(2026, 11, 2, 12, tzinfo=timezone.utc)) as server:
        yield server


@pytest.fixture
def server() -> Iterator[Server]:
    """A server of the test's own, small."""
    with running(seed=7, transactions=60) as one:
        yield one


@pytest.fixture(scope="module")
def reader(shared: Server) -> Iterator[Client]:
    client = Client(shared)
    yield client
    client.close()


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    one = Client(server)
    yield one
    one.close()
