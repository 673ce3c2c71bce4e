"""How a session is renewed without ever being lost: the order of lock, intent, request and write.

    a valid access token in the store? -> use it (every process shares it; no refresh)
        no: lock the session, read it again -> refreshed meanwhile? use that
            commit the intent -> POST /oauth2/token -> commit the new pair -> use it

Facts (Qonto, "Create or refresh tokens"; 2026-11): an access token lives 1 hour; a refresh token
90 days, and is replaced at each use; the used one works for 60 more seconds (Q6). So after a crash
between request and write the next process may repeat the request with the old token, if it comes
within that minute; later it tries once, and says what happened.

Imports SQLAlchemy and cryptography by way of `tokens`: import it where a session is opened.
"""

from __future__ import annotations

import contextlib
import logging
import random
import time
import typing as t
from datetime import datetime, timezone

from tap_qonto.auth.place import default_url, survives
from tap_qonto.auth.token_endpoint import Grant, GrantRefused, NoAnswer, TokenEndpoint
from tap_qonto.auth.token_store import Intent, Session, Stored, TokenStore, fingerprint
from tap_qonto.errors import LoginRequired, QontoError, RequestFailed, SettingsError, StoreError

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from tap_qonto.settings import Settings

GRACE = 60  # seconds in which a used refresh token still works (Q6)
DAY = 86400
REFRESH_LIFETIME = 90 * DAY
WARN_BEFORE = 14 * DAY
AHEAD = 120  # seconds before its end that an access token is renewed, or a tenth of its life
PAUSE = 1.0  # seconds before the first repetition of a request; doubles each time
SAVE_AGAIN = 5  # seconds between two tries to save a pair that could not be written
STORE_AWAY = 300  # seconds for which a store that is away is tried, where a session depends on it
FAIL_FAST = 30  # seconds for which a failed refresh is not tried again by the same process
REFUSALS = {"invalid_grant", "token_inactive", "token_expired"}  # the latter two: Ory Hydra
LOGIN = "run `tap-qonto-auth login` (in a Meltano project: `meltano invoke tap-qonto:login`)"

_logger = logging.getLogger(__name__)


def open_store(settings: Settings) -> TokenStore:
    """Open the token store that `settings` name, by default a file in the user's data folder.

    Raises:
        SettingsError: the URL can't work, its driver is missing, or this user has no folder.
    """
    return TokenStore(
        settings.token_store or default_url(),
        issuer=settings.oauth_url,
        client_id=settings.client_id or "",
        client_secret=settings.client_secret or "",
    )


