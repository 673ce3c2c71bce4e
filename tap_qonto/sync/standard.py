"""Standard output and standard error as schedulers hand them over.

They may be missing, closed in mid-run, full, not blocking, unbuffered, or no file at all. What is
written to the output leaves whole, or an error says that it did not; what is written to standard
error may fail without harm.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import gc
import logging
import os
import select
import sys
import time
import typing as t
from pathlib import Path

from singer_sdk.exceptions import ConfigValidationError, MappingError

from tap_qonto.errors import OutputLost, SettingsError

if t.TYPE_CHECKING:
    from collections.abc import Iterator

logger = logging.getLogger("tap-qonto")


M_ARENA_MAX = -8  # of glibc's malloc.h
SWITCH = 0.02  # seconds that a thread computes before others may
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


def refuse_log_settings() -> None:
    """Refuse what the SDK would end with a traceback of.

    Raises:
        SettingsError: the variable, and what is wrong with it.
    """
    for variable in ("TAP_QONTO_LOGLEVEL", "LOGLEVEL"):
        level = os.environ.get(variable)
        if level and not isinstance(logging.getLevelName(level.upper()), int):
            problem = f"{variable} is {level!r}: use DEBUG, INFO, WARNING, ERROR or CRITICAL."
            raise SettingsError([problem])
    if file := os.environ.get("SINGER_SDK_LOG_CONFIG"):
        try:
            Path(file).read_bytes()
        except FileNotFoundError:
            pass  # the SDK says so
        except OSError as error:
            problem = f"SINGER_SDK_LOG_CONFIG can't be read ({error.strerror}): {file}"
            raise SettingsError([problem]) from None


def content(file: t.IO[str] | None) -> bytes | None:
    """Read a file that was opened as text, whatever its encoding."""
    binary: t.IO[bytes] | None = getattr(file, "buffer", None)
    if file is None:
        return None
    return binary.read() if binary else file.read().encode()


def tune() -> None:
    """Fit the process to a few dozen threads through which many rows pass (measured 2026-11)."""
    # What is made by now stays; rows hold no cycles, so looking for some is a quarter of the
    # processor's time lost.
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)
    # glibc gives each thread memory of its own, of which pages leave holes: a fifth of all.
    with contextlib.suppress(OSError, AttributeError, TypeError):  # where there is no glibc
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)
    # A thread that makes rows is not stopped at every byte that comes: each stop costs it the
    # processor's cache.
    sys.setswitchinterval(SWITCH)


@contextlib.contextmanager
def refusing() -> Iterator[None]:
    """End with a sentence per problem where the tap can't be made."""
    try:
        yield
    except ConfigValidationError as error:
        problems = error.errors
    except SettingsError as error:
        problems = error.problems
    except MappingError as error:
        problems = [f"stream_maps: {error}"]
    except OutputLost as error:
        problems = [str(error)]
    else:
        return
    for problem in problems:
        logger.critical("%s", problem)
    sys.exit(1)


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
