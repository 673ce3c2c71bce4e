"""One polite HTTP session for all threads: budget, retries, one decode, errors with a name.

Retried (with `backoff`, jittered): 429, 5xx, cut connections, broken bodies. Never: 400, 403,
404, 410, 422. A 401 refreshes the token once and repeats the request once. When nothing has
been answered well for `DEAD_AFTER` seconds, every request fails at once: a dead API ends the run.
"""

from __future__ import annotations

import logging
import re
import threading
import time
import typing as t
from dataclasses import dataclass
from datetime import datetime, timezone
from decimal import Decimal
from email.utils import parsedate_to_datetime
from urllib.parse import quote, urlencode

import backoff
import msgspec
import requests
import requests.adapters
from requests.structures import CaseInsensitiveDict

from tap_qonto.budget import BudgetClosed
from tap_qonto.errors import (
    LoginRequired,
    QontoError,
    RequestDenied,
    RequestFailed,
    RequestRejected,
)

if t.TYPE_CHECKING:
    from tap_qonto.auth import ApiKeyAuthenticator, QontoAuthenticator
    from tap_qonto.budget import Budget
    from tap_qonto.settings import Settings

logger = logging.getLogger("tap-qonto")

CONNECT_TIMEOUT, READ_TIMEOUT = 10.0, 60.0  # seconds
BODY_TIMEOUT = 180.0  # seconds for a whole body, however slowly it drips
LARGEST_BODY = 64 * 2**20  # bytes; a full page has some hundred kilobytes
TRIES = 6  # of one request: about half a minute
DEAD_AFTER = 180.0  # seconds without any good answer
THROTTLED_FOR = 900.0  # seconds of nothing but 429: one and a half of the longest window

_json = msgspec.json.Decoder(float_hook=Decimal)


def decode(content: bytes) -> t.Any:
    """Decode JSON with every number exact: int of any length, or Decimal as it was written.

    What no text of a warehouse can hold is mended: NUL is dropped, half of a surrogate pair
    becomes U+FFFD.

    Raises:
        ValueError: if `content` is not JSON. RecursionError: if it is nested beyond reason.
    """
    if _NUL in content:
        content = _ESCAPE.sub(_whole_escape, content)
    try:
        return _json.decode(content)
    except UnicodeDecodeError:
        raise
    except msgspec.DecodeError:
        try:
            return _json.decode(_ESCAPE.sub(_whole_escape, content))
        except msgspec.DecodeError as error:
            raise ValueError(str(error)) from None


# Both come as escapes only: JSON forbids a bare NUL, UTF-8 half of a pair.
_NUL = rb"\u0000"
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][\da-fA-F]{2}\\u[dD][c-fC-F][\da-fA-F]{2}"
    rb"|u([dD][89a-fA-F][\da-fA-F]{2})|u0000|.)",
    re.DOTALL,
)


def _whole_escape(match: re.Match[bytes]) -> bytes:
    return b"\\ufffd" if match[1] else match[0].replace(_NUL, b"")


@dataclass(frozen=True)
class Request:
    """One call of the data API. `params` are (name, value) pairs; `path` starts with /v2."""

    stream: str
    organization_id: str | None
    path: str
    params: tuple[tuple[str, str], ...] = ()
    method: str = "GET"
    body: bytes | None = None

    def __str__(self) -> str:
        """Name stream and organization for messages, never parameters."""
        where = f" of organization {self.organization_id}" if self.organization_id else ""
        return f"{self.stream}{where}"


@dataclass(frozen=True)
class Answer:
    """A decoded body (numbers exact: int or Decimal) and the server's clock (UTC)."""

    body: t.Any
    date: datetime | None


class _Broken(RequestFailed):
    """No usable answer this time; worth another try."""


class _Throttled(RequestFailed):
    """429: the budget is on hold, try again when it opens."""


