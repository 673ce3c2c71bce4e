"""A request budget: at most N starts in any window of S seconds, for all threads together.

    limiter = RateLimiter([(1000, 10), (10000, 600)])
    with limiter.request():  # entered when one more request may start
        ...
    limiter.acquire()        # the same, where nobody says when the response came
    limiter.hold(5)          # the server said 429: nobody starts for five seconds
    limiter.close()          # whoever waits, or comes later, gets RateLimiterClosed

The server counts a request at some moment between its start and its response. Here it counts until
a window after the response: so no window of the server's holds more, however differently requests
travel and whatever stalls. Measured (2026-11): with start times and a margin of half a second, a
busy machine got 45 x 429 in 9,200 requests.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

STEP = 0.05  # seconds
OLDEST = 100  # requests among which the next one to leave a window is looked for
UNANSWERED = 5.0  # seconds after which a request was surely counted, answered or not


class RateLimiterClosed(Exception):  # noqa: N818 - the end of work, not an error
    """The run ends: no request may start any more."""


class _Start:
    """A request that started: by when the server has surely counted it."""

    __slots__ = ("counted",)

    def __init__(self, counted: float) -> None:
        self.counted = counted


class RateLimiter:
    """Shared by all threads; first come, first served. No limits: `acquire` never waits."""

    def __init__(self, limits: Iterable[tuple[int, float]], *, margin: float = UNANSWERED) -> None:
        self._margin = margin
        self._windows = [
            (seconds, deque["_Start"](maxlen=requests)) for requests, seconds in limits
        ]
        self._turn = threading.Lock()
        self._closed = threading.Event()
        self._held_until = 0.0
        self.started = 0
        """Requests started so far."""
        self.waiting_until = 0.0
        """Monotonic time until which the next start waits; in the past: it does not wait."""

    @contextmanager
    def request(self) -> Iterator[None]:
        """Wait until one more request may start; it counts until a window after its end.

        Raises:
            RateLimiterClosed: as `acquire`.
        """
        start = self._begin()
        try:
            yield
        finally:
            start.counted = min(start.counted, time.monotonic())

    def acquire(self) -> None:
        """Wait until one more request may start, and count it.

        Raises:
            RateLimiterClosed: if it is closed, now or while waiting.
        """
        self._begin()

    def _begin(self) -> _Start:
        with self._turn:  # one waits for the windows, the others queue behind it
            while (delay := self._ready_at() - time.monotonic()) > 0:
                self.waiting_until = time.monotonic() + delay
                # short steps: meanwhile a response may come, or a hold
                if self._closed.wait(min(delay, STEP)):
                    break
            if self._closed.is_set():
                raise RateLimiterClosed
            start = _Start(time.monotonic() + self._margin)
            for _, starts in self._windows:
                starts.append(start)
            self.started += 1
            return start

    def hold(self, seconds: float) -> bool:
        """Let nobody start for `seconds`. False if a hold at least half as long is in force."""
        now = time.monotonic()
        if self._held_until - now >= seconds / 2:
            return False
        self._held_until = now + seconds
        return True

    def close(self) -> None:
        """Let no request start any more; wake whoever waits."""
        self._closed.set()

    def left(self) -> int | None:
        """How many requests could start at once now; None without limits."""
        now = time.monotonic()
        rooms = []
        for seconds, starts in self._windows:
            # list(): other threads append meanwhile
            used = sum(1 for start in list(starts) if start.counted > now - seconds)
            rooms.append((starts.maxlen or 0) - used)
        return min(rooms, default=None)

    def _ready_at(self) -> float:
        ready = self._held_until
        for seconds, starts in self._windows:
            if len(starts) == starts.maxlen:
                # first the one that leaves first: one that takes long must not hold back others
                oldest = range(min(OLDEST, len(starts)))
                first = min(oldest, key=lambda place: starts[place].counted)
                starts[0], starts[first] = starts[first], starts[0]
                ready = max(ready, starts[0].counted + seconds)
        return ready
