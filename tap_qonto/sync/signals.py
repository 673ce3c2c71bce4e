"""Signals that end a run: heard while it lasts, and then given back to whom they belonged."""

from __future__ import annotations

import contextlib
import signal
import threading
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

NAMES = ("SIGINT", "SIGTERM", "SIGHUP")  # the last: a terminal, or a connection to one, ended
SIGNALS = [getattr(signal, name) for name in NAMES if hasattr(signal, name)]


@contextlib.contextmanager
def heard(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Let `handler` have the signals, where Python allows it: on the main thread."""
    before: dict[int, t.Any] = {}
    if threading.current_thread() is threading.main_thread():
        # what is ignored, as under nohup, stays ignored
        wanted = [one for one in SIGNALS if signal.getsignal(one) != signal.SIG_IGN]
        before = {one: signal.signal(one, handler) for one in wanted}
    try:
        yield
    finally:
        for one, former in before.items():
            if former is not None:  # None: it was not Python's
                signal.signal(one, former)
