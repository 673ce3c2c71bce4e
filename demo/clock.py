"""The server's own time: it runs like real time, and tests move it."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone


class Clock:
    """Starts at `start` (default: now) and runs on; `advance` adds seconds, negative ones too.

    Everything the server dates or lets expire asks this clock, `Date` headers included.
    """

    def __init__(self, start: datetime | None = None) -> None:
        self._started = time.monotonic()
        self._start = start or datetime.now(timezone.utc)

    def now(self) -> datetime:
        return self._start + timedelta(seconds=time.monotonic() - self._started)

    def timestamp(self) -> float:
        return self.now().timestamp()

    def advance(self, seconds: float) -> None:
        self._start += timedelta(seconds=seconds)
