"""One line every few seconds: how far the run is and what it waits for. A bar on a terminal."""

from __future__ import annotations

import logging
import shutil
import time
import typing as t

from tap_qonto.sync.standard import draw, is_terminal

if t.TYPE_CHECKING:
    from tap_qonto.api.rate_limit import RateLimiter

logger = logging.getLogger("tap-qonto")

INTERVAL = 5.0  # seconds between log lines
BAR_INTERVAL = 0.2  # seconds between updates of the bar
BAR_WIDTH = 24


class Progress:
    """Counts partitions and rows; speaks on the reader's thread only."""

    def __init__(self, rate_limiter: RateLimiter) -> None:
        self._rate_limiter = rate_limiter
        self._bar = is_terminal()
        self._begin = self._spoke = time.monotonic()
        self._requests = 0
        self._planned: dict[str, int] = {}
        self._done = 0
        self.rows = 0
        """Rows handed over so far; whoever hands them over counts them."""
        self._stream = ""

    def plan(self, stream: str, partitions: int) -> None:
        """Note how many partitions a stream has, as far as is known."""
        self._planned[stream] = partitions

    def begin(self, stream: str) -> None:
        """Note which stream is read now."""
        self._stream = stream

    def done(self, stream: str) -> None:
        """Note that a partition was read."""
        self._stream = stream
        self._done += 1

    def tick(self) -> None:
        """Say how it stands if it is time to."""
        now = time.monotonic()
        if now - self._spoke < (BAR_INTERVAL if self._bar else INTERVAL):
            return
        line = self._line(now)
        self._spoke, self._requests = now, self._rate_limiter.started
        if self._bar:
            width = shutil.get_terminal_size().columns - 1
            # and back to the start of the line, where a line of the log may come
            self._bar = draw(f"\x1b[K{line[:width]}\r")
        else:
            logger.info(line)

    def close(self, *, wrote: bool = True) -> None:
        """Clear the bar; say the totals, if all rows were written."""
        if self._bar:
            draw("\x1b[K")
        if self._done and wrote:
            seconds = time.monotonic() - self._begin
            logger.info(
                "Read %d rows of %d partitions with %d requests in %.1f s.",
                self.rows,
                self._done,
                self._rate_limiter.started,
                seconds,
            )

    def _line(self, now: float) -> str:
        total = sum(self._planned.values())
        rate = (self._rate_limiter.started - self._requests) / max(now - self._spoke, 0.001)
        left = self._rate_limiter.left()
        parts = [f"{self._done}/{total} partitions"]
        if self._stream:
            parts.append(self._stream)
        parts += [f"{self.rows} rows", f"{rate:.0f} requests/s"]
        if left is not None:
            parts.append(f"{left} requests left in the window")
        if (wait := self._rate_limiter.waiting_until - now) > 0:
            parts.append(f"waiting {wait:.0f} s for the request limit")
        if self._bar:
            filled = int(BAR_WIDTH * self._done / total) if total else 0
            return f"[{'#' * filled}{'.' * (BAR_WIDTH - filled)}] " + " · ".join(parts)
        return "Progress: " + ", ".join(parts)
