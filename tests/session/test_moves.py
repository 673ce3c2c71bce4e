"""Moving, copying and sharing a token store, as docs/session.md tells it."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import sys
import typing as t

import pytest
import sqlalchemy as sa
from sessions import age, ask, open_session, refused
from test_disks import NAMESPACE, can

from tap_qonto.auth.refresh import open_store
from tap_qonto.errors import LoginRequired, StoreError

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from token_server import TokenServer

    from tap_qonto.settings import Settings


def copied(settings: Settings, name: str) -> Settings:
    file = open_store(settings).path
    shutil.copy(file, file.with_name(name))
    return dataclasses.replace(settings, token_store=f"sqlite:///{file.with_name(name)}")


def test_a_store_moves_by_moving_its_file(server: TokenServer, session: Settings) -> None:
    moved = copied(session, "moved.db")
    open_store(session).path.unlink()
    age(moved, 3600)
    assert ask(server, open_session(moved)).status_code == 200


def test_of_two_copies_only_the_first_to_refresh_lives_on(
    server: TokenServer, session: Settings
) -> None:
    """As after restoring an old backup."""
    copy = copied(session, "copy.db")
    for one in (session, copy):
        age(one, 3600)
    assert ask(server, open_session(session)).status_code == 200
    for token in server.refresh_tokens.values():
        token.used_at = token.used_at and token.used_at - 120
    with refused(LoginRequired, "or another program used its token"):
        open_session(copy).session()


@pytest.mark.slow
def test_a_role_that_may_not_create_tables_needs_one_that_did(
    server: TokenServer, settings: Callable[..., Settings], postgres: str
) -> None:
    owner = sa.create_engine(
        postgres.replace("postgresql", "postgresql+psycopg"), poolclass=sa.NullPool
    )
    with owner.begin() as connection:
        connection.execute(sa.text("DROP TABLE IF EXISTS oauth_sessions"))
        connection.execute(sa.text("CREATE ROLE reader LOGIN PASSWORD 'reader'"))
        connection.execute(sa.text("REVOKE CREATE ON SCHEMA public FROM PUBLIC"))
    place = postgres.rpartition("@")[2]
    seed = server.seed()
    as_reader = settings(token_store=f"postgresql://reader:reader@{place}", refresh_token=seed)
    with refused(StoreError, "permission denied for schema public"):
        open_session(as_reader).session()
    assert server.requests == []
    with open_store(settings(token_store=postgres)).locked():
        pass
    with owner.begin() as connection:
        connection.execute(
            sa.text("GRANT SELECT, INSERT, UPDATE, DELETE ON oauth_sessions TO reader")
        )
    assert ask(server, open_session(as_reader)).status_code == 200


@pytest.mark.slow
def test_a_volume_in_a_container_is_known_to_survive(tmp_path: Path) -> None:
    if not can(*NAMESPACE, "mount", "--bind", str(tmp_path), str(tmp_path)):
        pytest.skip("this machine lets nobody mount in a namespace of their own")
    code = (
        "import sys, pathlib\nfrom tap_qonto.auth.place import survives\n"
        "print(survives(pathlib.Path(sys.argv[1]) / 'sessions.db'))"
    )
    probe = [sys.executable, "-c", code, str(tmp_path)]
    verdicts = [
        subprocess.run(
            [*NAMESPACE, "sh", "-c", f'{mount} && exec "$@"', "sh", *probe],
            env=os.environ | {"KUBERNETES_SERVICE_HOST": "10.0.0.1"},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for mount in (f"mount --bind {tmp_path} {tmp_path}", f"mount -t tmpfs tmpfs {tmp_path}")
    ]
    assert verdicts == ["True", "False"]
