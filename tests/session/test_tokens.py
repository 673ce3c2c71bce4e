"""The token store: what is kept, from whom it is hidden, and who has to wait."""

from __future__ import annotations

import dataclasses
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
import typing as t

import pytest
import sqlalchemy as sa
from postgres import PASSWORD
from sessions import age, ask, open_session
from token_server import MARK, TokenServer

from tap_qonto.auth import token_store
from tap_qonto.auth.token_store import Session, Stored, TokenStore, fingerprint
from tap_qonto.errors import SettingsError, StoreError

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tap_qonto.settings import Settings

SESSION = Session(
    access_token=f"{MARK}-access",
    refresh_token=f"{MARK}-refresh",
    expires_at=2000.5,
    lifetime=3600,
    refreshed_at=1000.25,
    consented_at=None,
    scope="a b",
    notes={"organizations": [{"id": "1", "name": "Bücher & Söhne"}]},
)


def store_in(folder: Path, secret: str = f"{MARK}-client", **client: str) -> TokenStore:
    client = {"issuer": "https://oauth.example", "client_id": "one"} | client
    return TokenStore(f"sqlite:///{folder / 'sessions.db'}", client_secret=secret, **client)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.slow)])
def store(request: pytest.FixtureRequest, folder: Path) -> t.Iterator[TokenStore]:
    """Every test that takes this runs on both databases."""
    if request.param == "sqlite":
        yield store_in(folder)
        return
    url = request.getfixturevalue("postgres")
    client = {"issuer": request.node.name, "client_id": "one"}  # a row of its own
    yield TokenStore(url, client_secret=f"{MARK}-client", **client)


def test_what_was_saved_is_read_again_and_closes_the_intent(store: TokenStore) -> None:
    assert dataclasses.replace(store.load(), now=0) == Stored(now=0)
    with store.locked():
        store.begin("seed", 5.0)
        store.save(SESSION, seed="seed")
    stored = store.load()
    assert stored.session == SESSION
    assert stored.intent is None
    assert stored.seeds == (fingerprint("seed"),)
    assert abs(stored.now - time.time()) < 5


def test_an_intent_keeps_the_moment_of_its_first_use(store: TokenStore) -> None:
    with store.locked():
        store.begin("token", 5.0)
        assert store.begin("token", 9.0).at == 5.0
        assert store.load().intent == token_store.Intent(fingerprint("token"), 5.0)
        assert store.begin("another", 9.0).at == 9.0
        store.withdraw()
    assert store.load().intent is None


def test_every_seed_that_began_a_session_is_remembered(store: TokenStore) -> None:
    with store.locked():
        for seed in ("first", "second", "first"):
            store.save(SESSION, seed=seed)
    assert store.load().seeds == (fingerprint("first"), fingerprint("second"))


def test_a_refusal_is_remembered_until_the_next_session(store: TokenStore) -> None:
    with store.locked():
        store.save(SESSION)
        store.refuse(7.0)
        assert store.load().refused_at == 7.0
        store.save(SESSION)
    assert store.load().refused_at is None


def test_deleting_leaves_nothing(store: TokenStore) -> None:
    with store.locked():
        store.save(SESSION, seed="seed")
        assert store.delete()
        assert not store.delete()
    assert store.load().seeds == ()


def test_threads_hold_the_lock_one_after_another(store: TokenStore) -> None:
    inside, most = 0, 0

    def work() -> None:
        nonlocal inside, most
        for _ in range(3):
            with store.locked():
                inside += 1
                most = max(most, inside)
                time.sleep(0.002)
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1