class Transport:
    """Sends requests for all threads; every attempt takes its share of the budget first."""

    def __init__(
        self,
        settings: Settings,
        authenticator: QontoAuthenticator | ApiKeyAuthenticator,
        budget: Budget,
        user_agent: str,
    ) -> None:
        self._api_url = settings.api_url
        self._authenticator = authenticator
        self._budget = budget
        self._session = _session(settings, user_agent)
        self._adapter = self._session.get_adapter(settings.api_url)
        self._base = (requests.Request("GET", settings.api_url).prepare().url or "").rstrip("/")
        self._lock = threading.Lock()
        self._failing_since: float | None = None
        self._failures = 0
        self._throttles = 0
        self._fatal: QontoError | None = None
        self._closed = False
        self._slots = threading.BoundedSemaphore(settings.concurrency)
        self.stopping = False
        """Set, also from a signal handler, to let no request start any more."""

    def send(self, request: Request) -> Answer:
        """Send `request`, with retries, and decode the answer.

        Raises:
            RequestDenied: 403, 404, 410; with an API key also 401.
            RequestRejected: 400, 422.
            RequestFailed: no usable answer after all retries.
            LoginRequired: the session is gone; from then on every request raises it.
            BudgetClosed: the run is ending.
        """
        if self._fatal is not None:
            raise self._fatal
        try:
            return self._patiently(request)
        except LoginRequired as error:
            self._fatal = error
            raise

    def close(self) -> None:
        """Start no request any more and drop idle connections."""
        self._closed = True
        self._budget.close()
        self._session.close()

    @backoff.on_exception(
        backoff.constant, _Throttled, interval=0, jitter=None, max_time=THROTTLED_FOR, logger=None
    )
    @backoff.on_exception(
        backoff.expo,
        _Broken,
        max_tries=TRIES,
        max_value=16,
        jitter=backoff.full_jitter,
        logger=None,
        on_backoff=lambda details: logger.info(
            "%s Trying again in %.0f s.", details["exception"], details["wait"]
        ),
    )
    def _patiently(self, request: Request) -> Answer:
        status, headers, content, authorization = self._exchange(request)
        if status == 401:  # noqa: PLR2004
            self._renew(request, authorization)
            status, headers, content, authorization = self._exchange(request)
            if status == 401:  # noqa: PLR2004
                raise LoginRequired(
                    f"Qonto refuses a token that was refreshed a moment ago ({request}): "
                    "the consent was withdrawn. Log in again: tap-qonto-auth login"
                )
        if status == 429:  # noqa: PLR2004
            self._throttle(headers)
            raise _Throttled(
                f"{request}: Qonto's request limit is used up (429), by this process or others "
                "behind the same IP address. Lower rate_limits, or run fewer at a time."
            )
        if status >= 500:  # noqa: PLR2004
            raise self._broken(f"{request}: Qonto answers {status}{_trace(headers)}.")
        if status >= 400:  # noqa: PLR2004
            self._answered()
            raise _refusal(request, status, headers, content)
        if status >= 300:  # noqa: PLR2004
            raise RequestFailed(
                f"{request}: Qonto sends us to a sign-in page ({status}). In the sandbox that "
                "means staging_token is missing or wrong."  # Q13, 2026-11
            )
        try:
            body = decode(content)
        except (ValueError, RecursionError):
            raise self._broken(f"{request}: the answer is not the JSON it should be.") from None
        self._answered()
        return Answer(body, _date(headers))

    def _exchange(self, request: Request) -> tuple[int, t.Mapping[str, str], bytes, str]:
        """One attempt on the wire: (status, headers, body, Authorization that was sent)."""
        if (
            self._failing_since
            and self._failures > TRIES  # not one failure and then a long wait for the budget
            and time.monotonic() - self._failing_since > DEAD_AFTER
        ):
            raise RequestFailed(
                f"{request}: nothing was answered for {DEAD_AFTER:.0f} s. Check api_url "
                f"({self._api_url}), the network, and Qonto's status page."
            )
        self._budget.acquire()
        with self._slots:
            if self._closed or self.stopping:
                raise BudgetClosed
            # prepared now: while waiting for the budget a token may have ended
            prepared = self._prepared(request)
            try:
                with self._adapter.send(
                    prepared,
                    stream=True,
                    timeout=(CONNECT_TIMEOUT, READ_TIMEOUT),
                    verify=t.cast("bool | str", self._session.verify),
                    cert=self._session.cert,
                    proxies=self._session.proxies,
                ) as response:
                    return (
                        response.status_code,
                        response.headers,
                        _body(response),
                        prepared.headers["Authorization"],
                    )
            except (requests.RequestException, OSError, _Oversized) as error:
                # the library's own texts may quote addresses with parameters: only the kind
                raise self._broken(
                    f"{request}: no whole answer from {self._api_url} ({type(error).__name__}). "
                    "Check the network, and api_url."
                ) from None

    def _prepared(self, request: Request) -> requests.PreparedRequest:
        """Make what the adapter sends. Here is less to decide than `Session.send` provides for."""
        prepared = requests.PreparedRequest()
        prepared.method = request.method
        prepared.url = f"{self._base}{quote(request.path)}"
        if request.params:
            prepared.url += f"?{urlencode(request.params)}"
        prepared.headers = CaseInsensitiveDict(t.cast("dict[str, str]", self._session.headers))
        if request.organization_id and self._authenticator.flow == "user":
            prepared.headers["X-Qonto-Organization-Id"] = request.organization_id
        if request.body:
            prepared.headers["Content-Type"] = "application/json"
            prepared.prepare_body(request.body, None)
        prepared.prepare_auth(self._authenticator)
        return prepared

    def _renew(self, request: Request, authorization: str) -> None:
        # Q81: with an API key it is the answer of OAuth-only endpoints; of `/v2/organization`,
        # which takes keys, it says that the key is wrong
        if self._authenticator.flow == "api_key" and request.path != "/v2/organization":
            raise RequestDenied(
                str(request),
                "refused to an API key: it takes an OAuth application",
                401,
            )
        self._authenticator.renew(authorization)

    def _broken(self, message: str) -> _Broken:
        with self._lock:
            self._failing_since = self._failing_since or time.monotonic()
            self._failures += 1
        return _Broken(message)

    def _throttle(self, headers: t.Mapping[str, str]) -> None:
        """Close the budget for everybody: for Retry-After seconds, else longer each time."""
        wait = _retry_after(headers)
        with self._lock:
            if wait is None:
                wait = min(60.0, 2.0 ** (self._throttles + 1))
            if self._budget.hold(backoff.random_jitter(wait)):
                self._throttles += 1
                logger.warning("Qonto's request limit is used up: waiting %.0f s.", wait)

    def _answered(self) -> None:
        self._failing_since = None
        self._failures = self._throttles = 0


