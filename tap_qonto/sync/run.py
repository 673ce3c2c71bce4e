"""One run: what its streams share, the plan of what is read ahead, and its progress."""

from __future__ import annotations

import functools
import threading
import time
import typing as t
from concurrent.futures import Future, wait

from tap_qonto.api.organizations import Organizations
from tap_qonto.api.prefetch import STEP, Fetch, Prefetch, RequestPool
from tap_qonto.api.rate_limit import RateLimiter, RateLimiterClosed
from tap_qonto.api.transport import Transport
from tap_qonto.auth.authenticator import OFFLINE_SCOPE, USER_SCOPE, authenticator_for
from tap_qonto.sync.progress import Progress
from tap_qonto.sync.report import Report
from tap_qonto.sync.versions import Versions

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tap_qonto.settings import Settings
    from tap_qonto.sync.writers import Lines

ROOM = 8 * 2**20  # bytes of lines that wait for the main thread
LINGER = 1.0  # seconds in which threads end that wait for nothing
OVERHEAD = 2**12  # bytes that the lines of a page take besides

_Key = tuple[str, frozenset[tuple[str, t.Any]]]
_Result = t.TypeVar("_Result")


class Partitioned(t.Protocol):
    """What a run needs of a stream: its partitions, and how one is read."""

    name: str
    needs_accounts: bool

    @property
    def partitions(self) -> list[dict[str, t.Any]]:
        """The contexts, in the order in which they are read."""

    def lines(self, context: Mapping[str, t.Any], fetch: Fetch) -> Iterator[Lines]:
        """Walk over one partition, on any thread."""


class Stopped(SystemExit):
    """A signal asked the run to end; `code` is 128 and its number, as shells have it."""

    def __init__(self, signum: int) -> None:
        super().__init__(128 + signum)
        self.signum = signum

    def __str__(self) -> str:
        return f"Stopped by signal {self.signum:d}; the next run goes on from here."


