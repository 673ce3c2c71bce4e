"""Reading ahead: the same batches in the same order as one after the other, and no thread stays."""

from __future__ import annotations

import json
import threading
import time
import typing as t

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reading import Reading
from threads import nobody_stays

from tap_qonto.api.rate_limit import RateLimiterClosed
from tap_qonto.api.responses import Request, Response

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tap_qonto.api.prefetch import Fetch

    Walk = Iterator[t.Any]

pytestmark = pytest.mark.usefixtures("own_threads")


def asking(walk: int, page: int) -> Request:
    return Request("x", None, "/v2/x", (("walk", str(walk)), ("page", str(page))))


def send(request: Request) -> Response:
    return Response(request, json.dumps([value for _, value in request.params]).encode(), None)


class Failed(Exception):  # noqa: N818 - as what is raised in its place
    pass


class Shape(t.NamedTuple):
    """A walk of so many pages; how far it asks ahead; over how many lists; where it fails."""

    pages: int
    ahead: int = 0
    branches: int = 0
    fails_at: int | None = None
    forgets: bool = False

    def batches(self, walk: int) -> list[t.Any]:
        count = self.pages if self.fails_at is None else min(self.pages, self.fails_at)
        return [[str(walk), str(page)] for page in range(count)]

    def __call__(self, walk: int) -> Callable[[Fetch], Walk]:
        def run(fetch: Fetch) -> Walk:
            lists = [fetch.branch() for _ in range(self.branches)] or [fetch]
            for page in range(self.pages):
                if page == self.fails_at:
                    raise Failed(walk)
                one = lists[page % len(lists)]
                for later in range(page, min(page + self.ahead, self.pages)):
                    if not lists[later % len(lists)].ahead(asking(walk, later)):
                        break
                if self.forgets and page % 3 == 0:
                    one.forget()
                yield one(asking(walk, page)).body

        return run


shapes = st.builds(
    Shape,
    pages=st.sampled_from([0, 1, 2, 3, 10, 60]),
    ahead=st.sampled_from([0, 1, 5, 100]),
    branches=st.sampled_from([0, 1, 4]),
    fails_at=st.none() | st.integers(0, 5),
    forgets=st.booleans(),
)


def ahead_of(plan: t.Iterable[Shape], threads: int = 4, **facts: t.Any) -> Reading:
    return Reading(
        ((number, shape(number)) for number, shape in enumerate(plan)),
        facts.pop("send", send),
        threads=threads,
        room=2 * threads,
        weigh=lambda _: 1,
        **facts,
    )


@given(
    plan=st.lists(shapes, max_size=12),
    threads=st.integers(1, 8),
    stops=st.lists(st.sampled_from(["all", "all", "some", "none"]), min_size=12, max_size=12),
)
@settings(max_examples=40, deadline=None)
def test_whatever_the_shape_each_reader_gets_its_walk_as_if_it_ran_alone(
    plan: list[Shape], threads: int, stops: list[str]
) -> None:
    ahead = ahead_of(plan, threads)
    for number, shape in enumerate(plan):
        if stops[number] == "none":  # dropped unread
            continue
        walk = ahead.read(number)
        if stops[number] == "some":
            expected = shape.batches(number)[:2]
            assert [next(walk) for _ in expected] == expected
            walk.close()
        elif shape.fails_at is not None and shape.fails_at < shape.pages:
            found: list[t.Any] = []
            with pytest.raises(Failed, match=f"^{number}$"):
                found.extend(walk)  # which keeps what came before
            assert found == shape.batches(number)
        else:
            assert list(walk) == shape.batches(number)
    with pytest.raises(KeyError):
        next(ahead.read("not planned"))
    ahead.close()
    assert nobody_stays()


@pytest.mark.parametrize("threads", [1, 2, 16])
def test_walks_run_at_the_same_time(threads: int) -> None:
    together = threading.Barrier(threads)

    def meeting(request: Request) -> Response:
        together.wait(10)
        return send(request)

    ahead = ahead_of([Shape(1)] * threads, threads, send=meeting)
    for number in range(threads):
        assert list(ahead.read(number)) == [[str(number), "0"]]
    ahead.close()


