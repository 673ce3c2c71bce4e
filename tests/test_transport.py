"""The transport against real sockets: what it sends, reads, and never says."""

from __future__ import annotations

import gzip
import logging
import threading
import typing as t
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from email.utils import format_datetime

import pytest
from sending import (
    ASKED,
    BROKEN,
    QUICK,
    SECRET,
    TEXT,
    TOKEN,
    Grant,
    Noted,
    error,
    once,
    sending,
    together,
)
from wire import Call, reply

from tap_qonto.api.rate_limit import RateLimiter, RateLimiterClosed
from tap_qonto.api.responses import Request, decode, verify
from tap_qonto.errors import (
    QontoError,
    SettingsError,
)

# -- what is sent --------------------------------------------------------------------------


def test_a_request_carries_its_organization_and_asks_for_json() -> None:
    with sending(lambda _: reply(b'{"a": 1}')) as (transport, wire):
        request = Request("x", "org-1", "/v2/a b", (("status[]", "a&b"), ("status[]", "c")))
        assert transport.send(request).body == {"a": 1}
    call = wire.calls[0]
    assert call.target == "/v2/a%20b?status%5B%5D=a%26b&status%5B%5D=c"
    assert call.headers["x-qonto-organization-id"] == "org-1"
    assert call.headers["authorization"] == f"Bearer {TOKEN}"
    assert call.headers["x-qonto-staging-token"] == SECRET
    assert call.headers["accept"] == "application/json"
    assert call.headers["user-agent"] == "tap-qonto/0"


def test_a_membership_token_names_no_organization() -> None:
    grant = Grant(TOKEN, flow="membership")
    with sending(lambda _: reply(), grant=grant) as (transport, wire):
        transport.send(ASKED)
    assert "x-qonto-organization-id" not in wire.calls[0].headers


def test_a_search_is_posted_as_json_and_repeated_whole() -> None:
    with sending(once(None)) as (transport, wire):
        transport.send(Request("suppliers", "o", "/v2/suppliers/search", (), "POST", b'{"a":1}'))
    assert [(call.method, call.body) for call in wire.calls] == [("POST", b'{"a":1}')] * 2
    assert wire.calls[1].headers["content-type"] == "application/json"


def test_connections_are_kept_for_the_next_request() -> None:
    with sending(lambda _: reply(b'{"a": "%s"}' % (b"x" * 300_000))) as (transport, wire):
        for _ in range(5):
            transport.send(ASKED)
    assert wire.connections == 1


# -- what is read --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("123456789012345678901234567890", 123456789012345678901234567890),
        ("-18446744073709551617", -18446744073709551617),
        ("0.123456789012345678901234567890", Decimal("0.123456789012345678901234567890")),
        ("10.00", Decimal("10.00")),
        ("1e400", Decimal("1E+400")),
        (r'"\ud800 kept"', "\ufffd kept"),
        (r'"\ude00\ud83d"', "\ufffd\ufffd"),
        (r'"\ud83d\ude00"', "\U0001f600"),
        (r'"\\ud800"', r"\ud800"),
        (r'"a\u0000b"', "ab"),
        (r'"\\u0000"', r"\u0000"),
    ],
)
def test_values_are_read_as_they_were_written(text: str, value: object) -> None:
    with sending(lambda _: reply(b'{"v": %s}' % text.encode())) as (transport, _):
        found = transport.send(ASKED).body["v"]
    assert found == value
    assert type(found) is type(value)
    assert str(found) == str(value)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null and void",
        b"[" * 200_000,
        b'{"a":' * 200_000,
        b"NaN",
        b'"\xff"',
        b"9" * 5000,
        b"1e-99999999999999999999",
        b'{"a": 1}{"b": 2}',
        b'"\\ud8',
    ],
)
def test_what_is_no_json_is_refused_as_such(content: bytes) -> None:
    with pytest.raises((ValueError, RecursionError)):
        decode(content)
    if not content[:1].isdigit() and content != b'"\xff"':  # found by `decode` alone
        with pytest.raises((ValueError, RecursionError)):
            verify(content)


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_may_come_zipped_and_in_chunks(zipped: bool, chunked: bool) -> None:
    text = b'{"a": "%s"}' % (b"0123456789" * 40_000)
    body = gzip.compress(text) if zipped else text
    headers: dict[str, t.Any] = {"Content_Encoding": "gzip"} if zipped else {}

    def answer(_: Call) -> t.Any:
        if not chunked:
            return reply(body, **headers)
        head = reply(**headers, Transfer_Encoding="chunked").replace(b"Content-Length: 2\r\n", b"")
        parts = [body[place : place + 5000] for place in range(0, len(body), 5000)]
        sent = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)
        return head[:-2] + sent + b"0\r\n\r\n"

    with sending(answer) as (transport, wire):
        for _ in range(2):
            assert len(transport.send(ASKED).body["a"]) == 400_000
    assert wire.connections == 1


