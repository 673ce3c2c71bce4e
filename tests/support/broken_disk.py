"""A process whose disk breaks under it; run by test_disks in a mount namespace of its own.

    broken_disk.py FOLDER MOMENT FAULT COMMAND

MOMENT is `before` (the process begins with the broken disk) or `between` (it breaks between the
server's answer and the write) or `repaired` (the same, and it is repaired before the end). FAULT is
`full` or `remounted`, for which FOLDER gets a little tmpfs of 1 MB; `read-only`, which takes the
right to write from the file and its folder; `limit`, a limit on the size of files; or `none`.
COMMAND is one of `tap-qonto-auth`, or `tap`. Settings come from the environment.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

from tap_qonto.auth import refresh
from tap_qonto.auth.token_endpoint import Grant, TokenEndpoint
from tap_qonto.cli import main as cli
from tap_qonto.tap import TapQonto

folder, moment, fault = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
filler = folder / "filler"


def mount(*options: str) -> None:
    subprocess.run(["mount", *options, str(folder)], check=True)


def allow_writing(*, allowed: bool) -> None:
    if os.getuid() == 0:  # whom modes do not stop
        flag = "-i" if allowed else "+i"
        subprocess.run(["chattr", flag, str(folder / "sessions.db"), str(folder)], check=True)
    else:
        (folder / "sessions.db").chmod(0o600 if allowed else 0o400)
        folder.chmod(0o700 if allowed else 0o500)


def break_it() -> None:
    if fault == "full":
        with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(b"\0" * 512)
    elif fault == "remounted":
        mount("-o", "remount,ro")
    elif fault == "read-only":
        allow_writing(allowed=False)
        atexit.register(allow_writing, allowed=True)
    elif fault == "limit":
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))


def repair_it() -> None:
    if fault == "full":
        filler.unlink()
    elif fault == "read-only":
        allow_writing(allowed=True)
    else:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


if fault in {"full", "remounted"}:
    kept = folder.with_name("kept")
    shutil.copytree(folder, kept)
    mount("-t", "tmpfs", "-o", "size=1m", "tmpfs")
    shutil.copytree(kept, folder, dirs_exist_ok=True)
if moment == "before":
    break_it()
ask = TokenEndpoint.refresh


def ask_and_break(endpoint: TokenEndpoint, token: str) -> Grant:
    """The disk breaks when the answer is there."""
    grant = ask(endpoint, token)
    break_it()
    return grant


if moment != "before":
    TokenEndpoint.refresh = ask_and_break  # type: ignore[method-assign, assignment]
if moment != "repaired":
    refresh.STORE_AWAY = 0  # nobody waits for minutes in a test
if moment == "repaired":
    save = refresh.Refresher.save_unsaved

    def repair_and_save(keeper: refresh.Refresher, *, at_once: bool = False) -> None:
        """The disk is repaired before the process ends."""
        if at_once:
            repair_it()
        save(keeper, at_once=at_once)

    refresh.Refresher.save_unsaved = repair_and_save  # type: ignore[method-assign, assignment]
if sys.argv[4] == "tap":
    TapQonto.cli([])
cli.auth(sys.argv[4:])
