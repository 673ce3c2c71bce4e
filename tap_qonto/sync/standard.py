"""Standard output and standard error as schedulers hand them over.

They may be missing, closed in mid-run, full, not blocking, unbuffered, or no file at all. What is
written to the output leaves whole, or an error says that it did not; what is written to standard
error may fail without harm.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import select
import sys
import time
import typing as t

STEP = 0.05  # seconds until an output that can't be waited for is tried again


def prepare() -> None:
    """Fit a command to what it was started with; to be called before any file is opened."""
    # What is missing of 0, 1 and 2 would be given to the next file or connection, and what is
    # meant for a terminal would go there.
    while (handle := os.open(os.devnull, os.O_RDWR)) <= 2:  # noqa: PLR2004
        pass
    os.close(handle)
    logging.raiseExceptions = False  # a log that can't be written is no failure of the run
    atexit.unregister(_settle)
    atexit.register(_settle)


def write_whole(text: bytes | bytearray) -> None:
    """Write all of `text` to standard output, behind what is in its buffers.

    Past the buffers, since Python has none with PYTHONUNBUFFERED=1 and then writes a part if a
    signal comes in between. An output that does not block is waited for.

    Raises:
        OSError: not all could be written.
        ValueError: there is no standard output, or it was closed.
    """
    output = sys.stdout
    if output is None:
        raise ValueError("there is none")
    binary = getattr(output, "buffer", None)
    if binary is None:  # as io.StringIO, or the output of a notebook
        output.write(text.decode())
        output.flush()
        return
    _until_done(output, output.flush)
    raw = getattr(binary, "raw", binary)
    done = 0
    while done < len(text):
        written = 0
        # released at once: the buffer belongs to whoever encodes the next line
        with (
            memoryview(text) as whole,
            whole[done:] as left,
            contextlib.suppress(BlockingIOError),
        ):
            written = raw.write(left) or 0
        if not written:
            _wait(raw)
        done += written
    _until_done(output, raw.flush)


def draw(text: str) -> bool:
    """Write to standard error; tells whether that worked."""
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except (OSError, ValueError, AttributeError):
        return False
    return True


def is_terminal() -> bool:
    """Is standard error a terminal?"""
    try:
        return sys.stderr.isatty()
    except (ValueError, AttributeError):
        return False


def _until_done(output: t.Any, flush: t.Callable[[], object]) -> None:
    while True:
        try:
            flush()
        except BlockingIOError:
            _wait(output)
        else:
            return


def _wait(output: t.Any) -> None:
    try:
        select.select([], [output], [])
    except (OSError, ValueError):  # no file of the system, or one that can't be waited for
        time.sleep(STEP)


def _settle() -> None:
    """Drop what standard error does not take: Python would end with a code of its own (120)."""
    if not draw(""):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            handle = os.open(os.devnull, os.O_WRONLY)
            os.dup2(handle, sys.stderr.fileno())
            os.close(handle)
