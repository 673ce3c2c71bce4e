"""The transport against real sockets: what it retries, what it names, what it never says."""

from __future__ import annotations

import contextlib
import gzip
import logging
import threading
import time
import tracemalloc
import typing as t
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from email.utils import format_datetime

import pytest
import requests.auth
from wire import Call, Wire, reply

from tap_qonto.api.rate_limit import RateLimiter, RateLimiterClosed
from tap_qonto.api.responses import Request, decode, retry_after, verify
from tap_qonto.api.transport import ORDINARY, Patience, Transport
from tap_qonto.errors import (
    LoginRequired,
    QontoError,
    RequestDenied,
    RequestFailed,
    RequestRejected,
    SettingsError,
    StoreError,
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


# -- what is tried again -------------------------------------------------------------------

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


@pytest.mark.parametrize("name", BROKEN)
def test_an_answer_that_is_broken_is_asked_for_again(name: str) -> None:
    with sending(once(BROKEN[name])) as (transport, wire):
        assert transport.send(ASKED).body == {"good": True}
    assert len(wire.calls) == 2


def test_an_answer_that_stays_broken_fails_after_all_tries() -> None:
    with sending(lambda _: reply(b"", 500, X_Request_Id="abc-1")) as (transport, wire):
        with pytest.raises(RequestFailed, match=r"^labels of organization org-1: .*500.*abc-1"):
            transport.send(ASKED)
        assert len(wire.calls) == QUICK.tries
        with pytest.raises(RequestFailed):
            transport.send(ASKED)  # one request that fails does not end the others
        assert len(wire.calls) == 2 * QUICK.tries


def test_a_number_beyond_reason_is_refused_without_another_try() -> None:
    with sending(lambda _: reply(b'{"a": 1e-99999999999999999999}')) as (transport, wire):
        answer = transport.send(ASKED)
        with pytest.raises(RequestFailed, match=r"labels of organization org-1: .*not the JSON"):
            _ = answer.body
        assert len(wire.calls) == 1


def test_a_gigantic_body_is_refused_without_another_try() -> None:
    body = b'{"a": "%s"}' % (b"x" * 2 * QUICK.largest)
    with sending(lambda _: reply(body)) as (transport, wire):
        with pytest.raises(RequestFailed, match="larger"):
            transport.send(ASKED)
        assert len(wire.calls) == 1


def test_a_zipped_bomb_is_refused_before_it_is_unfolded() -> None:
    bomb = gzip.compress(b" " * 20 * QUICK.largest, compresslevel=1)
    with (
        sending(lambda _: reply(bomb, Content_Encoding="gzip")) as (transport, _),
        pytest.raises(RequestFailed, match="larger"),
    ):
        transport.send(ASKED)


def test_bombs_on_all_threads_take_little_more_than_the_largest_body() -> None:
    bomb = gzip.compress(b" " * 64 * 2**20)
    patience = QUICK._replace(read=20.0, body=60.0, largest=Patience().largest)

    def fails(_: int) -> None:
        with pytest.raises(RequestFailed, match="larger"):
            transport.send(ASKED)

    with sending(lambda _: reply(bomb, Content_Encoding="gzip"), patience=patience) as (
        transport,
        _,
    ):
        tracemalloc.start()
        try:
            assert together(8, fails) == [None] * 8
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < patience.largest + 8 * ORDINARY + 16 * 2**20


@pytest.mark.parametrize("members", [1, 3])
def test_a_body_may_be_zipped_in_several_members(members: int) -> None:
    parts = [b'{"a": "', b"x" * 200_000, b'"}'] if members == 3 else [b'{"a": "xxx"}']
    body = b"".join(gzip.compress(part) for part in parts)
    with sending(lambda _: reply(body, Content_Encoding="gzip")) as (transport, wire):
        assert set(transport.send(ASKED).body["a"]) == {"x"}
    assert wire.calls[0].headers["accept-encoding"] == "gzip"


def test_a_dead_api_fails_every_request_at_once() -> None:
    patience = QUICK._replace(dead_after=0.05)
    with sending(lambda _: None, patience=patience) as (transport, wire):
        for _ in range(20):
            with pytest.raises(RequestFailed):
                transport.send(ASKED)
            time.sleep(0.01)
        sent = len(wire.calls)
        with pytest.raises(RequestFailed, match="status page"):
            transport.send(ASKED)
    assert len(wire.calls) == sent < 20 * QUICK.tries


def test_a_good_answer_shows_that_the_api_lives() -> None:
    patience = QUICK._replace(dead_after=0.05)
    answers = {number: reply() for number in range(0, 100, 3)}
    with sending(lambda call: answers.get(call.number), patience=patience) as (transport, _):
        for _ in range(20):
            transport.send(ASKED)
            time.sleep(0.01)


def test_an_endpoint_that_is_broken_for_all_is_given_up_for_all_and_no_other_is() -> None:
    patience = QUICK._replace(endpoint_after=0.0)

    def broken(call: Call) -> t.Any:
        return reply(status=500) if "/v2/labels" in call.target else reply()

    def labels_of(number: int) -> Request:
        return replace(ASKED, organization_id=f"org-{number}")

    with sending(broken, patience=patience) as (transport, wire):
        for number in range(patience.endpoint_tries):
            with pytest.raises(RequestFailed, match=r"500|given up"):
                transport.send(labels_of(number))
            transport.send(Request("teams", "org-1", "/v2/teams"))
        sent = len(wire.calls)
        for number in range(100):  # nobody waits for it, and nothing is sent
            with pytest.raises(RequestFailed, match="given up"):
                transport.send(labels_of(number))
        assert len(wire.calls) == sent
        transport.send(Request("teams", "org-1", "/v2/teams"))


def test_an_endpoint_that_is_broken_for_one_organization_is_tried_for_the_others() -> None:
    patience = QUICK._replace(endpoint_after=0.0)

    def broken(call: Call) -> t.Any:
        return reply(status=500 if call.headers["x-qonto-organization-id"] == "org-0" else 200)

    with sending(broken, patience=patience) as (transport, _):
        for _ in range(2 * patience.endpoint_tries):
            with pytest.raises(RequestFailed, match="500"):
                transport.send(replace(ASKED, organization_id="org-0"))
        transport.send(ASKED)


def test_a_port_where_nobody_listens_is_named_by_the_address() -> None:
    with sending(lambda _: reply()) as (transport, wire):
        wire.__exit__()
        with pytest.raises(RequestFailed, match=f"{wire.url}.*Check the network"):
            transport.send(ASKED)


# -- the request limit ---------------------------------------------------------------------


def test_a_429_holds_everybody_for_as_long_as_it_says() -> None:
    budget = Noted()
    with sending(once(reply(b"", 429, Retry_After="20")), limiter=budget) as (transport, _):
        assert transport.send(ASKED).body == {"good": True}
    assert 20 <= budget.holds[0] <= 21


def test_without_retry_after_holds_grow_until_an_answer_is_good() -> None:
    budget = Noted()

    def answer(call: Call) -> bytes:
        return reply(status=200 if call.number in {4, 6} else 429)

    with sending(answer, limiter=budget) as (transport, _):
        transport.send(ASKED)
        transport.send(ASKED)
    assert [int(seconds) for seconds in budget.holds[:4]] == pytest.approx([2, 4, 8, 16], abs=1)
    assert budget.holds[4] <= 3


def test_many_429_at_once_are_one_hold() -> None:
    arrived = threading.Barrier(8)
    budget = Noted()

    def answer(call: Call) -> bytes:
        if call.number < 8:
            arrived.wait(5)
            return reply(b"", 429, Retry_After="30")
        return reply()

    with sending(answer, limiter=budget) as (transport, wire):
        results = together(8, lambda _: transport.send(ASKED).body)
    assert results == [{}] * 8
    assert len(wire.calls) == 16
    assert transport._throttles == 0


def test_nothing_but_429_ends_every_request() -> None:
    patience = QUICK._replace(throttled_for=0.2)
    with sending(lambda _: reply(status=429), patience=patience, limiter=Noted()) as (
        transport,
        w,
    ):
        for _ in range(2):
            with pytest.raises(RequestFailed, match="limit"):
                transport.send(ASKED)
        sent = len(w.calls)
        with pytest.raises(RequestFailed, match="limit"):
            transport.send(ASKED)
        assert len(w.calls) == sent


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        ("0.5", 0.5),
        ("99999", 600.0),
        ("Sun, 01 Mar 2026 12:00:30 GMT", 30.0),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0.0),
        ("Sun, 01 Mar 2026 12:00:30 -0000", None),
        ("soon", None),
        ("", None),
        ("-1", None),
        ("٣", None),
    ],
)
def test_retry_after_is_seconds_or_a_moment_of_the_servers_clock(
    value: str, seconds: float | None
) -> None:
    assert retry_after({"Retry-After": value, "Date": "Sun, 01 Mar 2026 12:00:00 GMT"}) == seconds