class _Oversized(Exception):  # noqa: N818
    """A body larger or slower than any honest one."""


def _session(settings: Settings, user_agent: str) -> requests.Session:
    session = requests.Session()
    session.mount(
        settings.api_url,
        requests.adapters.HTTPAdapter(pool_connections=1, pool_maxsize=settings.concurrency),
    )
    session.headers.update({"Accept": "application/json", "User-Agent": user_agent})
    if settings.staging_token:
        session.headers["X-Qonto-Staging-Token"] = settings.staging_token
    # Proxies and certificates come from the environment once, not at each request (a third of
    # the cost of `requests`); there is only one host.
    found = session.merge_environment_settings(settings.api_url, {}, None, None, None)
    session.proxies.update(found["proxies"])
    session.verify, session.cert = found["verify"], found["cert"]
    session.trust_env = False
    return session


def _body(response: requests.Response) -> bytes:
    deadline = time.monotonic() + BODY_TIMEOUT
    parts, size = [], 0
    for part in response.iter_content(2**18):
        parts.append(part)
        size += len(part)
        if size > LARGEST_BODY or time.monotonic() > deadline:
            raise _Oversized
    return b"".join(parts)


def _refusal(
    request: Request, status: int, headers: t.Mapping[str, str], content: bytes
) -> QontoError:
    """Name the refusal. Only Qonto's short error code is quoted, never the body's texts."""
    code, detail = _error(content)
    trace = f"{f' {code}' if code else ''}{_trace(headers)}"
    if status in {400, 422}:
        return RequestRejected(
            f"{request}: Qonto does not accept the request ({status}{trace}).", status
        )
    if status == 403:  # noqa: PLR2004
        why = (
            "the session lacks a scope: tap-qonto-auth login"  # Q85
            if "scope" in detail
            else "scope, role, plan or consent does not allow it"  # Q2, Q58, Q82
        )
    elif status == 410:  # noqa: PLR2004
        why = "Qonto has retired it"  # Q88
    elif request.organization_id is None:
        why = "there is nothing at this address: check api_url"
    else:
        why = "not found, or the feature is switched off"  # Q83
    return RequestDenied(str(request), why, status, trace)


def _error(content: bytes) -> tuple[str, str]:
    """Code and detail of an error body, whatever its form (Q86); empty texts if there are none."""
    try:
        body = decode(content)
    except (ValueError, RecursionError):
        return "", ""
    found = body.get("errors", body) if isinstance(body, dict) else {}
    first = found[0] if isinstance(found, list) and found else found
    if not isinstance(first, dict):
        return "", ""
    code = str(first.get("code") or "")
    return (code if re.fullmatch(r"[a-z0-9_]{1,40}", code) else ""), str(first.get("detail") or "")


def _trace(headers: t.Mapping[str, str]) -> str:
    """The ids that Qonto's support asks for."""
    trace = headers.get("X-Request-Id") or headers.get("X-Tyk-Trace-Id") or ""
    return f", request id {trace}" if re.fullmatch(r"[\w-]{1,64}", trace) else ""


def _retry_after(headers: t.Mapping[str, str]) -> float | None:
    value = headers.get("Retry-After", "")
    if re.fullmatch(r"\d{1,6}(\.\d+)?", value):
        return min(float(value), 600.0)
    try:
        moment = parsedate_to_datetime(value)
    except (TypeError, ValueError):
        return None
    return min(600.0, max(0.0, (moment - datetime.now(timezone.utc)).total_seconds()))


def _date(headers: t.Mapping[str, str]) -> datetime | None:
    try:
        moment = parsedate_to_datetime(headers.get("Date", ""))
    except (TypeError, ValueError):
        return None
    return moment.astimezone(timezone.utc) if moment.tzinfo else None