class Refresher:
    """Gives a live session: the store's, or one it gets from the token endpoint and stores.

    For one thread at a time; other processes are held off by the store. `unsaved` is a pair that
    could not be written (with the seed it came from): the newest one, and only in memory.

    Every method may raise LoginRequired (only a person can repair it), StoreError, RequestFailed
    (the token server does not answer) or SettingsError (the client is wrong).
    """

    def __init__(self, settings: Settings, *, before_request: Callable[[], None]) -> None:
        self.store = open_store(settings)
        self.endpoint = TokenEndpoint(settings)
        self.unsaved: tuple[Session, str | None] | None = None
        self._settings = settings
        self._before_request = before_request
        self._clock = 0.0  # what the store's clock is ahead of the monotonic one
        self._save_at = 0.0
        self._warned = False
        self._failed: tuple[QontoError, float] | None = None  # and until when it is repeated
        self._opened = False
        self.ending = False
        """Set from any thread when the run ends: nothing new is waited for."""

    def live(self, rejected: str | None = None) -> Session:
        """Return a session whose access token is alive, and is not the `rejected` one.

        In mid-run a store that is away is waited for: it did work before.
        """
        until = time.monotonic() + STORE_AWAY
        while True:
            try:
                session = self._live(rejected)
            except StoreError as error:
                if not self._opened or self.ending or time.monotonic() >= until:
                    raise
                _logger.warning("%s Trying again, for up to %s.", error, span(STORE_AWAY))
                self._failed = None
                time.sleep(SAVE_AGAIN)
            else:
                self._opened = True
                return session

    def _live(self, rejected: str | None) -> Session:
        if self.unsaved:
            return self._live_unsaved(*self.unsaved, rejected)
        if session := self._usable(self._load(), rejected):
            return session
        if self._failed and time.monotonic() < self._failed[1]:
            raise self._failed[0]  # hundreds of partitions need not all find out by themselves
        self._before_request()  # may wait for long: not while others wait for the lock
        try:
            with self.store.locked() as still_held:
                stored = self._load()
                return self._usable(stored, rejected) or self._renewed(stored, still_held)
        except QontoError as error:
            self._failed = error, time.monotonic() + FAIL_FAST
            raise

    def good_for(self, session: Session) -> float:
        """Seconds for which the access token may still be used; renewed ahead of its end."""
        return session.expires_at - min(AHEAD, session.lifetime / 10) - self._now()

    def save_unsaved(self, *, at_once: bool = False) -> None:
        """Try again to write the pair that could not be written, every few seconds at most."""
        if self.unsaved is None or not (at_once or time.monotonic() >= self._save_at):
            return
        session, seed = self.unsaved
        self._save_at = time.monotonic() + SAVE_AGAIN
        with contextlib.suppress(StoreError):
            with self.store.locked():
                stored = self._load().session
                # a newer one is somebody's login, or a repeated refresh of another process
                if stored is None or stored.refreshed_at <= session.refreshed_at:
                    self.store.save(session, seed=seed)
            self.unsaved = None
            _logger.info("The new tokens are in %s now.", self.store.where)

    def save_at_last(self) -> None:
        """Write the pair that could not be written, for as long as it may take.

        Raises:
            StoreError: in vain; the pair dies with this process.
        """
        until, told = time.monotonic() + STORE_AWAY, False
        while self.unsaved:
            self.save_unsaved(at_once=True)
            if self.unsaved is None:
                return
            if time.monotonic() >= until:
                raise StoreError(
                    "The session was refreshed, but the new tokens could not be written to the "
                    f"token store ({self.store.where}), and the old ones end within a minute. "
                    "Make it writable and run again at once, or run `tap-qonto-auth login`."
                )
            if not told:
                told = True
                _logger.warning(
                    "The new tokens are not in %s yet: trying for up to %s. To end this process "
                    "before would lose the session.",
                    self.store.where,
                    span(STORE_AWAY),
                )
            time.sleep(SAVE_AGAIN)

    def _load(self) -> Stored:
        stored = self.store.load()
        self._clock = stored.now - time.monotonic()
        return stored

    def _now(self) -> float:
        return time.monotonic() + self._clock

    def _new_seed(self, stored: Stored) -> str | None:
        """The configured refresh token, unless it once began a session here."""
        seed = self._settings.refresh_token
        return seed if seed and fingerprint(seed) not in stored.seeds else None

    def _usable(self, stored: Stored, rejected: str | None) -> Session | None:
        session = stored.session
        if session is None or self._new_seed(stored):
            return None
        self._watch_age(session, stored.now)
        alive = session.access_token != rejected and self.good_for(session) > 0
        return session if alive else None

    def _watch_age(self, session: Session, now: float) -> None:
        if session.refreshed_at + REFRESH_LIFETIME - now < WARN_BEFORE and not self._warned:
            self._warned = True
            _logger.warning(
                "The session was last refreshed %s ago; Qonto ends it after 90 days without a "
                "refresh. Run the tap, or `tap-qonto-auth refresh`, more often.",
                span(now - session.refreshed_at),
            )

    def _renewed(self, stored: Stored, still_held: Callable[[], None]) -> Session:
        """Spend the new seed or the stored refresh token. The store's lock is held."""
        seed = self._new_seed(stored)
        former = None if seed else stored.session
        if not seed and stored.unreadable:
            raise StoreError(
                f"The session in {self.store.where} {stored.unreadable}: set client_secret to "
                f"the one it was made with, or {LOGIN}."
            )
        token = seed or (former.refresh_token if former else None)
        if token is None:
            raise LoginRequired(f"{no_session(self._settings, self.store.where)}: {LOGIN}.")
        if seed:
            warn_if_it_dies(self.store)
        self.endpoint.look_ahead()
        intent = self.store.begin(token, stored.now)
        grant = self._spend(token, intent, stored, still_held)
        return self._kept(grant, former, seed) if isinstance(grant, Grant) else grant

    def _spend(
        self, token: str, intent: Intent, stored: Stored, still_held: Callable[[], None]
    ) -> Grant | Session:
        """Ask for a new pair, repeatedly while the grace lasts.

        Gives a Session instead if the token was refused but the store turned out to have a newer.
        """
        deadline = min(intent.at, self._now()) + GRACE
        spent = resumed = intent == stored.intent
        pause, overran = PAUSE, False
        while True:
            still_held()  # who lost the lock may not be the only one: leave the token alone
            begun = self._now()
            try:
                return self.endpoint.refresh(token)
            except GrantRefused as refusal:
                if refusal.code in REFUSALS:
                    newer = self._newer(stored, still_held)
                    return newer or self._refused(token, stored, resumed=resumed)
                self._withdraw(unless=spent)
                raise misconfigured(refusal, self.endpoint.url) from None
            except NoAnswer as answer:
                silence = answer
            spent = spent or silence.spent
            if begun <= deadline < self._now() and not overran:
                # it took so long that the token may have been used a moment ago: once more
                overran, deadline = True, self._now() + pause
            wait = max(silence.retry_after, pause * random.uniform(0.5, 1))  # noqa: S311 - jitter
            pause *= 2
            in_time = not silence.lasting and self._now() + wait <= deadline
            if in_time:
                time.sleep(wait)
                # may wait for longer than the grace lasts; the end of a run is no reason to stop
                # here: the next one may come too late
                with contextlib.suppress(Exception):
                    self._before_request()
            if not in_time or self._now() > deadline:
                self._withdraw(unless=spent)
                raise RequestFailed(
                    f"The token server {self.endpoint.url} {silence}. "
                    + (
                        "Run again: if the refresh token was used up meanwhile, that run will "
                        "say so."
                        if spent
                        else "The session is unharmed."
                        if silence.lasting
                        else "The session is unharmed: run again later."
                    )
                )

    def _withdraw(self, *, unless: bool) -> None:
        if not unless and not self.unsaved:
            with contextlib.suppress(StoreError):
                self.store.withdraw()

    def _newer(self, stored: Stored, still_held: Callable[[], None]) -> Session | None:
        """After a refusal: what the store holds now, if somebody wrote to it past the lock."""
        if self.unsaved:
            return None
        again = self._load()
        if again.session == stored.session and again.seeds == stored.seeds:
            return None
        return self._usable(again, None) or self._renewed(again, still_held)

    def _refused(self, token: str, stored: Stored, *, resumed: bool) -> t.NoReturn:
        seed = self._new_seed(stored) == token
        with contextlib.suppress(StoreError):
            self._withdraw(unless=resumed)  # a resumed one stays, so that every run can tell
            if not seed:
                self.store.refuse(self._now())
        mark = fingerprint(token)[:6]
        if resumed and stored.intent:
            what = (
                f"A refresh that began {span(stored.now - stored.intent.at)} ago "
                f"({moment(stored.intent.at)}) was interrupted before its response was stored, and "
                f"Qonto no longer accepts the token it used ({mark})"
            )
        elif seed:
            what = (
                f"Qonto does not accept the configured refresh_token ({mark}): it was used "
                "elsewhere, is older than 90 days, or the consent was withdrawn"
            )
        else:
            idle = stored.now - stored.session.refreshed_at if stored.session else 0
            why = (
                "it ended after 90 days without a refresh"
                if idle > REFRESH_LIFETIME
                else "the consent was withdrawn, or another program used its token"
            )
            what = f"Qonto ended the session ({mark}), last refreshed {span(idle)} ago: {why}"
        if seed and stored.session:
            what += (
                ". The session in the store is untouched: take refresh_token out of the settings "
                "to go on with it"
            )
        raise LoginRequired(f"{what}. To begin a new session, {LOGIN}.")

    def _kept(self, grant: Grant, former: Session | None, seed: str | None) -> Session:
        """Store the new pair before anybody uses it; if that fails, go on with it in memory."""
        now = self._now()
        session = Session(
            access_token=grant.access_token,
            refresh_token=grant.refresh_token or (former.refresh_token if former else seed or ""),
            expires_at=now + grant.expires_in,
            lifetime=grant.expires_in,
            refreshed_at=now,
            consented_at=former.consented_at if former else None,
            scope=grant.scope or (former.scope if former else None),
            notes=former.notes if former else {},
        )
        try:
            self.store.save(session, seed=seed)
            self.unsaved = None
        except StoreError as error:
            self.unsaved = session, seed
            self._save_at = time.monotonic() + SAVE_AGAIN
            _logger.error(  # noqa: TRY400 - a sentence for the user, not a traceback
                "%s The new tokens are in the memory of this run only; it goes on, and tries "
                "again to write them.",
                error,
            )
        return session

    def _live_unsaved(self, session: Session, seed: str | None, rejected: str | None) -> Session:
        """Like `live`, for a pair that is only in memory: no stored one is left to protect."""
        if session.access_token != rejected and self.good_for(session) > 0:
            return session
        self._before_request()
        stored = Stored(self._now(), session)
        intent = Intent(fingerprint(session.refresh_token), stored.now)
        grant = self._spend(session.refresh_token, intent, stored, lambda: None)
        return self._kept(grant, session, seed) if isinstance(grant, Grant) else grant


