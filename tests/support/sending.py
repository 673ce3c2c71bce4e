"""A transport on a real socket, and what answers it."""

from __future__ import annotations

import contextlib
import gzip
import threading
import typing as t

import requests.auth
from wire import Call, Wire, reply

from tap_qonto.api.rate_limit import RateLimiter
from tap_qonto.api.responses import Request
from tap_qonto.api.transport import Patience, Transport
from tap_qonto.errors import (
    LoginRequired,
)
from tap_qonto.settings import Settings

TOKEN, SECRET, TEXT = "token-Pl4nted", "staging-Pl4nted", "body-Pl4nted"
QUICK = Patience(
    connect=1.0, read=0.3, body=0.8, largest=2**20, tries=3, longest_pause=0.01, dead_after=60.0
)
ASKED = Request("labels", "org-1", "/v2/labels", (("name", "query-Pl4nted"),))


class Grant(requests.auth.AuthBase):
    """Signs with the first of `tokens` until it is renewed; with none left, a person must act."""

    def __init__(self, *tokens: str, flow: str = "user") -> None:
        self.tokens = list(tokens)
        self.flow = flow
        self.granted_scopes = None

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self.tokens[0]}"
        return request

    def refresh(self, rejected: str) -> None:
        if rejected == f"Bearer {self.tokens[0]}":
            if len(self.tokens) == 1:
                raise LoginRequired("log in")
            del self.tokens[0]


class Noted(RateLimiter):
    """Notes how long it is put on hold; holds a hundredth of it."""

    def __init__(self) -> None:
        super().__init__([])
        self.holds: list[float] = []

    def hold(self, seconds: float) -> bool:
        self.holds.append(seconds)
        return super().hold(seconds / 100)


@contextlib.contextmanager
def sending(
    answer: t.Callable[[Call], t.Any],
    *,
    patience: Patience = QUICK,
    grant: t.Any = None,
    limiter: RateLimiter | None = None,
    staging_token: str = SECRET,
) -> t.Iterator[tuple[Transport, Wire]]:
    with Wire(answer) as wire:
        settings = Settings.from_config(
            {
                "client_id": "id",
                "client_secret": "secret-Pl4nted",
                "api_url": wire.url,
                "staging_token": staging_token,
                "concurrency": 8,
            }
        )
        grant = grant or Grant(TOKEN)
        transport = Transport(settings, grant, limiter or RateLimiter([]), "tap-qonto/0", patience)
        try:
            yield transport, wire
        finally:
            transport.close()


def once(bad: t.Any, good: bytes = b'{"good": true}') -> t.Callable[[Call], t.Any]:
    """Answer badly, then well."""
    return lambda call: bad if call.number == 0 else reply(good)


def together(count: int, work: t.Callable[[int], object]) -> list[object]:
    """Do `work` on so many threads at once; return what each returned or raised."""
    results: list[object] = [None] * count

    def one(number: int) -> None:
        try:
            results[number] = work(number)
        except BaseException as error:  # noqa: BLE001 - returned
            results[number] = error

    threads = [threading.Thread(target=one, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert not any(thread.is_alive() for thread in threads)
    return results


def error(code: str, detail: str = TEXT) -> bytes:
    return b'{"errors": [{"code": "%s", "detail": "%s"}]}' % (code.encode(), detail.encode())


GOOD = b'{"good": true}'
ZIPPED = gzip.compress(b'{"a": "%s"}' % (b"0123456789" * 1000))
BROKEN: dict[str, t.Any] = {
    "500": reply(TEXT.encode(), 500),
    "502 in HTML": reply(f"<html>{TEXT}</html>".encode(), 502),
    "503": reply(b"", 503),
    "408": reply(b"", 408),
    "cut before the answer": None,
    "cut within the head": [b"HTTP/1.1 200 OK\r\nContent-"],
    "no HTTP at all": [b"\x16\x03\x01 what?\r\n\r\n"],
    "cut within the body": [reply(GOOD)[:-5]],
    "zipped and cut": [reply(ZIPPED, Content_Encoding="gzip")[:-20]],
    "zipped, cut, and its length right": reply(ZIPPED[:-20], Content_Encoding="gzip"),
    "zipped, it says": reply(GOOD, Content_Encoding="gzip"),
    "an empty body": reply(b""),
    "HTML": reply(f"<html>{TEXT}</html>".encode()),
    "half of a JSON": reply(b'{"labels": [{"id'),
    "nested too deeply": reply(b"[" * 100_000),
    "silence": [reply(GOOD)[:-5], 0.5],
    "packed in a way that was not asked for": reply(GOOD, Content_Encoding="br"),
    "a header that drips": [
        b"HTTP/1.1 200 OK\r\nX-Odd: ",
        *[part for _ in range(30) for part in (b"x", 0.05)],
    ],
    "a status line that drips": [
        *[part for _ in range(30) for part in (b"H", 0.05)],
    ],
    "headers without end": [
        b"HTTP/1.1 200 OK\r\n",
        *[part for _ in range(30) for part in (b"X: y\r\n", 0.05)],
    ],
    "100 Continue for ever": [
        *[part for _ in range(30) for part in (b"HTTP/1.1 100 Continue\r\n\r\n", 0.05)],
    ],
    "a body that drips": [
        reply(b" " * 3000)[:-3000],
        *[part for _ in range(30) for part in (b" ", 0.05)],
    ],
}
