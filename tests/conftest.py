"""What tests of whole runs share; how the tap is run is in `taps`."""

from __future__ import annotations

import signal
import tempfile
import typing as t
from pathlib import Path

import pytest
from leaks import pytest_runtest_makereport, pytest_sessionfinish
from threads import own_threads
from three import bank, config, places, qonto, second, without_waiting

if t.TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "bank",
    "config",
    "own_threads",
    "places",
    "pytest_runtest_makereport",
    "pytest_sessionfinish",
    "qonto",
    "second",
    "without_waiting",
]


def pytest_configure() -> None:
    """In the background, or behind nohup, signals are ignored, and would be by every child."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture
def store() -> Iterator[str]:
    """A fresh token store; in memory if possible, since every commit waits for the disk."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield f"sqlite:///{folder}/sessions.db"