def test_the_servers_clock_comes_with_the_answer() -> None:
    moment = datetime(2026, 3, 1, 12, 0, 1, tzinfo=timezone.utc)
    with sending(lambda _: reply(date=format_datetime(moment))) as (transport, _):
        assert transport.send(ASKED).date == moment


def test_our_clock_counts_if_the_server_is_ahead_of_it() -> None:
    ahead = format_datetime(datetime.now(timezone.utc) + timedelta(hours=1))
    with sending(lambda _: reply(date=ahead)) as (transport, _):
        before = datetime.now(timezone.utc)
        date = transport.send(ASKED).date
    assert date is not None
    assert before <= date <= datetime.now(timezone.utc)


@pytest.mark.parametrize("date", [None, "yesterday", "Sun, 01 Mar 2026 12:00:00 -0000"])
def test_a_missing_clock_is_told_as_none(date: str | None) -> None:
    with sending(lambda _: reply(date=date)) as (transport, _):
        assert transport.send(ASKED).date is None


# -- the end -------------------------------------------------------------------------------


def test_after_close_nothing_is_sent() -> None:
    with sending(lambda _: reply()) as (transport, wire):
        transport.send(ASKED)
        transport.close()
        with pytest.raises(RateLimiterClosed):
            transport.send(ASKED)
        assert len(wire.calls) == 1


def test_stopping_lets_no_request_start() -> None:
    with sending(lambda _: reply()) as (transport, wire):
        transport.stopping = True
        with pytest.raises(RateLimiterClosed):
            transport.send(ASKED)
        assert not wire.calls


def test_close_wakes_threads_that_wait_for_the_budget() -> None:
    budget = RateLimiter([(1, 600)])
    with sending(lambda _: reply(), limiter=budget) as (transport, wire):
        transport.send(ASKED)
        timer = threading.Timer(0.1, transport.close)
        timer.start()
        results = together(5, lambda _: transport.send(ASKED))
        timer.join()
        assert [type(result) for result in results] == [RateLimiterClosed] * 5
        assert len(wire.calls) == 1


# -- what is never said --------------------------------------------------------------------


@pytest.mark.parametrize("name", [*BROKEN, "401", "429", "403", "422", "302", "404", "gigantic"])
def test_no_message_holds_a_secret_a_body_or_a_query(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    planted = f"{TEXT} {TOKEN}"
    planting = reply(
        error(planted, planted) if name != "gigantic" else planted.encode() * 100_000,
        int(name) if name.isdigit() else 200,
        X_Request_Id=planted,
        Location=planted,
        Retry_After=planted,
    )
    bad = BROKEN.get(name, planting)
    caplog.set_level(logging.DEBUG, logger="tap-qonto")
    patience = QUICK._replace(tries=2, throttled_for=0.05)
    with (
        sending(lambda _: bad, patience=patience, limiter=Noted()) as (transport, _),
        pytest.raises(QontoError) as raised,
    ):
        transport.send(ASKED)
    chain: list[BaseException] = [raised.value]
    while following := (chain[-1].__cause__ or chain[-1].__context__):
        if chain[-1].__suppress_context__ and chain[-1].__cause__ is None:
            break
        chain.append(following)
    told = [*map(repr, chain), *map(str, chain), *(log.getMessage() for log in caplog.records)]
    assert not [text for text in told if "Pl4nted" in text]


@pytest.mark.parametrize("character", ["\n", "\r\nX-Evil: 1", "\u2026"])
@pytest.mark.parametrize("where", ["token", "staging_token"])
def test_a_secret_that_no_header_can_hold_is_not_printed(where: str, character: str) -> None:
    secret = f"Pl4nted{character}Pl4nted"
    grant = Grant(secret if where == "token" else TOKEN)
    staging = secret if where == "staging_token" else SECRET
    with (
        sending(lambda _: reply(), grant=grant, staging_token=staging) as (transport, wire),
        pytest.raises(SettingsError, match="staging_token") as raised,
    ):
        transport.send(ASKED)
    assert "Pl4nted" not in str(raised.value)
    assert not wire.calls
