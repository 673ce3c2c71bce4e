"""Prefetch: threads read the next partitions while the main thread writes the current one.

    reader   the main thread: takes the items of each partition in order
    walk     a generator that reads one partition and yields items (encoded lines)
    walker   a thread that runs a walk before the reader needs it
    pool     the threads that send requests, for all walks

Memory is bounded. A walker waits while the items that the reader has not taken weigh `room` or
more. All walks together send at most twice as many pages ahead as there are threads.
There is no deadlock. The walk that is read now may always have one item waiting, and a request
never waits for a walk.
All threads are daemons: when the main thread ends, by an error or a signal, it waits for none.
"""

from __future__ import annotations

import functools
import queue
import threading
import time
import typing as t
from collections import deque
from concurrent.futures import Future

from tap_qonto.api.rate_limit import RateLimiterClosed

if t.TYPE_CHECKING:
    from collections.abc import Callable, Generator, Hashable, Iterable, Iterator

    from tap_qonto.api.responses import Request, Response

_Item = t.TypeVar("_Item")

MOST_BYTES = 2**25  # of responses that wait for one walk
GREED = 8  # pages ahead of one list, for each that may still be sent
STEP = 0.2  # seconds between looks at `interrupted` while the reader waits


class Fetch:
    """Sends the requests of one walk on the pool; `ahead` sends before the response is wanted.

    Three quarters of the pages ahead are for the walk that is read next: pages that wait for
    others, which wait for the reader, must not slow it down. A list of that walk may have `GREED`
    times as many ahead as are left: nearly all where it is alone, its share where there are more.
    """

    def __init__(self, pool: RequestPool, is_next: Callable[[], bool] = lambda: True) -> None:
        self._pool = pool
        self._is_next = is_next
        self._sent: dict[Request, tuple[Future[Response], bool]] = {}  # and if with a permit
        self._own: set[Request] = set()

    def branch(self) -> Fetch:
        """Return a sibling for another list of the same walk: it forgets on its own."""
        branch = Fetch(self._pool, self._is_next)
        branch._sent = self._sent
        return branch

    def __call__(self, request: Request) -> Response:
        """Return the response, sent ahead or sent now. Raises what `Transport.send` raises."""
        self._own.discard(request)
        if request not in self._sent:
            return self._pool.submit(request).result()
        future, has_permit = self._sent.pop(request)
        try:
            return future.result()
        finally:
            if has_permit:
                self._pool.permits.release()

    def ahead(self, request: Request) -> bool:
        """Send `request` now, to be asked for later. False if as many as allowed are ahead."""
        if request in self._sent:
            return True
        is_next = self._is_next()
        if is_next and len(self._own) >= GREED * (self._pool.depth() - len(self._sent)):
            return False
        if not is_next and not self._pool.permits.acquire(blocking=False):
            return False
        self._sent[request] = self._pool.submit(request), not is_next
        self._own.add(request)
        return True

    def is_here(self, request: Request) -> bool:
        """Has the response to a request that was sent ahead come, and is it none of an error?"""
        future = self._sent[request][0] if request in self._sent else None
        return future is not None and future.done() and future.exception() is None

    def forget(self) -> None:
        """Drop what this list sent ahead: the responses no longer fit."""
        for request in self._own:
            self._drop(request)
        self._own.clear()

    def end(self) -> None:
        """Drop what all lists of the walk sent ahead."""
        for request in [*self._sent]:
            self._drop(request)

    def _drop(self, request: Request) -> None:
        if request in self._sent:
            future, has_permit = self._sent.pop(request)
            future.cancel()
            if has_permit:
                self._pool.permits.release()


