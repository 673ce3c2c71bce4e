"""A throw-away Postgres cluster, from whatever binaries this machine has."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import typing as t
from pathlib import Path

import pytest

if t.TYPE_CHECKING:
    from collections.abc import Iterator

PASSWORD = "s3cr3t-of-postgres"  # holds `token_server.MARK`, for which logs are searched


def binary(name: str) -> str | None:
    """Where Debian, Homebrew or the PATH keep `initdb` and `postgres`."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)
    return str(found[0]) if found else shutil.which(name)


@contextlib.contextmanager
def running_postgres() -> Iterator[str]:
    """Start a cluster on a free port; gives its SQLAlchemy URL. Skips, loudly, without binaries."""
    initdb, postgres = binary("initdb"), binary("postgres")
    if not initdb or not postgres:
        pytest.skip("no Postgres on this machine: apt-get install postgresql")
    # Postgres refuses to run as root
    user: dict[str, t.Any] = {"user": "nobody"} if os.getuid() == 0 else {}
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    try:
        if user:
            shutil.chown(folder, "nobody")
        password = folder / "password"
        password.write_text(PASSWORD)
        password.chmod(0o644)
        data, quiet = folder / "data", {"stdout": subprocess.DEVNULL, "cwd": folder, **user}
        access = ["-A", "scram-sha-256", "-U", "tester", "--pwfile", str(password)]
        subprocess.run([initdb, "-D", str(data), "--no-sync", *access], check=True, **quiet)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        options = ["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-k", str(folder)]
        log = (folder / "log").open("w")
        server = subprocess.Popen(
            [postgres, "-D", str(data), "-p", str(port), *options], stderr=log, **quiet
        )
        try:
            _wait_for(port)
            yield f"postgresql://tester:{PASSWORD}@127.0.0.1:{port}/postgres"
        finally:
            server.send_signal(signal.SIGINT)  # Postgres' fast shutdown
            server.wait(30)
            log.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _wait_for(port: int) -> None:
    import psycopg  # noqa: PLC0415 - only where there is a Postgres

    for _ in range(300):
        with contextlib.suppress(psycopg.OperationalError):
            psycopg.connect(
                host="127.0.0.1", port=port, user="tester", password=PASSWORD, dbname="postgres"
            ).close()
            return
        time.sleep(0.1)
    pytest.fail("Postgres did not start within 30 seconds")
