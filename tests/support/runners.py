"""What test processes do. They import little: the server that they are forked from has it all."""

from __future__ import annotations

import contextlib
import multiprocessing
import typing as t

import requests

from tap_qonto.auth import refresh
from tap_qonto.auth.authenticator import authenticator_for
from tap_qonto.errors import QontoError

if t.TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.synchronize import Barrier

    from tap_qonto.settings import Settings

processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload(
    ["tap_qonto.auth.authenticator", "tap_qonto.auth.refresh", "requests"]
)


def run(settings: Settings, pipe: Connection) -> None:
    """Be a process that needs a token; tells the exit code and the sentence."""
    refresh.PAUSE = 0.05
    auth = authenticator_for(settings)
    auth.refresher.store.load()  # imports and first steps are done: the refresh is what is killed
    pipe.send("ready")
    pipe.recv()
    try:
        auth.session()
    except QontoError as error:
        pipe.send((error.exit_code, str(error)))
    else:
        pipe.send((0, ""))


def start_together(settings: Settings, barrier: Barrier, pipe: Connection) -> None:
    """Ask for something at the same moment as all the others; tells the status."""
    refresh.PAUSE = 0.05
    auth = authenticator_for(settings)
    with contextlib.suppress(QontoError):
        auth.refresher.store.load()
    barrier.wait()
    try:
        answer = requests.get(f"{settings.api_url}/v2/organization", auth=auth, timeout=30)
        pipe.send(answer.status_code)
    except QontoError as error:
        pipe.send(str(error))
