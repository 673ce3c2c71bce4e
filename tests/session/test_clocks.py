"""Processes whose clocks are an hour apart share one session (libfaketime moves their clocks)."""

from __future__ import annotations

import os
import shutil
import subprocess
import typing as t

import pytest
from sessions import COMMAND, age, open_session
from token_server import MARK

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from token_server import TokenServer

    from tap_qonto.settings import Settings


def run_at(offset: str, command: str, config: dict[str, str], folder: Path) -> str:
    """Run `tap-qonto-auth` on a machine whose clock is `offset` off."""
    faketime = shutil.which("faketime")
    if not faketime:
        pytest.skip("no faketime on this machine: apt-get install faketime")
    done = subprocess.run(
        [faketime, "-f", offset, COMMAND, command],
        env=os.environ | {f"TAP_QONTO_{name.upper()}": value for name, value in config.items()},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert MARK not in done.stdout + done.stderr
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_machines_whose_clocks_are_an_hour_apart_share_one_session(
    server: TokenServer,
    settings: Callable[..., Settings],
    request: pytest.FixtureRequest,
    tmp_path: Path,
    database: str,
) -> None:
    url = request.getfixturevalue("postgres") if database == "postgres" else None
    shared = settings(**({"token_store": url} if url else {}))
    open_session(settings(token_store=shared.token_store, refresh_token=server.seed())).session()
    age(shared, 3600)
    server.requests.clear()
    config = server.config(token_store=shared.token_store)
    for offset in ("+3600s", "+0s", "-3600s"):  # the first one refreshes
        assert "Atelier Brindille" in run_at(offset, "organizations", config, tmp_path)
    if url:  # the database's clock counts: nobody refreshes for nothing
        assert server.refreshes == 1
    server.access_tokens.clear()  # the token ends early: a 401 repairs it, whatever the clock says
    for offset in ("-3600s", "+3600s"):
        assert "Atelier Brindille" in run_at(offset, "organizations", config, tmp_path)
    assert "Refreshed." in run_at("-3600s", "refresh", config, tmp_path)
