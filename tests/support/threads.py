"""The threads of what is read ahead: do they end?"""

from __future__ import annotations

import threading
import weakref

import pytest

# of runs that other tests in this process left open; the SDK's suite never closes its tap
_strangers: weakref.WeakSet[threading.Thread] = weakref.WeakSet()


@pytest.fixture
def own_threads() -> None:
    """From here on, only threads that are yet to start count."""
    _strangers.update(threading.enumerate())


def nobody_stays() -> bool:
    """Wait for every thread of the tap; False if one is still there."""
    own = [
        thread
        for thread in threading.enumerate()
        if thread.name.startswith("qonto-") and thread not in _strangers
    ]
    for thread in own:
        thread.join(timeout=10)
    return not any(thread.is_alive() for thread in own)
