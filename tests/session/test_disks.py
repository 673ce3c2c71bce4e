"""A disk that is full or read-only, in real processes on real (little) file systems."""

from __future__ import annotations

import os
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
from sessions import age, ask, open_session
from token_server import MARK

from demo.server import running
from tap_qonto.auth.refresh import open_store
from tap_qonto.settings import Settings

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from token_server import TokenServer

    from demo.server import Server

NAMESPACE = ["unshare", "--mount", "--map-root-user"]
FAULTS = ["full", "read-only"]


def can(*command: str) -> bool:
    try:
        return not subprocess.run(command, capture_output=True, check=False).returncode
    except OSError:
        return False


@pytest.fixture
def expired(server: TokenServer, settings: Callable[..., Settings], tmp_path: Path) -> Settings:
    """A session that has to be refreshed, in a file on a disk."""
    store = f"sqlite:///{tmp_path / 'disk' / 'sessions.db'}"
    open_session(settings(token_store=store, refresh_token=server.seed())).session()
    server.requests.clear()
    kept = settings(token_store=store)
    age(kept, 3600)
    return kept


def refresh(
    server: TokenServer | Server,
    settings: Settings,
    moment: str,
    fault: str,
    command: str = "refresh",
) -> subprocess.CompletedProcess[str]:
    """Run `tap-qonto-auth` on a disk that breaks."""
    folder = open_store(settings).path.parent
    mounts = fault in {"full", "remounted"}
    if mounts and not can(*NAMESPACE, "mount", "-t", "tmpfs", "tmpfs", str(folder)):
        pytest.skip("this machine lets nobody mount a tmpfs in a namespace of their own")
    if fault == "read-only" and os.getuid() == 0:
        if not can("chattr", "+i", str(folder)):
            pytest.skip("root here, and a file system that knows no immutable files")
        can("chattr", "-i", str(folder))
    config = server.config(token_store=settings.token_store)
    done = subprocess.run(
        [
            *(NAMESPACE if mounts else []),
            sys.executable,
            str(Path(__file__).parents[1] / "support" / "broken_disk.py"),
            str(folder),
            moment,
            fault,
            command,
        ],
        env=os.environ
        | {
            f"TAP_QONTO_{name.upper()}": value
            for name, value in config.items()
            if isinstance(value, str)
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert MARK not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["limit", *FAULTS, "remounted"])
def test_on_a_broken_disk_nothing_is_asked(
    server: TokenServer, expired: Settings, fault: str
) -> None:
    done = refresh(server, expired, "before", fault)
    assert done.returncode == 1
    assert "Error: The token store (SQLite file " in done.stderr
    assert server.requests == []
    assert ask(server, open_session(expired)).status_code == 200


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["limit", *FAULTS])
def test_a_disk_that_breaks_between_answer_and_write_ends_the_run_loudly(
    server: TokenServer, expired: Settings, fault: str
) -> None:
    done = refresh(server, expired, "between", fault)
    assert done.returncode == 1
    assert "The new tokens are in the memory of this run only" in done.stderr
    assert (
        "Error: The session was refreshed, but the new tokens could not be written" in done.stderr
    )
    assert server.refreshes == 1
    if fault != "full":  # whose disk is gone with its namespace
        assert ask(server, open_session(expired)).status_code == 200  # within the grace


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["limit", *FAULTS])  # the kernel does not remount open files
def test_a_disk_that_is_mended_before_the_end_gets_the_new_tokens(
    server: TokenServer, expired: Settings, fault: str
) -> None:
    done = refresh(server, expired, "repaired", fault)
    assert done.returncode == 0, done.stderr
    assert "Refreshed." in done.stdout
    if fault != "full":
        server.grace = 0
        assert ask(server, open_session(expired)).status_code == 200
        assert server.refreshes == 1


@pytest.mark.slow
def test_a_tap_whose_disk_breaks_reads_everything_and_ends_loudly(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    with running(seed=7, organizations=2, transactions=40) as qonto:
        store = f"sqlite:///{tmp_path / 'disk' / 'sessions.db'}"
        seeded = Settings.from_config(qonto.config(token_store=store))
        open_session(seeded).session()
        age(seeded, 3600)
        broken = refresh(qonto, seeded, "between", "limit", command="tap")
        assert broken.returncode == 1
        assert "Make it writable and run again at once" in broken.stderr
        again = refresh(qonto, seeded, "before", "none", command="tap")
        assert again.returncode == 0
    rows = [done.stdout.count('"RECORD"') for done in (broken, again)]
    assert rows[0] == rows[1] > 100


@pytest.mark.slow
def test_a_token_that_is_alive_needs_no_writing(server: TokenServer, expired: Settings) -> None:
    age(expired, -3600)
    done = refresh(server, expired, "before", "remounted", command="organizations")
    assert done.returncode == 0, done.stderr
    assert "Atelier Brindille" in done.stdout
    assert server.refreshes == 0
