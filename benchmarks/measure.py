"""A process and what it cost: seconds, processor time, memory, and what it wrote."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import time
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Sequence

OVERHEAD = re.compile(rb'^\{"type": ?"(SCHEMA|STATE)"')
ROW = re.compile(rb'^\{"type": ?"RECORD"')


class Measured(t.NamedTuple):
    """`cpu` is user and system seconds of the process, `peak` its memory in MB.

    `rows` counts RECORD lines, `overhead` bytes of SCHEMA and STATE lines.
    """

    wall: float
    cpu: float
    peak: float
    rows: int
    overhead: int


def run(command: Sequence[str], log: t.IO[bytes] | None = None, **env: str) -> Measured:
    """Run `command` to its end.

    Raises:
        RuntimeError: if it fails; with the end of what it said.
    """
    # byte code is kept, as it is where a tap is installed
    given = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"} | env
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as own_log:
        errors = log or own_log
        began = time.monotonic()
        process = subprocess.Popen(command, stdout=out, stderr=errors, env=given)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            errors.seek(0)
            tail = errors.read()[-3000:].decode(errors="replace")
            raise RuntimeError(f"{command[0]} ended with {process.returncode}:\n{tail}")
        out.seek(0)
        rows = overhead = 0
        for line in out:
            if ROW.match(line):
                rows += 1
            elif OVERHEAD.match(line):
                overhead += len(line)
    return Measured(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, rows, overhead)
