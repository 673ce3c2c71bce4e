"""Where OAuth sessions live: one encrypted row per client, and one refresher at a time.

A rotating refresh token is lost when two processes spend it, or when one dies between the request
and the write. So whoever refreshes holds `TokenStore.locked`, reads again, commits an intent (when,
which token) and only then asks; the intent tells a later process what became of the attempt. One
code path serves SQLite (embedded) and Postgres (shared). All moments are seconds since 1970 by the
clock of the store, so machines that share a store need not agree on the time.

Nothing secret is in clear: the row holds an AES-GCM ciphertext and SHA-256 fingerprints. The key
comes from the client secret by HKDF (it is long and random, so no slow derivation is needed) with a
new salt at every write.

This module knows neither Singer nor Qonto. It imports SQLAlchemy and cryptography: import it where
a session is opened, not where a program starts.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
import typing as t
from dataclasses import asdict, dataclass, field
from datetime import timezone
from pathlib import Path

import sqlalchemy as sa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from filelock import FileLock, Timeout
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from tap_qonto.auth import place
from tap_qonto.errors import StoreError

if t.TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator

LOCK_WAIT = 600  # seconds; a refresh with all its patience ends before
LOCK_HOLD = 480  # seconds after which Postgres frees the lock of a machine that vanished

_METADATA = sa.MetaData()
_SESSIONS = sa.Table(
    "oauth_sessions",
    _METADATA,
    sa.Column("client", sa.String(64), primary_key=True),
    sa.Column("payload", sa.LargeBinary),
    sa.Column("seeds", sa.Text, nullable=False),
    sa.Column("intent_token", sa.String(64)),
    sa.Column("intent_at", sa.Double),
    sa.Column("refused_at", sa.Double),
)


def fingerprint(*parts: str) -> str:
    """SHA-256 of `parts`, in hex. Of a token at most the first six characters may be shown."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