def test_pages_of_one_walk_are_sent_at_the_same_time() -> None:
    together = threading.Barrier(4)

    def meeting(request: Request) -> Response:
        together.wait(10)
        return send(request)

    ahead = ahead_of([Shape(8, ahead=8)], 4, send=meeting)
    assert list(ahead.read(0)) == Shape(8).batches(0)
    ahead.close()


def test_walks_that_wait_for_the_reader_leave_room_for_the_one_that_is_read() -> None:
    """Found: they held all permits, and the account that was read went on page by page."""
    threads = 8
    depth = 0
    most = 0
    lock = threading.Lock()
    begun = threading.Event()

    def counted(request: Request) -> Response:
        nonlocal depth, most
        is_read = request.params[0] == ("walk", "0") and begun.is_set()
        with lock:
            depth += is_read
            most = max(most, depth)
        time.sleep(0.002)
        with lock:
            depth -= is_read
        return send(request)

    ahead = ahead_of([Shape(200, ahead=100)] * 8, threads, send=counted)
    walk = ahead.read(0)
    next(walk)
    time.sleep(0.3)  # the others have taken what they can get
    begun.set()
    list(walk)
    ahead.close()
    assert most >= threads // 2


def test_no_more_pages_wait_than_the_window_however_slow_the_reader() -> None:
    sent = 0
    lock = threading.Lock()

    def counted(request: Request) -> Response:
        nonlocal sent
        with lock:
            sent += 1
        return send(request)

    threads = 4
    ahead = ahead_of([Shape(500, ahead=500)] * 3, threads, send=counted)
    walk = ahead.read(0)
    for read in range(1, 40):
        next(walk)
        time.sleep(0.005)
        assert sent <= read + 2 * 2 * threads + threads + 1
    ahead.close()
    assert nobody_stays()


def test_an_error_comes_after_the_batches_before_it_and_to_its_reader_only() -> None:
    ahead = ahead_of([Shape(3), Shape(5, fails_at=2), Shape(3)])
    assert list(ahead.read(0)) == Shape(3).batches(0)
    walk = ahead.read(1)
    assert [next(walk), next(walk)] == [["1", "0"], ["1", "1"]]
    with pytest.raises(Failed):
        next(walk)
    assert list(ahead.read(2)) == Shape(3).batches(2)
    ahead.close()


def test_an_error_of_a_request_comes_out_of_the_walk() -> None:
    def failing(request: Request) -> Response:
        if request.params[1] == ("page", "2"):
            raise Failed
        return send(request)

    for shape in (Shape(4), Shape(4, ahead=4)):
        ahead = ahead_of([shape, Shape(1)], send=failing)
        walk = ahead.read(0)
        assert [next(walk), next(walk)] == Shape(2).batches(0)
        with pytest.raises(Failed):
            next(walk)
        assert list(ahead.read(1)) == Shape(1).batches(1)
        ahead.close()


def test_a_walk_that_can_not_be_made_fails_for_its_reader() -> None:
    """Found: its thread died, and the reader waited for ever."""

    def unmade(_: Fetch) -> Walk:
        raise Failed

    ahead = Reading([(0, unmade), (1, Shape(1)(1))], send, threads=1, room=2, weigh=len)
    with pytest.raises(Failed):
        next(ahead.read(0))
    assert list(ahead.read(1)) == Shape(1).batches(1)
    ahead.close()


def test_an_error_of_the_plan_comes_after_the_walks_before_it() -> None:
    def plan() -> Iterator[tuple[int, Callable[[Fetch], Walk]]]:
        yield 0, Shape(2)(0)
        raise Failed

    ahead = Reading(plan(), send, threads=3, room=6, weigh=len)
    assert list(ahead.read(0)) == Shape(2).batches(0)
    for _ in range(2):
        with pytest.raises(Failed):
            next(ahead.read(1))
    ahead.close()
    assert nobody_stays()


