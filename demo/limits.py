"""How much Qonto takes from one address (docs: "Rate limitations")."""

from __future__ import annotations

import time
import typing as t
from collections import defaultdict, deque

if t.TYPE_CHECKING:
    from demo.options import Options


class Limits:
    """Counts the requests and the answers 401 of each address, in real time."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._taken: dict[tuple[str, float], deque[float]] = defaultdict(deque)
        self._unauthorized: dict[str, deque[float]] = defaultdict(deque)

    def take(self, address: str) -> float | None:
        """Count a request. None when it may pass, else after how many seconds one may."""
        now = time.monotonic()
        for limit, window in self._options.rate_limits:
            taken = self._taken[address, window]
            _forget(taken, now - window)
            if len(taken) >= limit:
                return taken[0] + window - now
        for _, window in self._options.rate_limits:
            self._taken[address, window].append(now)
        most = self._options.unauthorized_per_hour
        refused = self._unauthorized[address]
        if most is not None and len(refused) > most:
            _forget(refused, now - 3600)
            if len(refused) > most:
                return refused[0] + 3600 - now
        return None

    def refused(self, address: str) -> None:
        """Count an answer 401."""
        self._unauthorized[address].append(time.monotonic())


def _forget(moments: deque[float], before: float) -> None:
    while moments and moments[0] <= before:
        moments.popleft()
