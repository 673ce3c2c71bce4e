"""The token endpoint: one POST, and what its responses mean. No retries here, by anybody.

Sources: Qonto, "Create or refresh tokens" and "The User OAuth flow" (2026-11), Q6, Q13-Q15.
"""

from __future__ import annotations

import contextlib
import json
import re
import typing as t
from dataclasses import dataclass, field

import requests
import urllib3.exceptions

from tap_qonto.api.adapter import (
    ENCODING,
    BoundedAdapter,
    Oversized,
    body_of,
    elsewhere,
    look_ahead,
    obstacle,
)
from tap_qonto.errors import SettingsError

if t.TYPE_CHECKING:
    from tap_qonto.settings import Settings

# Who gives up waiting has lost the session: the response holds the only token that lives on.
TIMEOUT = (5, 300)  # seconds to connect, and until the response begins
WHOLE = 60  # seconds from the first byte of a response to its last
LARGEST = 2**20  # bytes of a response, unpacked
LONGEST = 90 * 86400  # seconds an access token may live: no longer than a refresh token (Q6)
_TOO_MANY = 429
_OK = 200


@dataclass(frozen=True)
class Grant:
    """A fresh pair. `expires_in` in seconds; `scope` and `refresh_token` only if they were sent."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    expires_in: float
    scope: str | None


class GrantRefused(Exception):  # noqa: N818 - the server refused it
    """The server answered with an OAuth error: `code` such as `invalid_grant` (RFC 6749, 5.2)."""

    def __init__(self, code: str, description: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.description = description  # the server's own words: look into it, never print it


class NoAnswer(Exception):  # noqa: N818
    """No usable response; `args[0]` says why, as the end of a sentence.

    `spent` is False when the request certainly had no effect, `lasting` when asking again is of
    no use, `retry_after` what the server wished, in seconds.
    """

    def __init__(
        self, why: str, *, spent: bool = True, lasting: bool = False, retry_after: float = 0
    ) -> None:
        super().__init__(why)
        self.spent = spent
        self.lasting = lasting
        self.retry_after = retry_after


class _Response(t.NamedTuple):
    status: int
    headers: t.Mapping[str, str]
    content: bytes


class TokenEndpoint:
    """`POST {oauth_url}/oauth2/token`, form encoded, client credentials in the body (Q14, Q15)."""

    def __init__(self, settings: Settings) -> None:
        self.url = f"{settings.oauth_url}/oauth2/token"
        self._revoke_url = f"{settings.oauth_url}/oauth2/revoke"
        self._credentials = {
            "client_id": settings.client_id or "",
            "client_secret": settings.client_secret or "",
        }
        self._session = requests.Session()  # whose adapters retry nothing
        self._session.headers.update({"Accept": "application/json", **ENCODING})
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, BoundedAdapter(seconds=WHOLE))
        if settings.staging_token:
            self._session.headers["X-Qonto-Staging-Token"] = settings.staging_token

    def look_ahead(self) -> None:
        """Look at this machine's proxies and certificates before a token is spent; asks nobody.

        Raises:
            SettingsError: no request could be made with them.
        """
        if why := look_ahead(self._session, self.url):
            raise SettingsError([f"The token server {self.url} {why}."])

    def refresh(self, refresh_token: str) -> Grant:
        """Spend a refresh token. Raises GrantRefused or NoAnswer."""
        return self._grant({"grant_type": "refresh_token", "refresh_token": refresh_token})

    def exchange(self, code: str, redirect_uri: str, verifier: str) -> Grant:
        """Spend an authorization code (valid for 10 minutes). Raises GrantRefused or NoAnswer."""
        return self._grant(
            {
                "grant_type": "authorization_code",
                "code": code,
                "redirect_uri": redirect_uri,
                "code_verifier": verifier,
            }
        )

    def revoke(self, token: str) -> bool:
        """End a session on the server (RFC 7009); tells whether the server confirmed it.

        Not in Qonto's documents, but qontoctl uses it against the sandbox (2026-11).
        """
        try:
            return self._post(self._revoke_url, {"token": token}).status == _OK
        except NoAnswer:
            return False

    def _grant(self, form: dict[str, str]) -> Grant:
        response = self._post(self.url, form)
        body: t.Any = None
        with contextlib.suppress(ValueError, RecursionError):
            body = json.loads(response.content, parse_int=float)  # of any length
        body = body if isinstance(body, dict) else {}
        if isinstance(token := body.get("access_token"), str) and token:
            return Grant(
                access_token=token,
                refresh_token=_text(body.get("refresh_token")),
                expires_in=_seconds(body.get("expires_in")),
                scope=_text(body.get("scope")),
            )
        status = response.status
        if status >= 500 or status == _TOO_MANY:  # noqa: PLR2004
            wish = response.headers.get("Retry-After", "")
            raise NoAnswer(
                f"answered {status}",
                spent=status != _TOO_MANY,
                retry_after=float(wish) if wish.isdecimal() else 0,
            )
        code = body.get("error")
        if isinstance(code, str) and re.fullmatch(r"[a-z_]{3,40}", code):
            raise GrantRefused(code, str(body.get("error_description", "")))
        if why := elsewhere(status, "oauth_url"):
            raise NoAnswer(why, spent=False, lasting=True)
        if "html" in response.headers.get("Content-Type", "") or 300 <= status < 400:  # noqa: PLR2004
            # Q13: a web page where a token should be
            raise NoAnswer(
                f"answered {status} with a web page instead of a token: check oauth_url, and "
                "staging_token if it is the sandbox",
                spent=False,
                lasting=True,
            )
        # a success that can't be read may be one cut short: the token is spent, ask again
        cut = status == _OK
        raise NoAnswer(f"answered {status} with something unreadable", spent=cut, lasting=not cut)

    def close(self) -> None:
        """Drop the connection."""
        self._session.close()

    def _post(self, url: str, form: dict[str, str]) -> _Response:
        try:
            with self._session.post(
                url,
                data=form | self._credentials,
                auth=_as_it_is,
                timeout=TIMEOUT,
                allow_redirects=False,  # secrets go to the configured host only
                stream=True,
            ) as response:
                content = body_of(response, most=LARGEST)
                return _Response(response.status_code, response.headers, content)
        except Oversized:
            raise NoAnswer("answered with more than any token is long", lasting=True) from None
        except requests.RequestException as error:
            raise _no_answer(error) from None
        except (urllib3.exceptions.HTTPError, OSError) as error:
            if why := obstacle(error):
                raise NoAnswer(why, spent=False, lasting=True) from None
            late = isinstance(error, (urllib3.exceptions.TimeoutError, TimeoutError))
            raise NoAnswer("took too long" if late else "broke off") from None


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Keep `requests` from adding credentials of a .netrc file."""
    return request


def _no_answer(error: requests.RequestException) -> NoAnswer:
    """Tell a request that never left this machine from one that may have arrived."""
    if why := obstacle(error):
        return NoAnswer(why, spent=False, lasting=True)
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    never_left = requests.ConnectTimeout, requests.exceptions.ProxyError
    if isinstance(error, never_left) or isinstance(reason, urllib3.exceptions.NewConnectionError):
        return NoAnswer("can't be reached", spent=False)
    return NoAnswer("took too long" if isinstance(error, requests.Timeout) else "broke off")


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _seconds(value: object) -> float:
    try:
        seconds = 0.0 if isinstance(value, bool) else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        seconds = 0.0
    return seconds if 0 < seconds <= LONGEST else 3600.0  # the documented lifetime
