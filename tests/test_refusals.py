"""What Qonto refuses: how it is named, and what a new token changes."""

from __future__ import annotations

import time
import typing as t

import pytest
from sending import (
    ASKED,
    GOOD,
    QUICK,
    TOKEN,
    Grant,
    error,
    sending,
    together,
)
from wire import Call, reply

from tap_qonto.api.rate_limit import RateLimiter
from tap_qonto.api.responses import Request
from tap_qonto.errors import (
    LoginRequired,
    QontoError,
    RequestDenied,
    RequestFailed,
    RequestRejected,
    StoreError,
)

if t.TYPE_CHECKING:
    import requests

# -- refusals ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "body", "headers", "kind", "words"),
    [
        (400, error("invalid"), {}, RequestRejected, r"400 invalid"),
        (422, error("not_in_list"), {"X_Request_Id": "r-1"}, RequestRejected, "422 not_in.*r-1"),
        (403, error("forbidden"), {}, RequestDenied, "plan or consent.*403 forbidden"),
        (403, error("x", "missing required oauth scope"), {}, RequestDenied, "lacks a scope"),
        (404, error("x"), {}, RequestDenied, "switched off"),
        (404, b"404 page not found", {"X_Tyk_Trace_Id": "t9"}, RequestDenied, "404, request.*t9"),
        (410, b'{"code": "flat", "detail": "d"}', {}, RequestDenied, "retired.*410 flat"),
        (403, b'{"errors": {"code": "one"}}', {}, RequestDenied, "403 one"),
        (403, b'{"errors": [[["x"]]]}', {}, RequestDenied, r"\(403\)"),
        (403, error("code with words"), {}, RequestDenied, r"\(403\)"),
        (405, b"", {}, RequestFailed, "405"),
        (302, b"", {"Location": "https://secret-Pl4nted/"}, RequestFailed, "staging_token"),
    ],
)
def test_a_refusal_is_named_and_never_repeated(
    status: int, body: bytes, headers: dict[str, str], kind: type[QontoError], words: str
) -> None:
    with sending(lambda _: reply(body, status, **headers)) as (transport, wire):
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
