"""A live `Authorization` on every request: OAuth sessions and API keys.

How sessions are refreshed is in `refresh`; here they are shared by the threads of one process.
"""

from __future__ import annotations

import logging
import re
import threading
import time
import typing as t

from singer_sdk.authenticators import APIAuthenticatorBase, OAuthAuthenticator

from tap_qonto.errors import LoginRequired

if t.TYPE_CHECKING:
    from collections.abc import Callable

    import requests

    from tap_qonto.auth.refresh import Refresher
    from tap_qonto.auth.token_store import Session
    from tap_qonto.settings import Settings

logger = logging.getLogger(__name__)

PATIENCE = 2.0  # seconds before it is said what the end of a run waits for
USER_SCOPE = "user_organization.read"  # marks the user flow: one token, several organizations
OFFLINE_SCOPE = "offline_access"  # without it there is no refresh token, and no error (Q7)


class QontoAuthenticator(OAuthAuthenticator):
    """Authorizes requests with the session of the token store, from any thread.

    One object per process. Every public member may raise LoginRequired (only a person can repair
    it), StoreError (the token store), RequestFailed (the token server does not answer) or
    SettingsError (client id or secret are wrong).
    """

    def __init__(self, settings: Settings, *, before_request: Callable[[], None]) -> None:
        super().__init__(client_id=settings.client_id, client_secret=settings.client_secret)
        self._settings = settings
        self._before_request = before_request
        self._mutex = threading.RLock()
        self._refresher: Refresher | None = None
        self._current: tuple[Session, float] | None = None  # and the monotonic end of its use
        self.flow = "user"
        """`user`: several organizations, header on each request. `membership`: one, no header.
        Whoever asks for the organizations finds it out and sets it (`organizations`)."""

    @property
    def refresher(self) -> Refresher:
        """The session's keeper, made at first use."""
        with self._mutex:
            if self._refresher is None:
                # SQLAlchemy and cryptography load slowly: only where a session is needed
                from tap_qonto.auth.refresh import Refresher  # noqa: PLC0415

                self._refresher = Refresher(self._settings, before_request=self._before_request)
            return self._refresher

    @property
    def granted_scopes(self) -> frozenset[str] | None:
        """What the user consented to, as far as the server told; None if it never did.

        A hint: no page and no client shows `scope` in the token response. May refresh.
        """
        return frozenset(scopes_of(self.session().scope)) or None

    def authenticate_request(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Set the header, after a refresh if the token is about to end."""
        request.headers["Authorization"] = f"Bearer {self.session().access_token}"
        return request

    def session(self) -> Session:
        """Return a session with a live access token."""
        current, refresher = self._current, self._refresher
        if current and time.monotonic() < current[1] and not (refresher and refresher.unsaved):
            return current[0]
        with self._mutex:  # and look again: another thread may have been faster
            self.refresher.save_unsaved()
            if not (self._current and self.is_token_valid()):
                self._use(self.refresher.live())
            return t.cast("tuple[Session, float]", self._current)[0]

    def is_token_valid(self) -> bool:
        """Whether there is an access token that need not be renewed yet."""
        current = self._current
        return current is not None and time.monotonic() < current[1]

    def update_access_token(self) -> None:
        """Get a live access token: the store's, or by a refresh."""
        self.access_token = self.session().access_token

    def refresh(self, rejected: str) -> None:
        """After a 401: replace the token, unless another thread or process already did.

        `rejected` is the value of the `Authorization` header that was refused.
        """
        token = rejected.partition(" ")[2]
        with self._mutex:
            if self._current and self._current[0].access_token != token and self.is_token_valid():
                return
            self._current = None
            self._use(self.refresher.live(rejected=token))

    def close(self) -> None:
        """Wait for a refresh that is on its way, and save what could not be saved before.

        To be called at the end of a run, however it ends.

        Raises:
            StoreError: the newest pair is only in memory and dies with this process.
        """
        refresher = self._refresher
        if refresher is None:
            return
        refresher.ending = True
        if not self._mutex.acquire(timeout=PATIENCE):
            logger.warning(
                "Waiting for the response to a refresh: to end this process before it has come "
                "would lose the session."
            )
            self._mutex.acquire()
        try:
            refresher.save_at_last()
        finally:
            refresher.endpoint.close()
            self._mutex.release()

    def _use(self, session: Session) -> None:
        self._current = session, time.monotonic() + self.refresher.good_for(session)


class ApiKeyAuthenticator(APIAuthenticatorBase):
    """Puts an API key on every request: one organization, no session, nothing to refresh."""

    flow: str = "api_key"
    granted_scopes: frozenset[str] | None = None

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._login = settings.api_key_login
        # neither Bearer nor Basic nor Base64 (contract, "Authentication"; 2026-11)
        self._header = f"{settings.api_key_login}:{settings.api_key_secret}"

    def authenticate_request(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Set the header."""
        request.headers["Authorization"] = self._header
        return request

    def refresh(self, rejected: str) -> None:  # noqa: ARG002 - there is only one key
        """After a 401: nothing can be renewed, so LoginRequired is raised."""
        raise LoginRequired(
            f"Qonto does not accept the API key of {self._login}: copy login and secret key from "
            "Qonto (Settings, Integrations, API key) to api_key_login and api_key_secret again."
        )

    def close(self) -> None:
        """There is nothing to save."""


def scopes_of(text: str | None) -> list[str]:
    """Part the scopes of a token response: by blanks (RFC 6749), or by commas."""
    return re.findall(r"[^\s,]+", text or "")


def authenticator_for(
    settings: Settings, *, before_request: Callable[[], None] = lambda: None
) -> QontoAuthenticator | ApiKeyAuthenticator:
    """Make the authenticator that `settings` ask for; touches neither disk nor network.

    `before_request` is called before every token request, so that a rate limiter can count it.
    """
    if settings.api_key_login:
        return ApiKeyAuthenticator(settings)
    return QontoAuthenticator(settings, before_request=before_request)
