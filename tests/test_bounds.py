"""What runs ahead is bounded, and ends: pages in memory, requests, threads."""

from __future__ import annotations

import json
import threading
import time
import typing as t

import pytest
from reading import Reading
from threads import nobody_stays

from tap_qonto.api.responses import Request, Response

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tap_qonto.api.prefetch import Fetch

THREADS = 4
WINDOW = 2 * THREADS


class Meter:
    """Answers at once, and counts how many answers are further than the reader."""

    def __init__(self) -> None:
        self.sent = self.read = self.most = 0
        self._lock = threading.Lock()

    def send(self, request: Request) -> Response:
        with self._lock:
            self.sent += 1
            self.most = max(self.most, self.sent - self.read)
        return Response(request, json.dumps(request.params).encode(), None)


def pages(count: int) -> Callable[[Fetch], Iterator[t.Any]]:
    """A long walk: asks as far ahead as it may."""

    def walk(fetch: Fetch) -> Iterator[t.Any]:
        requests = [Request("x", None, "/v2/x", (("page", str(n)),)) for n in range(count)]
        for number, request in enumerate(requests):
            for later in requests[number : number + 2 * WINDOW]:
                if not fetch.ahead(later):
                    break
            yield fetch(request).body

    return walk


@pytest.mark.parametrize("shape", [(1, 400), (400, 1), (20, 20)], ids=["deep", "wide", "both"])
def test_a_slow_reader_is_never_followed_by_more_pages_than_the_window(
    shape: tuple[int, int],
) -> None:
    walks, length = shape
    meter = Meter()
    ahead = Reading(
        [(number, pages(length)) for number in range(walks)],
        meter.send,
        threads=THREADS,
        room=WINDOW,
        weigh=lambda _: 1,
    )
    got = []
    for number in range(walks):
        for body in ahead.read(number):
            meter.read += 1
            if meter.read % 50 == 0:
                time.sleep(0.05)  # all that may run ahead does
            got.append((number, body))
    ahead.close()
    assert got == [
        (number, [["page", str(page)]]) for number in range(walks) for page in range(length)
    ]
    # pages that wait for the reader, pages sent ahead, and one in the hand of each thread
    assert meter.most <= 2 * WINDOW + THREADS + 1


@pytest.mark.parametrize(("length", "most"), [(100, 22), (10_000_000, 3), (100_000_000, 1)])
def test_fewer_pages_are_ahead_where_they_are_large(length: int, most: int) -> None:
    content, counts = b"x" * length, list[int]()

    def request(number: int) -> Request:
        return Request("x", None, "/v2/x", (("page", str(number)),))

    def walk(fetch: Fetch) -> Iterator[t.Any]:
        fetch(request(0))  # tells how large pages are
        while fetch.ahead(request(1 + len(counts))):
            counts.append(1)
        yield len(counts)

    ahead = Reading(
        [(0, walk)],
        lambda asked: Response(asked, content, None),
        threads=16,
        room=WINDOW,
        weigh=lambda _: 1,
    )
    assert [*ahead.read(0)] == [most]
    ahead.close()


@pytest.mark.usefixtures("own_threads")
def test_nothing_is_sent_after_the_end_and_no_thread_stays() -> None:
    meter = Meter()
    ahead = Reading(
        [(0, pages(10_000))], meter.send, threads=THREADS, room=WINDOW, weigh=lambda _: 1
    )
    walk = ahead.read(0)
    for _ in range(5):
        next(walk)
    ahead.close()
    walk.close()
    assert nobody_stays()
    sent = meter.sent
    time.sleep(0.1)
    assert meter.sent == sent