class RequestPool:
    """Threads that send requests, first come, first served."""

    def __init__(self, send: Callable[[Request], Response], threads: int) -> None:
        self._send = send
        self._queue: queue.SimpleQueue[tuple[Future[Response], Request] | None] = (
            queue.SimpleQueue()
        )
        self._lock = threading.Lock()
        self._closed = False
        self._depth = 2 * threads - threads // 2  # pages ahead of the walk that is read next
        self._weight = 0.0  # bytes of a large response, of late
        self.permits = threading.Semaphore(threads // 2)  # pages ahead of all others
        self._workers = started(self._work, "qonto-request", threads)

    def submit(self, request: Request) -> Future[Response]:
        """Send `request` when its turn comes."""
        future: Future[Response] = Future()
        with self._lock:
            if self._closed:
                future.set_exception(RateLimiterClosed())
            else:
                self._queue.put((future, request))
        return future

    def depth(self) -> int:
        """How many pages may be ahead of the walk that is read next: fewer where they are large."""
        return max(1, min(self._depth, int(MOST_BYTES / max(self._weight, 1))))

    def close(self) -> None:
        """Send nothing more; let all threads end."""
        with self._lock:
            self._closed = True
            for _ in self._workers:
                self._queue.put(None)

    def join(self, until: float) -> None:
        """Wait for the threads, after `close`, until this monotonic time at the latest."""
        join(self._workers, until)

    def _work(self) -> None:
        while (task := self._queue.get()) is not None:
            future, request = task
            if not future.set_running_or_notify_cancel():
                continue
            try:
                if self._closed:
                    raise RateLimiterClosed  # noqa: TRY301 - as what the transport raises
                response = self._send(request)
                self._weight = max(len(response.content), 0.9 * self._weight)
                future.set_result(response)
            except BaseException as error:  # noqa: BLE001 - it belongs to whoever waits
                future.set_exception(error)


class _Job(t.Generic[_Item]):
    """One walk, its items that wait, and how it ended."""

    def __init__(self, key: Hashable, walk: Callable[[Fetch], Iterator[_Item]]) -> None:
        self.key = key
        self.walk = walk
        self.waiting: deque[_Item] = deque()
        self.ended = False
        self.dropped = False
        self.error: BaseException | None = RateLimiterClosed()  # until it has ended otherwise


class Prefetch(t.Generic[_Item]):
    """Runs the walks of `plan` (key, walk) ahead of `read(key)`, which is called in plan order."""

    def __init__(  # noqa: PLR0913 - what is read, how, and how far ahead
        self,
        plan: Iterable[tuple[Hashable, Callable[[Fetch], Iterator[_Item]]]],
        pool: RequestPool,
        *,
        threads: int,
        room: int,
        weigh: Callable[[_Item], int],
        interrupted: Callable[[], None] = lambda: None,
    ) -> None:
        self._plan = iter(plan)
        self._plan_lock = threading.Lock()
        self._jobs: deque[_Job[_Item]] = deque()
        self._held = 0  # weight of the items that wait for the reader
        lock = threading.Lock()
        self._ready = threading.Condition(lock)  # the reader waits here
        self._room = threading.Condition(lock)  # walkers wait here
        self._closed = False
        self._exhausted = False
        self._plan_error: BaseException | None = None
        self._weigh, self._limit = weigh, room
        self._interrupted = interrupted
        self._pool = pool
        self._walkers = started(self._walk_on, "qonto-walk", threads)

    def read(self, key: Hashable) -> Generator[_Item, None, None]:
        """Hand over the items of the walk `key`; walks planned before it are dropped.

        Raises:
            KeyError: if no walk of that key is ahead in the plan.
            RateLimiterClosed: closed before the walk ended.
            Whatever the walk raised, after the items that came before.
        """
        job = self._reach(key)
        try:
            while (item := self._next(job)) is not None:
                yield item
        finally:
            with self._room:
                self._drop(job)
        if job.error is not None:
            raise job.error

    def fetch(self) -> Fetch:
        """Return what sends requests for a walk that is not in the plan."""
        return Fetch(self._pool)

    def close(self) -> None:
        """Let all threads end; what they still hold is dropped."""
        with self._room:
            self._closed = True
            self._room.notify_all()
            self._ready.notify_all()

    def join(self, until: float) -> None:
        """Wait for the threads, after `close`, until this monotonic time at the latest."""
        join(self._walkers, until)

    def _reach(self, key: Hashable) -> _Job[_Item]:
        while True:
            with self._ready:
                while self._jobs and self._jobs[0].key != key:
                    self._drop(self._jobs[0])
                if self._jobs:
                    return self._jobs[0]
                if self._closed:
                    raise RateLimiterClosed
                if self._plan_error is not None:
                    raise self._plan_error
                if self._exhausted:
                    raise KeyError(key)
                self._ready.wait(STEP)
            self._interrupted()

    def _next(self, job: _Job[_Item]) -> _Item | None:
        """Return the next item, or None when the walk has ended."""
        while True:
            with self._ready:
                if job.waiting:
                    item = job.waiting.popleft()
                    self._held -= self._weigh(item)
                    self._room.notify_all()
                    return item
                if job.ended or self._closed:
                    return None
                self._ready.wait(STEP)
            self._interrupted()

    def _drop(self, job: _Job[_Item]) -> None:
        """Forget `job` (the first in line); the caller holds the condition."""
        job.dropped = True
        self._held -= sum(map(self._weigh, job.waiting))
        job.waiting.clear()
        if self._jobs and self._jobs[0] is job:
            self._jobs.popleft()
        self._room.notify_all()  # the next in line is no longer bound by the room

    def _walk_on(self) -> None:
        """Run walks, one after the other, until there are none."""
        while (job := self._take()) is not None:
            fetch = Fetch(self._pool, functools.partial(self._is_next, job))
            try:
                for item in job.walk(fetch):
                    if not self._put(job, item):
                        break
                else:
                    job.error = None
            except BaseException as error:  # noqa: BLE001 - it belongs to the reader
                job.error = error
            fetch.end()
            with self._ready:
                job.ended = True
                self._ready.notify_all()

    def _is_next(self, job: _Job[_Item]) -> bool:
        with self._ready:
            return bool(self._jobs) and self._jobs[0] is job

    def _take(self) -> _Job[_Item] | None:
        """Begin the next walk of the plan; None when there is none."""
        with self._plan_lock:  # planning may need requests: the reader must not wait for it
            with self._room:
                while self._held >= self._limit and self._jobs and not self._closed:
                    self._room.wait()
                if self._closed:
                    return None
            try:
                key, walk = next(self._plan)
            except StopIteration:
                with self._ready:
                    self._exhausted = True
                    self._ready.notify_all()
                return None
            except BaseException as error:  # noqa: BLE001 - it belongs to the reader
                with self._ready:
                    self._plan_error = error
                    self._ready.notify_all()
                return None
            job = _Job(key, walk)
            with self._ready:
                self._jobs.append(job)
                self._ready.notify_all()
            return job

    def _put(self, job: _Job[_Item], item: _Item) -> bool:
        """Queue an item for the reader, when there is room. False: nobody wants it any more."""
        with self._room:
            while (
                self._held >= self._limit
                and (job.waiting or not (self._jobs and self._jobs[0] is job))
                and not job.dropped
                and not self._closed
            ):
                self._room.wait()
            if job.dropped or self._closed:
                return False
            job.waiting.append(item)
            self._held += self._weigh(item)
            self._ready.notify_all()
            return True


def started(work: Callable[[], None], name: str, count: int) -> list[threading.Thread]:
    """Start so many threads that do `work`."""
    threads = [
        threading.Thread(target=work, name=f"{name}-{number}", daemon=True)
        for number in range(count)
    ]
    for thread in threads:
        thread.start()
    return threads


def join(threads: list[threading.Thread], until: float) -> None:
    """Wait for `threads` to end, until this monotonic time at the latest."""
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