HOLDER = """
import sys, time
from tap_qonto.auth.token_store import TokenStore
store = TokenStore(sys.stdin.readline().strip(), issuer=sys.argv[1], client_id="one",
                   client_secret="x")
with store.locked():
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_killed_process_frees_the_lock(store: TokenStore, request: pytest.FixtureRequest) -> None:
    url = store._url.render_as_string(hide_password=False)
    issuer = "https://oauth.example" if store.path else request.node.name
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, issuer], stdin=-1, stdout=-1, text=True
    )
    holder.stdin.write(f"{url}\n")  # not on the command line: it holds a password
    holder.stdin.flush()
    assert holder.stdout.readline() == "held\n"
    got: list[str] = []

    def wait() -> None:
        with store.locked():
            got.append("it")

    waiter = threading.Thread(target=wait)
    waiter.start()
    waiter.join(0.3)
    assert got == []
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    waiter.join(10)
    assert got == ["it"]
    holder.stdin.close()
    holder.stdout.close()


def test_a_lock_that_never_comes_free_is_an_error(
    store: TokenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token_store, "LOCK_WAIT", 1)  # nobody waits three minutes in a test
    errors: list[str] = []

    def wait() -> None:
        try:
            with store.locked():
                pass
        except StoreError as error:
            errors.append(str(error))

    with store.locked():
        waiter = threading.Thread(target=wait)
        waiter.start()
        waiter.join(20)
    assert "can't be locked" in errors[0]


def test_an_error_inside_the_lock_comes_out_as_it_is(store: TokenStore) -> None:
    with pytest.raises(OSError, match="of the caller"), store.locked():
        raise OSError("of the caller")
    with store.locked():
        pass


@pytest.mark.slow
def test_a_machine_that_vanished_holds_the_lock_of_postgres_for_a_while_only(
    postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token_store, "LOCK_HOLD", 1)
    store = TokenStore(postgres, issuer="", client_id="sleeper", client_secret="x")
    with store.locked() as still_held:
        still_held()
        with store.locked():  # waits for that second, as another machine would
            pass
        with pytest.raises(StoreError, match="can't be kept locked"):
            still_held()


@pytest.mark.slow
def test_a_lock_that_postgres_took_away_is_noticed_before_a_token_is_spent(
    server: TokenServer, settings: Callable[..., Settings], postgres: str
) -> None:
    """A machine that slept: its connection is ended, and others may have gone on."""
    shared = settings(token_store=postgres)
    open_session(settings(token_store=postgres, refresh_token=server.seed())).session()
    server.requests.clear()
    age(shared, 3600)
    auth = open_session(shared)
    url = postgres.replace("postgresql", "postgresql+psycopg")
    database = sa.create_engine(url, poolclass=sa.NullPool)
    begin = TokenStore.begin

    def sleep_before_the_request(store: TokenStore, *arguments: t.Any) -> token_store.Intent:
        with database.connect() as connection:
            connection.execute(
                sa.text(
                    "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"
                )
            )
        return begin(store, *arguments)

    with pytest.MonkeyPatch.context() as patch:  # there is no other way into that moment
        patch.setattr(TokenStore, "begin", sleep_before_the_request)
        with pytest.raises(StoreError, match="can't be kept locked"):
            auth.session()
    assert server.requests == []
    assert ask(server, open_session(shared)).status_code == 200


def test_two_clients_share_a_store_and_never_mix(folder: Path) -> None:
    one, two = store_in(folder), store_in(folder, client_id="two")
    sandbox = store_in(folder, issuer="https://oauth-sandbox.example")
    with one.locked():
        one.save(SESSION, seed="seed")
    assert two.load().session is None
    assert sandbox.load().session is None
    with two.locked():
        two.save(dataclasses.replace(SESSION, access_token=f"{MARK}-two"))
        two.delete()
    assert one.load().session == SESSION


def test_a_row_copied_to_another_client_is_not_accepted(folder: Path) -> None:
    one, two = store_in(folder), store_in(folder, client_id="two")
    with one.locked():
        one.save(SESSION)
    with two.locked():
        two.begin("token", 1.0)
    with sqlite3.connect(one.path) as database:
        database.execute(
            "UPDATE oauth_sessions SET payload = (SELECT payload FROM oauth_sessions "
            "WHERE payload IS NOT NULL)"
        )
    database.close()
    assert two.load().unreadable == "is damaged"


def test_another_client_secret_reads_nothing_and_says_why(folder: Path) -> None:
    with (store := store_in(folder)).locked():
        store.save(SESSION)
    stored = store_in(folder, secret="another").load()
    assert stored.session is None
    assert "another client secret" in stored.unreadable


def test_no_byte_of_the_payload_can_change_unseen(folder: Path) -> None:
    with (store := store_in(folder)).locked():
        store.save(SESSION)
    sealed = store._seal(SESSION)
    for place in range(len(sealed)):
        changed = sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :]
        session, unreadable = store._unseal(changed)
        assert session is None
        assert unreadable
    for length in range(len(sealed)):
        assert store._unseal(sealed[:length])[0] is None


def test_sealing_twice_never_gives_the_same_bytes(folder: Path) -> None:
    store = store_in(folder)
    assert store._seal(SESSION)[:36] != store._seal(SESSION)[:36]


def test_a_damaged_file_gives_one_sentence_or_no_session(folder: Path) -> None:
    with (store := store_in(folder)).locked():
        store.save(SESSION)
    whole = store.path.read_bytes()
    sentences = set()
    for length in (0, 1, 50, 100, 1000, 4096, 5000, 8192, len(whole) - 1):
        for rest in (b"", b"\xff" * (len(whole) - length)):
            store.path.write_bytes(whole[:length] + rest)
            try:
                assert store.load().session in (None, SESSION)
            except StoreError as error:
                sentences.add(str(error).partition(": ")[2].partition(".")[0])
    assert "file is not a database" in sentences


def test_files_are_for_their_owner_alone(folder: Path) -> None:
    before = os.umask(0)
    try:
        with (store := store_in(folder)).locked():
            store.save(SESSION)
            journal = sqlite3.connect(store.path)
            journal.execute("BEGIN IMMEDIATE")
            journal.execute("UPDATE oauth_sessions SET intent_at = 1")
            modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}
            journal.rollback()
            journal.close()
    finally:
        os.umask(before)
    assert modes == dict.fromkeys(("sessions.db", "sessions.db.lock", "sessions.db-journal"), 0o600)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_an_open_file_is_closed_to_others_but_its_folder_stays_as_it_is(folder: Path) -> None:
    folder.mkdir(mode=0o755)
    (folder / "sessions.db").touch(0o644)
    with store_in(folder).locked():
        pass
    assert stat.S_IMODE((folder / "sessions.db").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755


def test_reading_creates_nothing(folder: Path) -> None:
    store_in(folder).load()
    assert not folder.exists()


@pytest.mark.parametrize(
    ("url", "wish"),
    [
        ("sessions.db", "is no SQLAlchemy URL"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("mysql://me@host/database", "is on mysql"),
        ("postgresql+nothing://me@host/database", "unknown driver"),
    ],
)
def test_an_url_that_cannot_work_is_refused(url: str, wish: str) -> None:
    with pytest.raises(SettingsError, match=wish) as refused:
        TokenStore(url, issuer="", client_id="", client_secret="")
    assert "sqlite:////path/to/file.db" in str(refused.value)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_an_unreachable_postgres_is_named_without_its_password(scheme: str) -> None:
    url = f"{scheme}://me:{PASSWORD}@127.0.0.1:9/sessions?connect_timeout=3"
    store = TokenStore(url, issuer="", client_id="", client_secret="")
    with pytest.raises(StoreError, match=r"Postgres database 'sessions' on 127\.0\.0\.1") as failed:
        store.load()
    assert PASSWORD not in repr(failed.value)
    assert failed.value.__suppress_context__


@pytest.mark.slow
def test_a_wrong_password_is_not_repeated(postgres: str) -> None:
    url = postgres.replace(PASSWORD, f"{MARK}-wrong")
    with pytest.raises(StoreError, match="password authentication failed") as failed:
        TokenStore(url, issuer="", client_id="", client_secret="").load()
    assert MARK not in str(failed.value)


def test_a_missing_driver_names_the_extra() -> None:
    code = (
        "import sys; sys.modules['psycopg'] = None\n"
        "from tap_qonto.auth.token_store import TokenStore\n"
        "try: TokenStore('postgresql://h/d', issuer='', client_id='', client_secret='')\n"
        "except Exception as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install -e '.[postgres]' in the clone" in done.stdout


def test_nothing_secret_shows_in_a_repr() -> None:
    assert MARK not in repr(Stored(now=0, session=SESSION))
