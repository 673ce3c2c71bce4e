"""One polite HTTP session for all threads: budget, retries, errors with a name.

Retried (with `backoff`, jittered): 429, 5xx, cut connections, broken bodies. Never: 400, 403,
404, 410, 422. A 401 refreshes the token once and repeats the request once. When nothing has been
answered well for a while, every request fails at once: a dead API ends the run.
"""

from __future__ import annotations

import functools
import logging
import threading
import time
import typing as t
from urllib.parse import quote, quote_plus, urlencode

import backoff
import requests
import urllib3.exceptions
from requests.structures import CaseInsensitiveDict

from tap_qonto.api.adapter import ENCODING, BoundedAdapter, Oversized, body_of, elsewhere, obstacle
from tap_qonto.api.rate_limit import RateLimiterClosed
from tap_qonto.api.responses import (
    NO_JSON,
    Request,
    Response,
    moment_of,
    refusal,
    retry_after,
    trace,
    verify,
)
from tap_qonto.errors import (
    LoginRequired,
    QontoError,
    RequestDenied,
    RequestFailed,
    SettingsError,
    StoreError,
)

if t.TYPE_CHECKING:
    from tap_qonto.api.rate_limit import RateLimiter
    from tap_qonto.api.session import Authenticator
    from tap_qonto.settings import Settings

logger = logging.getLogger("tap-qonto")

ORDINARY = 4 * 2**20  # bytes of a body; one larger one at a time is read
_quoted = functools.lru_cache(quote_plus)  # most parameters are those of other requests


class Patience(t.NamedTuple):
    """How long to wait, in seconds, and how often to try."""

    connect: float = 10.0
    read: float = 60.0
    """Between two parts of a response."""
    body: float = 180.0
    """For a whole response, from the first byte of its headers, however slowly it drips."""
    largest: int = 32 * 2**20
    """Bytes of a body, unpacked; a full page has some hundred kilobytes."""
    tries: int = 6
    """Of one request: about half a minute."""
    longest_pause: float = 16.0
    """Between two of them."""
    dead_after: float = 180.0
    """Without any good response."""
    endpoint_tries: int = 3
    """Organizations to which an endpoint gives nothing usable, before it is given up for all."""
    endpoint_after: float = 8.0
    """And for so long."""
    throttled_for: float = 900.0
    """Of nothing but 429: one and a half of the longest window (Q87)."""


class _Broken(RequestFailed):
    """No usable response this time; worth another try."""


class _Throttled(RequestFailed):
    """429: the budget is on hold, try again when it opens."""