# -- refusals ------------------------------------------------------------------------------


def error(code: str, detail: str = TEXT) -> bytes:
    return b'{"errors": [{"code": "%s", "detail": "%s"}]}' % (code.encode(), detail.encode())


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (reply(error("invalid"), 400), RequestRejected, r"400 invalid"),
        (reply(error("not_in_list"), 422, X_Request_Id="r-1"), RequestRejected, "422 not_in.*r-1"),
        (reply(error("forbidden"), 403), RequestDenied, "plan or consent.*403 forbidden"),
        (reply(error("x", "missing required oauth scope"), 403), RequestDenied, "lacks a scope"),
        (reply(error("x"), 404), RequestDenied, "switched off"),
        (reply(b"404 page not found", 404, X_Tyk_Trace_Id="t9"), RequestDenied, "404, request.*t9"),
        (reply(b'{"code": "flat", "detail": "d"}', 410), RequestDenied, "retired.*410 flat"),
        (reply(b'{"errors": {"code": "one"}}', 403), RequestDenied, "403 one"),
        (reply(b'{"errors": [[["x"]]]}', 403), RequestDenied, r"\(403\)"),
        (reply(error("code with words"), 403), RequestDenied, r"\(403\)"),
        (reply(b"", 405), RequestFailed, "405"),
        (reply(b"", 302, Location="https://secret-Pl4nted/"), RequestFailed, "staging_token"),
    ],
)
def test_a_refusal_is_named_and_never_repeated(
    answer: bytes, kind: type[QontoError], words: str
) -> None:
    with sending(lambda _: answer) as (transport, wire):
        with pytest.raises(kind, match=words) as raised:
            transport.send(ASKED)
        assert raised.type is kind
        assert len(wire.calls) == 1