@dataclass(frozen=True)
class Session:
    """A pair of tokens and what is known about it. Moments are in seconds by the store's clock.

    `lifetime` is that of the access token, in seconds. `consented_at` is None when the session
    began from a seed; `scope` is None when the server never said. `notes` are the owner's.
    """

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_at: float
    lifetime: float
    refreshed_at: float
    consented_at: float | None = None
    scope: str | None = None
    notes: dict[str, t.Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Intent:
    """A refresh token (by fingerprint) that was about to be spent, first at `at`."""

    token: str
    at: float


@dataclass(frozen=True)
class Stored:
    """What the store holds for a client, read at `now` (seconds, the store's clock).

    `unreadable` says why there is ciphertext but no `session`. `seeds` are fingerprints of every
    seed that ever began a session here. `refused_at`: the server has refused the session since.
    """

    now: float
    session: Session | None = None
    unreadable: str | None = None
    intent: Intent | None = None
    seeds: tuple[str, ...] = ()
    refused_at: float | None = None


class TokenStore:
    """The sessions of one client at one issuer, in the database at `url`.

    Every method raises StoreError, with the place and the database's own reason but never a
    password; the constructor also SettingsError for an URL that can't work. The methods that
    write are to be called inside `locked`.
    """

    def __init__(
        self, url: str | sa.URL, *, issuer: str, client_id: str, client_secret: str
    ) -> None:
        self._client = fingerprint(issuer, client_id)
        self._secret = client_secret.encode()
        self._url = place.parsed(url)
        is_file = self._url.get_backend_name() == "sqlite"
        self.path = Path(self._url.database or "") if is_file else None
        self.where = (
            f"SQLite file {self.path}"
            if self.path
            else f"Postgres database {self._url.database!r} on {self._url.host or 'this machine'}"
        )
        self._engine = place.engine(self._url)
        if self.path:
            sa.event.listen(self._engine, "connect", _sync_everything)

    def load(self) -> Stored:
        """Read the client's row, without a lock; creates nothing."""
        with self._explained("read"):
            if self.path:
                place.check_file(self.path)
                if not self.path.exists():
                    return Stored(now=time.time())
            with self._engine.connect() as connection:
                now = _now(connection)
                if not sa.inspect(connection).has_table(_SESSIONS.name):
                    return Stored(now=now)
                row = connection.execute(
                    sa.select(_SESSIONS).where(_SESSIONS.c.client == self._client)
                ).one_or_none()
        if row is None:
            return Stored(now=now)
        session, unreadable = self._unseal(row.payload) if row.payload else (None, None)
        return Stored(
            now=now,
            session=session,
            unreadable=unreadable,
            intent=Intent(row.intent_token, row.intent_at) if row.intent_token else None,
            seeds=tuple(row.seeds.split()),
            refused_at=row.refused_at,
        )

    @contextlib.contextmanager
    def locked(self) -> Iterator[Callable[[], None]]:
        """Hold the client's session alone, among threads, processes and machines.

        A crash frees it. Also proves that the place is there, by creating what is missing. Gives a
        check, to be made before what must not happen twice: it raises StoreError if the lock is
        lost, as happens on Postgres when a machine slept for longer than `LOCK_HOLD`.
        """
        connection: sa.Connection | None = None
        with contextlib.ExitStack() as held:
            with self._explained("locked"):
                if self.path:
                    place.create_file(self.path)
                    place.create_file(lock := self.path.with_name(f"{self.path.name}.lock"))
                    held.enter_context(FileLock(lock, LOCK_WAIT, 0o600, poll_interval=0.02))
                else:
                    connection = self._lock_connection()
                    held.callback(_let_go, connection)
                self._create_table()

            def still_held() -> None:
                if connection is not None:
                    with self._explained("kept locked"):
                        connection.execute(sa.text("SELECT 1"))

            yield still_held

    def begin(self, token: str, now: float) -> Intent:
        """Commit that `token` is about to be spent. A repeated attempt keeps its first moment."""
        intent = self.load().intent
        if intent is None or intent.token != fingerprint(token):
            intent = Intent(fingerprint(token), now)
        self._write(intent_token=intent.token, intent_at=intent.at)
        return intent

    def withdraw(self) -> None:
        """Take the intent back: the token was certainly not spent."""
        self._write(intent_token=None, intent_at=None)

    def refuse(self, now: float) -> None:
        """Remember that the server refused the session."""
        self._write(refused_at=now)

    def save(self, session: Session, *, seed: str | None = None) -> None:
        """Commit a new pair, closing the intent; remembers the `seed` that it began from."""
        seeds = self.load().seeds
        if seed and fingerprint(seed) not in seeds:
            seeds = (*seeds, fingerprint(seed))
        self._write(
            payload=self._seal(session),
            seeds=" ".join(seeds),
            intent_token=None,
            intent_at=None,
            refused_at=None,
        )

    def delete(self) -> bool:
        """Forget the client; tells whether there was anything."""
        with self._explained("written"), self._engine.begin() as connection:
            gone = connection.execute(
                sa.delete(_SESSIONS).where(_SESSIONS.c.client == self._client)
            )
            return bool(gone.rowcount)

    def _write(self, **values: t.Any) -> None:
        with self._explained("written"), self._engine.begin() as connection:
            mine = _SESSIONS.c.client == self._client
            if not connection.execute(sa.update(_SESSIONS).where(mine).values(values)).rowcount:
                connection.execute(
                    sa.insert(_SESSIONS).values({"client": self._client, "seeds": ""} | values)
                )

    def _create_table(self) -> None:
        if not sa.inspect(self._engine).has_table(_SESSIONS.name):
            try:
                _METADATA.create_all(self._engine)
            except DBAPIError:  # another client's process was faster
                if not sa.inspect(self._engine).has_table(_SESSIONS.name):
                    raise

    def _lock_connection(self) -> sa.Connection:
        """A connection whose open transaction is the lock: also right behind a pooler."""
        connection = self._engine.connect()
        try:
            for setting, seconds in (
                ("lock_timeout", LOCK_WAIT),
                ("idle_in_transaction_session_timeout", LOCK_HOLD),
            ):
                connection.execute(sa.func.set_config(setting, f"{seconds}s", True).select())
            number = int.from_bytes(bytes.fromhex(self._client)[:8], "big", signed=True)
            connection.execute(sa.func.pg_advisory_xact_lock(number).select())
        except BaseException:
            connection.close()
            raise
        return connection

    @contextlib.contextmanager
    def _explained(self, what: str) -> Iterator[None]:
        """Turn the ways in which a database fails into a sentence without secrets."""
        try:
            yield
        except Timeout:
            reason = f"another process has held the session for {LOCK_WAIT} seconds"
        except NotImplementedError:  # by filelock
            reason = "its file system has no locks"
        except DBAPIError as error:
            reason = str(error.orig).strip().partition("\n")[0] or type(error.orig).__name__
        except (SQLAlchemyError, ValueError) as error:
            reason = type(error).__name__
        except OSError as error:
            reason = error.strerror or type(error).__name__
        else:
            return
        if password := self._url.password:
            reason = reason.replace(str(password), "***")
        raise StoreError(
            f"The token store ({self.where}) can't be {what}: {reason}. Repair that, or set "
            "token_store (TAP_QONTO_TOKEN_STORE) to another place."
        ) from None

    # What is stored: 16 bytes of salt, 8 that tell the right secret, 12 of nonce, the ciphertext.
    def _seal(self, session: Session) -> bytes:
        salt, nonce = os.urandom(16), os.urandom(12)
        key, mark = self._keys(salt)
        clear = json.dumps(asdict(session)).encode()
        return salt + mark + nonce + AESGCM(key).encrypt(nonce, clear, self._client.encode())

    def _unseal(self, sealed: bytes) -> tuple[Session | None, str | None]:
        key, mark = self._keys(sealed[:16])
        if sealed[16:24] != mark:
            return None, "was written with another client secret, or is damaged"
        try:
            clear = AESGCM(key).decrypt(sealed[24:36], sealed[36:], self._client.encode())
            return Session(**json.loads(clear)), None
        except (InvalidTag, ValueError, TypeError):
            return None, "is damaged"

    def _keys(self, salt: bytes) -> tuple[bytes, bytes]:
        derived = HKDF(SHA256(), 40, salt, b"oauth session").derive(self._secret)
        return derived[:32], derived[32:]


def _let_go(connection: sa.Connection) -> None:
    with contextlib.suppress(SQLAlchemyError):  # it is gone already, and the lock with it
        connection.close()


def _sync_everything(connection: sqlite3.Connection, _record: object) -> None:
    """Make a commit final: by default a power cut right after it may still undo it."""
    connection.execute("PRAGMA synchronous=EXTRA")


def _now(connection: sa.Connection) -> float:
    moment = connection.execute(sa.func.current_timestamp().select()).scalar_one()
    return float((moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp())