class Transport:
    """Sends requests for all threads; every attempt takes its share of the budget first."""

    def __init__(
        self,
        settings: Settings,
        authenticator: Authenticator,
        rate_limiter: RateLimiter,
        user_agent: str,
        patience: Patience = Patience(),  # noqa: B008 - a tuple of numbers
    ) -> None:
        self._api_url = settings.api_url
        self._authenticator = authenticator
        self._rate_limiter = rate_limiter
        self._patience = patience
        self.user_agent = user_agent
        self._session = _session(settings, user_agent, patience.body)
        self._adapter = self._session.get_adapter(settings.api_url)
        self._base = (requests.Request("GET", settings.api_url).prepare().url or "").rstrip("/")
        self._lock = threading.Lock()
        self._failures = 0
        self._failing_since = self._failed_at = 0.0
        self._throttles = 0
        self._throttled_since = 0.0
        self._fatal: QontoError | None = None
        self._asking_elsewhere = threading.Lock()
        self._refused: set[str] = set()  # streams that answer 401 to a token that is good
        self._broken_for: dict[str, tuple[float, set[str | None]]] = {}
        """Streams of which no endpoint answers: since when, and to which organizations."""
        self._closed = False
        self._slots = threading.BoundedSemaphore(settings.concurrency)
        self._large = threading.Lock()
        self._patiently = self._with_retries()
        self.stopping = False
        """Set, also from a signal handler, to let no request start any more."""

    def send(self, request: Request) -> Response:
        """Send `request`, with retries, until the response is JSON.

        Raises:
            RequestDenied: 403, 404, 410; with an API key also 401.
            RequestRejected: 400, 422.
            RequestFailed: no usable response after all retries.
            LoginRequired: the session is gone; from then on every request raises it.
            StoreError, SettingsError: no request can be signed; the same.
            RateLimiterClosed: the run is ending.
        """
        try:
            return self._patiently(request)
        except (LoginRequired, StoreError, SettingsError) as error:
            self._fatal = error
            raise

    @property
    def is_ending(self) -> bool:
        """Does no request start any more?"""
        return self._closed or self.stopping

    def close(self) -> None:
        """Start no request any more and drop idle connections."""
        self._closed = True
        self._rate_limiter.close()
        self._session.close()

    def _with_retries(self) -> t.Callable[[Request], Response]:
        patience = self._patience
        while_broken = backoff.on_exception(
            backoff.expo,
            _Broken,
            max_tries=patience.tries,
            max_value=patience.longest_pause,
            jitter=backoff.full_jitter,
            logger=None,
            on_backoff=lambda details: logger.info(
                "%s Trying again in %.0f s.", details["exception"], details["wait"]
            ),
        )
        while_throttled = backoff.on_exception(  # the budget makes it wait
            backoff.constant,
            _Throttled,
            interval=0,
            jitter=None,
            max_time=patience.throttled_for,
            logger=None,
        )
        return while_throttled(while_broken(self._attempt))

    def _attempt(self, request: Request) -> Response:
        status, headers, content, authorization = self._exchange(request)
        if status == 401 and request.stream not in self._refused:  # noqa: PLR2004
            self._refresh(request, authorization)
            status, headers, content, _ = self._exchange(request)
        if status == 401:  # noqa: PLR2004
            raise self._unauthorized(request)
        if status == 429:  # noqa: PLR2004
            raise self._throttled(request, headers)
        if status >= 500 or status in {408, 425}:  # noqa: PLR2004
            self._note_broken(request)
            raise self._broken(f"{request}: Qonto answers {status}{trace(headers)}.")
        if why := elsewhere(status, "api_url"):
            raise RequestFailed(f"{request}: {self._api_url} {why}.")
        if status >= 400:  # noqa: PLR2004
            self._answered()
            is_known = request.organization_id is not None
            raise refusal(str(request), status, headers, content, is_known=is_known)
        if status >= 300:  # noqa: PLR2004
            raise RequestFailed(
                f"{request}: Qonto sends us to a sign-in page ({status}). In the sandbox that "
                "means staging_token is missing or wrong."  # Q13, 2026-11
            )
        try:
            verify(content)
        except (ValueError, RecursionError):
            self._note_broken(request)
            raise self._broken(NO_JSON.format(request)) from None
        self._answered()
        self._broken_for.pop(request.stream, None)
        return Response(request, content, moment_of(headers))

    def _exchange(self, request: Request) -> tuple[int, t.Mapping[str, str], bytes, str]:
        """One attempt on the wire: (status, headers, body, Authorization that was sent)."""
        self._refuse_if_hopeless(request)
        with self._rate_limiter.request(), self._slots:
            self._refuse_if_hopeless(request)  # meanwhile
            if self._closed or self.stopping:
                raise RateLimiterClosed
            # prepared now: while waiting for the budget a token may have ended
            prepared = self._prepared(request)
            try:
                with self._adapter.send(
                    prepared,
                    stream=True,
                    timeout=(self._patience.connect, self._patience.read),
                    verify=t.cast("bool | str", self._session.verify),
                    cert=self._session.cert,
                    proxies=self._session.proxies,
                ) as response:
                    content = body_of(
                        response,
                        most=self._patience.largest,
                        ordinary=ORDINARY,
                        large=self._large,
                    )
                    authorization = prepared.headers["Authorization"]
                    return response.status_code, response.headers, content, authorization
            # the libraries' own texts may quote addresses with parameters, and headers
            except Oversized:
                raise RequestFailed(f"{request}: the response is larger than any page.") from None
            except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
                if why := obstacle(error):
                    raise RequestFailed(f"{request}: {self._api_url} {why}.") from None
                raise self._broken(
                    f"{request}: no whole response from {self._api_url} ({type(error).__name__}). "
                    "Check the network, and api_url."
                ) from None
            except ValueError:
                problem = (
                    "The access token, api_key_secret or staging_token has a character that no "
                    "HTTP header can hold: set it again."
                )
                raise SettingsError([problem]) from None

    def _refuse_if_hopeless(self, request: Request) -> None:
        if self._fatal is not None:
            raise self._fatal.with_traceback(None)  # of another thread
        now, patience = time.monotonic(), self._patience
        # more than one request's tries: not one failure and then a long wait
        if self._failures > patience.tries and now - self._failing_since > patience.dead_after:
            raise RequestFailed(
                f"{request}: nothing was answered for {patience.dead_after:.0f} s. Check api_url "
                f"({self._api_url}), the network, and Qonto's status page."
            )
        if self._throttles and now - self._throttled_since > patience.throttled_for:
            raise RequestFailed(_used_up(request))
        since, organizations = self._broken_for.get(request.stream, (now, ()))
        if len(organizations) >= patience.endpoint_tries and now - since > patience.endpoint_after:
            raise RequestFailed(
                f"{request}: given up, as Qonto gave nothing usable here to "
                f"{patience.endpoint_tries} organizations one after the other. The next run tries "
                "again; if it stays so, deselect the stream"
            )

    def _note_broken(self, request: Request) -> None:
        """One endpoint that is broken for all must not hold threads that others need."""
        with self._lock:
            _, organizations = self._broken_for.setdefault(
                request.stream, (time.monotonic(), set())
            )
            organizations.add(request.organization_id)

    def _prepared(self, request: Request) -> requests.PreparedRequest:
        """Make what the adapter sends. Here is less to decide than `Session.send` provides for."""
        prepared = requests.PreparedRequest()
        prepared.method = request.method
        prepared.url = f"{self._base}{quote(request.path, safe='/%')}"
        if request.params:
            prepared.url += f"?{urlencode(request.params, quote_via=_quoted)}"
        prepared.headers = CaseInsensitiveDict(t.cast("dict[str, str]", self._session.headers))
        if request.organization_id and self._authenticator.flow == "user":
            prepared.headers["X-Qonto-Organization-Id"] = request.organization_id
        if request.body:
            prepared.headers["Content-Type"] = "application/json"
            prepared.prepare_body(request.body, None)
        try:
            prepared.prepare_auth(self._authenticator)
        except RequestFailed as error:  # the token server does not answer: it may be dead as well
            self._broken(str(error))
            raise
        return prepared

    def _refresh(self, request: Request, authorization: str) -> None:
        # Q81: with an API key it is the response of OAuth-only endpoints; of `/v2/organization`,
        # which takes keys, it says that the key is wrong
        if self._authenticator.flow == "api_key" and request.path != "/v2/organization":
            raise RequestDenied(
                str(request),
                "refused to an API key: it takes an OAuth application",
                401,
            )
        self._authenticator.refresh(authorization)

    def _unauthorized(self, request: Request) -> QontoError:
        """Tell a stream that answers 401 to any token from a session that ended.

        Such a stream gets no second refresh: 200 answers 401 an hour throttle the address (Q12).
        """
        # a membership is refused the list of organizations, but not its own
        is_list = request.stream == "user_organizations" or self._authenticator.flow != "user"
        of_all = "organization" if is_list else "user_organizations"
        with self._asking_elsewhere:
            if request.stream not in self._refused:
                status, *_ = self._exchange(Request(request.stream, None, f"/v2/{of_all}"))
                if status == 401:  # noqa: PLR2004
                    self._fatal = LoginRequired(
                        f"Qonto refuses a token that was refreshed a moment ago ({request}): "
                        "the consent was withdrawn. Log in again: tap-qonto-auth login"
                    )
                    return self._fatal
                if status == 429 or status >= 500:  # noqa: PLR2004
                    return self._broken(f"{request}: Qonto answers 401, and {status} elsewhere.")
                self._refused.add(request.stream)
        refused = RequestFailed(
            f"{request}: Qonto refuses here (401) a token that it accepts elsewhere. If it stays "
            "so, leave the stream out: deselect it in the catalog, or with `select` in Meltano"
        )
        refused.status = 401
        return refused

    def _broken(self, message: str) -> _Broken:
        with self._lock:
            now = time.monotonic()
            if not self._failures or now - self._failed_at > self._patience.dead_after / 2:
                self._failing_since, self._failures = now, 0  # long ago, nobody asked since
            self._failed_at = now
            self._failures += 1
        return _Broken(message)

    def _throttled(self, request: Request, headers: t.Mapping[str, str]) -> _Throttled:
        """Close the budget for everybody: for Retry-After seconds, else longer each time."""
        wait = retry_after(headers)
        with self._lock:
            if not self._throttles:
                self._throttled_since = time.monotonic()
            if wait is None:
                wait = min(60.0, 2.0 ** (self._throttles + 1))
            if self._rate_limiter.hold(backoff.random_jitter(wait)):
                self._throttles += 1
                logger.warning("Qonto's request limit is used up: waiting %.0f s.", wait)
        return _Throttled(_used_up(request))

    def _answered(self) -> None:
        self._failures = self._throttles = 0


