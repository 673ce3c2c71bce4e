"""The budget: never more starts in a window than allowed, whoever asks; holds, and the end."""

from __future__ import annotations

import contextlib
import random
import threading
import time
import typing as t

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tap_qonto.api.rate_limit import RateLimiter, RateLimiterClosed


def on_threads(count: int, work: t.Callable[[int], object]) -> list[threading.Thread]:
    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    return threads


def all_ended(threads: list[threading.Thread]) -> bool:
    for thread in threads:
        thread.join(timeout=30)
    return not any(thread.is_alive() for thread in threads)


@given(
    limits=st.lists(
        st.tuples(st.integers(1, 20), st.sampled_from([0.01, 0.03, 0.05])), min_size=1, max_size=3
    ),
    threads=st.integers(1, 12),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=12, deadline=None)
def test_no_window_of_the_server_ever_holds_more_requests_than_its_limit(
    limits: list[tuple[int, float]], threads: int, seed: int
) -> None:
    """The server counts a request at any moment between its start and its answer."""
    rate = min(count / seconds for count, seconds in limits)
    each = max(1, min(8, int(rate * 0.15 / threads)))
    budget = RateLimiter(limits)
    counted: list[float] = []
    chance = random.Random(seed)

    def work(_: int) -> None:
        for _ in range(each):
            with budget.request():
                time.sleep(chance.choice([0, 0.0005, 0.005]))
                counted.append(time.monotonic())
                time.sleep(chance.choice([0, 0.0005, 0.005]))

    assert all_ended(on_threads(threads, work))
    assert budget.started == threads * each
    counted.sort()
    for count, seconds in limits:
        for first, later in zip(counted, counted[count:], strict=False):
            assert later - first >= seconds


def test_a_request_of_which_nobody_tells_the_end_counts_until_it_was_surely_counted() -> None:
    budget = RateLimiter([(1, 0.05)], margin=0.1)
    begin = time.monotonic()
    budget.acquire()
    budget.acquire()
    assert time.monotonic() - begin >= 0.15


def test_a_request_that_takes_long_does_not_hold_back_the_places_of_others() -> None:
    """Found: a token request, whose end nobody tells, cost each run five seconds."""
    budget = RateLimiter([(3, 0.1)], margin=5)
    budget.acquire()
    begin = time.monotonic()
    for _ in range(6):
        with budget.request():
            pass
    assert 0.2 <= time.monotonic() - begin < 2


def test_a_request_that_fails_counts_as_well() -> None:
    budget = RateLimiter([(1, 600)])
    with contextlib.suppress(KeyError), budget.request():
        raise KeyError
    assert budget.left() == 0


def test_without_limits_nobody_waits() -> None:
    budget = RateLimiter([])
    for _ in range(1000):
        budget.acquire()
    assert budget.started == 1000
    assert budget.left() is None


def test_left_tells_how_many_could_start_now() -> None:
    budget = RateLimiter([(5, 600), (9, 0.01)])
    assert budget.left() == 5
    for _ in range(3):
        budget.acquire()
    assert budget.left() == 2


def test_a_hold_stops_those_who_wait_already_and_those_who_come() -> None:
    budget = RateLimiter([(1, 0.05)], margin=0)
    budget.acquire()
    started: list[float] = []

    def work(_: int) -> None:
        budget.acquire()
        started.append(time.monotonic())

    threads = on_threads(3, work)
    assert budget.hold(0.3)
    held_until = budget._held_until
    assert all_ended(threads)
    assert budget.waiting_until > 0
    assert min(started) >= held_until


def test_a_hold_is_only_replaced_by_one_twice_as_long() -> None:
    budget = RateLimiter([])
    assert budget.hold(10)
    until = budget._held_until
    assert not budget.hold(5)
    assert not budget.hold(19)
    assert budget._held_until == until
    assert budget.hold(30)
    assert budget._held_until > until


def test_close_wakes_whoever_waits_and_lets_nobody_start() -> None:
    budget = RateLimiter([(1, 600)])
    budget.acquire()
    raised: list[BaseException] = []

    def work(_: int) -> None:
        try:
            budget.acquire()
        except RateLimiterClosed as error:
            raised.append(error)

    threads = on_threads(8, work)
    budget.close()
    assert all_ended(threads)
    assert len(raised) == 8
    assert budget.started == 1
    with pytest.raises(RateLimiterClosed):
        budget.acquire()


def test_a_closed_budget_without_limits_lets_nobody_start_either() -> None:
    budget = RateLimiter([])
    budget.close()
    with pytest.raises(RateLimiterClosed):
        budget.acquire()


def test_no_thread_is_starved_by_the_others() -> None:
    budget = RateLimiter([(4, 0.01)], margin=0)
    counts = [0] * 6
    behind: list[int] = []

    def work(number: int) -> None:
        for _ in range(30):
            budget.acquire()
            counts[number] += 1
            time.sleep(0.001)  # the request itself
        behind.append(min(counts))

    assert all_ended(on_threads(6, work))
    assert behind[0] >= 5  # when the first was done, no other had hardly begun
