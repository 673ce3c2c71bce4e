"""A `Prefetch` with a pool of its own, which ends with it."""

from __future__ import annotations

import typing as t

from tap_qonto.api.prefetch import Prefetch, RequestPool


class Reading(Prefetch[t.Any]):
    def __init__(self, plan: t.Any, send: t.Any, *, threads: int, **facts: t.Any) -> None:
        self.pool = RequestPool(send, threads)
        super().__init__(plan, self.pool, threads=threads, **facts)

    def close(self) -> None:
        super().close()
        self.pool.close()