def _used_up(request: Request) -> str:
    return (
        f"{request}: Qonto's request limit is used up (429), by this process or others behind the "
        "same IP address. Lower rate_limits, or run fewer at a time."
    )


class _OneHost(BoundedAdapter):
    """Looks for its pool of connections once: host, proxy and certificate stay."""

    _pool: t.Any = None

    def get_connection_with_tls_context(self, *args: t.Any, **kwargs: t.Any) -> t.Any:
        if self._pool is None:
            self._pool = super().get_connection_with_tls_context(*args, **kwargs)
        return self._pool


def _session(settings: Settings, user_agent: str, seconds: float) -> requests.Session:
    session = requests.Session()
    session.mount(
        settings.api_url,
        _OneHost(seconds=seconds, pool_connections=1, pool_maxsize=settings.concurrency),
    )
    session.headers.update({"Accept": "application/json", "User-Agent": user_agent, **ENCODING})
    if settings.staging_token:
        session.headers["X-Qonto-Staging-Token"] = settings.staging_token
    # Proxies and certificates come from the environment once, not at each request (a third of
    # the cost of `requests`); there is only one host.
    found = session.merge_environment_settings(settings.api_url, {}, None, None, None)
    session.proxies.update(found["proxies"])
    session.verify, session.cert = found["verify"], found["cert"]
    session.trust_env = False
    logging.getLogger("urllib3").setLevel(logging.CRITICAL)  # it logs addresses with parameters
    return session