def no_session(settings: Settings, where: str) -> str:
    """Say of which client, at which server, there is no session."""
    return f"There is no session of client {settings.client_id} at {settings.oauth_url} in {where}"


def warn_if_it_dies(store: TokenStore) -> None:
    """Say, before a one-time token is spent, that the store will not outlive the container."""
    if store.path and not survives(store.path):
        _logger.warning(
            "The token store (%s) is in a place that ends with this container, or at the next "
            "start of the machine, and the session with it. Set token_store "
            "(TAP_QONTO_TOKEN_STORE) to a file on a volume, or to a Postgres database.",
            store.where,
        )


def span(seconds: float) -> str:
    """Say a duration the way people do: `14 minutes`, `3 days`."""
    for unit, size in (("day", DAY), ("hour", 3600), ("minute", 60)):
        if seconds >= 2 * size:
            return f"{int(seconds // size)} {unit}s"
    return f"{max(int(seconds), 0)} seconds"


def moment(seconds: float) -> str:
    """Show a moment in UTC, such as `2026-11-24 23:05 UTC`."""
    return f"{datetime.fromtimestamp(seconds, timezone.utc):%Y-%m-%d %H:%M} UTC"


def misconfigured(refusal: GrantRefused, url: str) -> QontoError:
    """Explain a refusal that has nothing to do with the token: the client is wrong."""
    if refusal.code == "invalid_client":
        message = (
            f"client_id or client_secret is not accepted by {url} (invalid_client): copy both "
            "from the Qonto developer portal. The session is unharmed."
        )
        return SettingsError([message])
    return QontoError(f"The token server {url} refuses the request ({refusal.code}).")