# -- tokens --------------------------------------------------------------------------------


def by_token(call: Call) -> bytes:
    return reply(status=200 if call.headers["authorization"] == "Bearer good" else 401)


def test_a_401_renews_the_token_once_and_repeats_the_request_once() -> None:
    with sending(by_token, grant=Grant("old", "good")) as (transport, wire):
        assert transport.send(ASKED).body == {}
    assert [call.headers["authorization"] for call in wire.calls] == ["Bearer old", "Bearer good"]


def test_a_renewed_token_that_is_refused_ends_the_run_for_every_thread() -> None:
    grant = Grant(*map(str, range(20)))
    budget = RateLimiter([(2, 0.3)], margin=0)  # the other threads wait for it
    with sending(lambda _: reply(status=401), grant=grant, limiter=budget) as (
        transport,
        wire,
    ):
        results = together(6, lambda _: transport.send(ASKED))
        assert [type(result) for result in results] == [LoginRequired] * 6
        assert "tap-qonto-auth login" in str(results[0])
        sent = len(wire.calls)
        assert sent <= 2 * 6 + 1  # the list of organizations is asked by one of them alone
        for _ in range(3):
            with pytest.raises(LoginRequired):
                transport.send(ASKED)
        assert len(wire.calls) == sent


def test_a_stream_that_takes_no_token_fails_alone_and_spends_one_renewal() -> None:
    def strict(call: Call) -> t.Any:
        return reply(GOOD, 401 if call.target.startswith("/v2/labels") else 200)

    grant = Grant(*map(str, range(20)))
    with sending(strict, grant=grant) as (transport, wire):
        for _ in range(3):
            with pytest.raises(
                RequestFailed, match=r"^labels of organization org-1: .*401.*select"
            ):
                transport.send(ASKED)
        assert [call.target for call in wire.calls].count("/v2/user_organizations") == 1
        assert len(wire.calls) == 5  # twice, once elsewhere, then once each time
        other = Request("teams", "org-1", "/v2/teams")
        assert transport.send(other).body == {"good": True}


def test_a_key_that_an_endpoint_does_not_take_is_a_refusal_of_that_stream() -> None:
    grant = Grant("key", flow="api_key")
    with sending(lambda _: reply(status=401), grant=grant) as (transport, wire):
        with pytest.raises(RequestDenied, match="API key") as raised:
            transport.send(ASKED)
        assert raised.value.status == 401
        assert len(wire.calls) == 1


def test_a_store_that_fails_ends_all_requests() -> None:
    class Lost(Grant):
        def __call__(self, _: requests.PreparedRequest) -> requests.PreparedRequest:
            raise StoreError("the store is gone")

    with sending(lambda _: reply(), grant=Lost(TOKEN)) as (transport, wire):
        for _ in range(2):
            with pytest.raises(StoreError, match="gone"):
                transport.send(ASKED)
        assert not wire.calls


def test_a_dead_token_server_counts_as_a_dead_api() -> None:
    class Silent(Grant):
        asked = 0

        def __call__(self, _: requests.PreparedRequest) -> requests.PreparedRequest:
            self.asked += 1
            raise RequestFailed("the token server does not answer")

    grant = Silent(TOKEN)
    patience = QUICK._replace(dead_after=0.05)
    with sending(lambda _: reply(), grant=grant, patience=patience) as (transport, _):
        for _ in range(20):
            with pytest.raises(RequestFailed):
                transport.send(ASKED)
            time.sleep(0.01)
    assert grant.asked < 20


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