def test_a_plan_that_takes_time_does_not_hold_up_the_reader() -> None:
    go_on = threading.Event()

    def plan() -> Iterator[tuple[int, Callable[[Fetch], Walk]]]:
        yield 0, Shape(2)(0)
        go_on.wait(10)
        yield 1, Shape(2)(1)

    ahead = Reading(plan(), send, threads=2, room=4, weigh=len)
    assert list(ahead.read(0)) == Shape(2).batches(0)
    go_on.set()
    assert list(ahead.read(1)) == Shape(2).batches(1)
    ahead.close()


def test_the_reader_is_interrupted_while_it_waits() -> None:
    class Signal(BaseException):
        pass

    def never(_: Request) -> Response:
        released.wait(10)
        raise Failed

    def interrupted() -> None:
        raise Signal

    released = threading.Event()
    ahead = ahead_of([Shape(1)], send=never, interrupted=interrupted)
    with pytest.raises(Signal):
        next(ahead.read(0))
    ahead.close()
    released.set()
    assert nobody_stays()


def test_close_ends_a_reader_that_waits_with_an_error() -> None:
    """Found: half a walk looked like a whole one."""
    released = threading.Event()

    def never(request: Request) -> Response:
        if request.params[1] == ("page", "1"):
            released.wait(10)
        return send(request)

    ahead = ahead_of([Shape(5)], send=never)
    walk = ahead.read(0)
    next(walk)
    timer = threading.Timer(0.05, ahead.close)
    timer.start()
    with pytest.raises(RateLimiterClosed):
        next(walk)
    with pytest.raises(RateLimiterClosed):
        next(ahead.read(1))
    released.set()
    timer.join()
    assert nobody_stays()


def test_after_close_nothing_is_sent_and_whoever_asks_is_told() -> None:
    """Found: a request that came behind the end of the pool was waited for without end."""
    sent = []

    def note(request: t.Any) -> t.Any:
        sent.append(request)
        return send(request)

    ahead = ahead_of([Shape(5)], send=note)
    list(ahead.read(0))
    fetch = ahead.fetch()
    assert fetch(asking(7, 7)).body == ["7", "7"]
    ahead.close()
    count = len(sent)
    with pytest.raises(RateLimiterClosed):
        fetch(asking(8, 8))
    assert nobody_stays()
    assert len(sent) == count


def test_what_is_forgotten_is_not_sent_if_it_had_not_started() -> None:
    sent = []
    go_on = threading.Event()

    def slow(request: Request) -> Response:
        sent.append(request)
        go_on.wait(10)
        return send(request)

    ahead = ahead_of([], 1, send=slow)
    fetch = ahead.fetch()
    branch = fetch.branch()
    assert [fetch.ahead(asking(0, page)) for page in range(2)] == [True, True]
    assert not branch.ahead(asking(1, 0))  # the window is full
    fetch.forget()
    assert branch.ahead(asking(1, 0))
    fetch.forget()  # its own only
    go_on.set()
    assert branch(asking(1, 0)).body == ["1", "0"]
    fetch.end()
    ahead.close()
    assert nobody_stays()
    assert asking(0, 1) not in sent


def test_lists_side_by_side_share_what_may_be_ahead_and_the_last_has_nearly_all() -> None:
    ahead = ahead_of([], 24)
    lists = [ahead.fetch()]
    lists += [lists[0].branch() for _ in range(3)]

    def fill(*numbers: int) -> list[int]:
        sent, going = [0] * len(lists), [*numbers]
        while going:
            going = [one for one in going if lists[one].ahead(asking(one, sent[one]))]
            for one in going:
                sent[one] += 1
        return sent

    assert set(fill(0, 1, 2, 3)) <= {8, 9}
    for one in lists[1:]:
        one.forget()
    assert fill(0)[0] >= 30
    lists[0].end()
    ahead.close()
    assert nobody_stays()
