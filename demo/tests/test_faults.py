"""Faults strike whom they should, as often as they should, in the way they say."""

from __future__ import annotations

import concurrent.futures
import time
import typing as t

import pytest
import requests

from demo.options import REAL_LIMITS
from demo.server import running
from demo.tests.conftest import Client

if t.TYPE_CHECKING:
    from demo.server import Server

LOST = (requests.ConnectionError, requests.exceptions.ChunkedEncodingError)


def test_a_status_strikes_the_next_three_matching_requests(client: Client) -> None:
    client.server.faults.add("status", status=503, path="/v2/labels$", times=3)
    assert client.ask("teams").status_code == 200
    assert [client.ask("labels").status_code for _ in range(4)] == [503, 503, 503, 200]
    assert [one.fault for one in client.server.requests[-2:]] == ["status", None]


def test_an_error_has_qonto_s_body_unless_another_is_given(client: Client) -> None:
    faults = client.server.faults
    faults.add("status", status=500, times=1)
    assert client.ask("labels").json()["errors"][0]["code"] == "internal_server_error"
    faults.add("status", status=502, body="<html>", times=1)
    assert client.ask("labels").text == "<html>"
    faults.add("status", status=429, retry_after="2", times=1)
    assert client.ask("labels").headers["Retry-After"] == "2"


def test_an_unauthorized_once_leaves_the_token_alive(client: Client) -> None:
    client.server.faults.add("unauthorized", times=1)
    assert [client.ask("labels").status_code for _ in range(2)] == [401, 200]


@pytest.mark.parametrize("when", ["before", "after", "mid"])
def test_a_connection_is_cut_where_it_says(client: Client, when: str) -> None:
    client.server.faults.add("cut", when=when, path="/v2/labels", times=1)
    with pytest.raises(LOST) as caught:
        client.ask("labels")
    assert ("IncompleteRead" in str(caught.value)) == (when == "mid")
    assert client.ask("labels").status_code == 200


def test_a_cut_after_the_request_leaves_its_effect(server: Server) -> None:
    config = server.config()
    form = {
        "grant_type": "refresh_token",
        "refresh_token": config["refresh_token"],
        "client_id": config["client_id"],
        "client_secret": config["client_secret"],
    }
    server.faults.add("cut", when="after", path="/oauth2/token", times=1)
    with pytest.raises(LOST):
        requests.post(f"{server.url}/oauth2/token", data=form, timeout=10)
    server.clock.advance(61)  # it was used: after the grace it is gone
    answer = requests.post(f"{server.url}/oauth2/token", data=form, timeout=10)
    assert answer.json()["error"] == "invalid_grant"


def test_bodies_can_be_of_every_wrong_kind(client: Client) -> None:
    faults = client.server.faults

    def struck(kind: str, **facts: t.Any) -> requests.Response:
        faults.add(kind, times=1, **facts)
        answer = client.ask("labels")
        assert answer.status_code == 200
        return answer

    whole = client.ask("labels")
    cut = struck("truncated")
    assert whole.text.startswith(cut.text[:200])
    assert len(cut.content) == len(whole.content) // 2
    assert struck("html").headers["Content-Type"].startswith("text/html")
    assert struck("empty").content == b""
    assert isinstance(struck("wrong_type").json()["labels"], str)
    assert struck("nonsense", body=[1]).json() == [1]
    assert struck("nonsense", body=b"\xff\xfe").content == b"\xff\xfe"
    with pytest.raises(requests.JSONDecodeError):
        struck("text").json()


def test_chances_are_repeatable() -> None:
    def statuses() -> list[int]:
        with running(seed=5, transactions=0) as server:
            client = Client(server)
            server.faults.add("status", status=500, rate=0.5)
            found = [client.ask("labels").status_code for _ in range(30)]
            client.close()
            return found

    first = statuses()
    assert first == statuses()
    assert set(first) == {200, 500}


def test_latency_makes_it_slow_without_making_others_wait(client: Client) -> None:
    client.server.faults.add("latency", seconds=0.4, path="/v2/labels")
    started = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: client.ask("labels").status_code, range(8)))
    spent = time.monotonic() - started
    assert answers == [200] * 8
    assert spent >= 0.4
    last = client.server.requests[-8:]
    assert max(one.started for one in last) < min(one.ended for one in last)


def test_a_stalled_request_does_not_keep_the_server_from_ending() -> None:
    with running(transactions=0) as server:
        client = Client(server)
        server.faults.add("stall", path="/v2/labels")
        with pytest.raises(requests.ReadTimeout):
            client.http.get(f"{server.url}/v2/labels", timeout=0.05)
        started = time.monotonic()
        client.close()
    assert time.monotonic() - started < 5


def test_a_short_stall_ends_in_a_cut(client: Client) -> None:
    client.server.faults.add("stall", seconds=0.05, times=1)
    with pytest.raises(LOST):
        client.ask("labels")


def test_unknown_faults_are_refused_by_name(server: Server) -> None:
    with pytest.raises(ValueError, match="unknown fault 'explode'"):
        server.faults.add("explode")
    with pytest.raises(ValueError, match="use before, after or mid"):
        server.faults.add("cut", when="never")


def test_the_rate_limit_counts_every_request_of_the_address() -> None:
    with running(rate_limits=((5, 60.0),), retry_after=True, transactions=0) as server:
        client = Client(server)
        statuses = [client.ask("labels").status_code for _ in range(7)]
        assert statuses == [200] * 5 + [429] * 2
        assert 50 < int(client.ask("labels").headers["Retry-After"]) <= 60
        token = requests.post(f"{server.url}/oauth2/token", data={}, timeout=10)
        assert token.status_code == 429
        client.close()


def test_a_window_lets_requests_through_again_when_it_is_over() -> None:
    with running(rate_limits=((2, 0.05),), transactions=0) as server:
        client = Client(server)
        statuses = set()
        for _ in range(50):
            statuses.add(client.ask("labels").status_code)
            if statuses == {200, 429}:
                break
        time.sleep(0.06)
        assert client.ask("labels").status_code == 200
        client.close()
    assert REAL_LIMITS == ((1000, 10.0), (10000, 600.0))


def test_too_many_refused_tokens_close_the_door() -> None:
    with running(unauthorized_per_hour=3, transactions=0) as server:
        client = Client(server)
        good = str(client.http.headers["Authorization"]).removeprefix("Bearer ")
        client.sign("ory_at_wrong")
        assert [client.ask("labels").status_code for _ in range(6)] == [401] * 4 + [429] * 2
        client.sign(good)
        assert client.ask("labels").status_code == 429
        client.close()
