"""What is sent again, and when: failures, and the request limit."""

from __future__ import annotations

import gzip
import threading
import time
import tracemalloc
import typing as t
from dataclasses import replace

import pytest
from sending import (
    ASKED,
    BROKEN,
    QUICK,
    Noted,
    once,
    sending,
    together,
)
from wire import Call, reply

from tap_qonto.api.responses import Request, retry_after
from tap_qonto.api.transport import ORDINARY, Patience
from tap_qonto.errors import (
    RequestFailed,
)

# -- what is tried again -------------------------------------------------------------------


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