class Run:
    """What all streams of a run share: session, rate limit, prefetch, report. Closed once."""

    def __init__(
        self,
        settings: Settings,
        streams: Callable[[], list[Partitioned]],
        *,
        user_agent: str,
        write_state: Callable[[], None],
    ) -> None:
        self.settings = settings
        self.report = Report(denied_is_failure=settings.on_denied == "fail")
        self.rate_limiter = RateLimiter(settings.rate_limits)
        self.authenticator = authenticator_for(settings, before_request=self.rate_limiter.acquire)
        self.transport = Transport(settings, self.authenticator, self.rate_limiter, user_agent)
        self._pool = RequestPool(self.transport.send, settings.concurrency)
        self.organizations = Organizations(
            settings,
            self.transport.send,
            self.authenticator,
            self._pool.submit,
            functools.partial(self.report.failed, "user_organizations"),
        )
        self.progress = Progress(self.rate_limiter)
        self._streams = streams
        self.write_state = write_state
        self.planning = threading.RLock()
        """One thread at a time finds out the partitions of a stream."""
        self.signum: int | None = None
        self.is_closed = False
        self.version = int(time.time())
        """Marks the rows of this run for ACTIVATE_VERSION: seconds since 1970."""
        self.versions = Versions(self.report)

    # -- reading ---------------------------------------------------------------------------

    @functools.cached_property
    def _ahead(self) -> Prefetch[Lines]:
        return Prefetch(
            self._plan(),
            self._pool,
            threads=self.settings.concurrency,
            room=ROOM,
            weigh=lambda lines: len(lines.text) + OVERHEAD,
            interrupted=self.checkpoint,
        )

    def _plan(self) -> Iterator[tuple[_Key, Callable[[Fetch], Iterator[Lines]]]]:
        """Every partition of every selected stream, in the order in which the SDK syncs them."""
        streams = self._streams()
        for stream in streams:
            self.progress.plan(stream.name, len(self.organizations.ids()))
        for stream in streams:
            if stream.needs_accounts:
                self.organizations.ask_all()
            contexts = stream.partitions
            self.progress.plan(stream.name, len(contexts))
            for context in contexts:
                yield _key(stream, context), functools.partial(stream.lines, context)

    def read(self, stream: Partitioned, context: Mapping[str, t.Any]) -> Iterator[Lines]:
        """Yield the lines of a partition: ahead as planned, or now if it is not in the plan."""
        key = _key(stream, context)
        self.progress.begin(stream.name)
        try:
            yield from self._ahead.read(key)
        except KeyError as error:
            if error.args != (key,):
                raise
            yield from stream.lines(context, self.fetch())

    def fetch(self) -> Fetch:
        """Return what sends the requests of one walk."""
        return self._ahead.fetch()

    def off_main_thread(self, work: Callable[[], _Result]) -> _Result:
        """Do `work` on another thread, so that the main thread can hear signals meanwhile.

        Returns what `work` returns, and raises what it raises; on other threads it just does it.

        Raises:
            Stopped: a signal came.
        """
        if threading.current_thread() is not threading.main_thread():
            return work()
        future: Future[_Result] = Future()

        def do() -> None:
            try:
                future.set_result(work())
            except BaseException as error:  # noqa: BLE001 - it belongs to the main thread
                future.set_exception(error)

        threading.Thread(target=do, name="qonto-plan", daemon=True).start()
        while not wait([future], timeout=STEP).done:
            self.checkpoint()
        try:
            return future.result()
        except RateLimiterClosed:
            self.checkpoint()
            raise

    def missing_scope(self, scopes: tuple[str, ...]) -> str | None:
        """Say which scope the session seems to lack, and the whole command that asks for it too.

        None: it has one of them, or nothing is known.

        The server may name only some of the granted scopes. So this is no proof: the stream asks
        one organization before it is skipped.
        """
        granted = self.authenticator.granted_scopes
        if granted is None or not scopes or granted.intersection(scopes):
            return None
        always = {OFFLINE_SCOPE, USER_SCOPE}  # every login asks for them
        asked = " ".join(sorted({*granted, scopes[0]} - always))
        membership = " --membership" if self.authenticator.flow == "membership" else ""
        return (
            f"the session was not granted the scope {' or '.join(scopes)}. Switch it on for your "
            f'application, then: tap-qonto-auth login{membership} --scope "{asked}"'
        )

    # -- between pages, on the main thread -------------------------------------------------

    def checkpoint(self) -> None:
        """Called between pages and while waiting: progress, and the end if a signal asked for it.

        Raises:
            Stopped: a signal came.
        """
        if self.signum is not None:
            raise Stopped(self.signum)
        self.progress.tick()

    def partition_done(self, stream: str) -> None:
        """Called after each partition: counts it, and writes STATE when it is time."""
        self.progress.done(stream)
        self.write_state()

    def stop(self, signum: int) -> None:
        """Ask the run to end at the next page; safe in a signal handler."""
        self.signum = signum
        self.transport.stopping = True

    def close(self, *, wrote: bool = True) -> None:
        """Send nothing more and let all threads end; then save what the session may hold.

        `wrote` tells whether the rows that were handed over have left.

        Raises:
            StoreError: the newest tokens could not be written.
        """
        self.is_closed = True
        try:
            self.transport.close()
            if "_ahead" in self.__dict__:
                self._ahead.close()
            self._pool.close()
            self.progress.close(wrote=wrote)
            self._join()
        finally:
            self.authenticator.close()

    def _join(self) -> None:
        """Wait for threads that end at once; not for those that wait for a response."""
        until = time.monotonic() + LINGER
        if "_ahead" in self.__dict__:
            self._ahead.join(until)
        self._pool.join(until)


def _key(stream: Partitioned, context: Mapping[str, t.Any]) -> _Key:
    return stream.name, frozenset(context.items())
