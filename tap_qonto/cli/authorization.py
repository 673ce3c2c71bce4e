"""One trip of the user to Qonto's consent page: the address, and what comes back.

Sources: Qonto, "The User OAuth flow" (2026-11); Q7-Q10; RFC 6749 4.1, RFC 7636 (PKCE), which
qontoctl uses with Qonto.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
import typing as t
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlencode, urlsplit

from tap_qonto.api.contract import endpoints
from tap_qonto.auth.authenticator import OFFLINE_SCOPE, USER_SCOPE
from tap_qonto.errors import LoginRequired
from tap_qonto.streams import STREAMS, invoicing, payables

if t.TYPE_CHECKING:
    from tap_qonto.auth.token_endpoint import Grant, TokenEndpoint
    from tap_qonto.settings import Settings

SENSITIVE_SCOPES = ("organization.read",)
"""Qonto approves them by application, after days ("Scopes & endpoint access", 2026-11)."""
ATTACHMENT_SCOPE = "attachment.read"  # for the files of invoices, without organization.read (Q11)

INVOICES = "invoices"  # the value of --scope that stands for `invoice_scopes`
_AGAIN = "Nothing has changed: a session that you had lives on."


class AnotherLogin(LoginRequired):
    """The response carries a `state` that is not ours: an old tab, or a forgery."""


@dataclass(frozen=True)
class Authorization:
    """What is asked of the user, and the secrets that tie the response to the question."""

    settings: Settings
    redirect_uri: str
    data_scopes: tuple[str, ...]
    membership: bool = False
    state: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48), repr=False)

    @property
    def scopes(self) -> tuple[str, ...]:
        """The data's scopes and those that every session needs, each once."""
        always = (OFFLINE_SCOPE,) if self.membership else (OFFLINE_SCOPE, USER_SCOPE)
        return tuple(dict.fromkeys((*always, *self.data_scopes)))

    @property
    def url(self) -> str:
        """The address that the user opens."""
        digest = hashlib.sha256(self.verifier.encode()).digest()
        query = {
            "client_id": self.settings.client_id or "",
            "redirect_uri": self.redirect_uri,
            "response_type": "code",
            "scope": " ".join(self.scopes),
            "state": self.state,
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        if not self.membership:
            query["identity_type"] = "user"
        return f"{self.settings.oauth_url}/oauth2/auth?{urlencode(query)}"

    def code(self, response: t.Mapping[str, str]) -> str:
        """Take the code out of the parameters that the browser brought back.

        Raises:
            AnotherLogin: `state` is missing or not ours.
            LoginRequired: the consent server refused; says what and what repairs it.
        """
        if not secrets.compare_digest(response.get("state", "").encode(), self.state.encode()):
            raise AnotherLogin(
                "This response belongs to another login (its `state` differs): use the address "
                "that your browser shows after you opened the one printed above."
            )
        if error := response.get("error"):
            told = f"{response.get('error_description', '')} {response.get('scope', '')}"
            raise LoginRequired(self._explained(error, told))
        if not (code := response.get("code")):
            raise LoginRequired(f"Qonto sent neither a code nor an error. {_AGAIN}")
        return code

    def exchange(self, endpoint: TokenEndpoint, code: str) -> Grant:
        """Turn the code into tokens.

        Raises:
            LoginRequired: the code is not accepted, or there is no refresh token with it.
            GrantRefused, NoAnswer: anything else.
        """
        from tap_qonto.auth.token_endpoint import GrantRefused  # noqa: PLC0415 - named here only

        try:
            grant = endpoint.exchange(code, self.redirect_uri, self.verifier)
        except GrantRefused as refusal:
            if refusal.code != "invalid_grant":
                raise
            raise LoginRequired(
                "Qonto does not accept the code: it is older than 10 minutes, was used before, or "
                f"belongs to another redirect address. Run the login again. {_AGAIN}"
            ) from None
        if not grant.refresh_token:  # Q7: no error says so
            raise LoginRequired(
                "Qonto gave no refresh token: switch on the scope offline_access for your "
                f"application in the Qonto developer portal, and log in again. {_AGAIN}"
            )
        return grant

    def _explained(self, error: str, told: str) -> str:
        if error == "access_denied":
            return f"The consent was declined on Qonto's page. {_AGAIN}"
        if error == "invalid_scope":  # Q9: one scope too many fails them all
            words = set(re.findall(r"[a-z_]+(?:\.[a-z_]+)?", told))
            named = [scope for scope in self.scopes if scope in words]
            if named == [USER_SCOPE]:
                return self._not_approved()
            rest = " ".join(scope for scope in self.data_scopes if scope not in named)
            what = " ".join(named) or f"one of {' '.join(self.scopes)} (it does not say which)"
            return (
                f"Qonto does not let this application ask for {what}. Switch it on in the Qonto "
                f'developer portal, or log in without it: tap-qonto-auth login --scope "{rest}"'
                f"{' --membership' if self.membership else ''}. {_AGAIN}"
            )
        if error == "unauthorized_client":
            return self._not_approved()
        known = error if re.fullmatch(r"[a-z_]{3,40}", error) else "an unknown error"
        return f"Qonto's consent page answers {known}. {_AGAIN}"

    def _not_approved(self) -> str:
        if self.membership:
            return (
                "Qonto has approved this application for the user flow only: log in without "
                f"--membership. {_AGAIN}"
            )
        return (
            "Qonto has not approved this application for the user flow (several organizations): "
            "ask Qonto for it, or log in to one organization with `tap-qonto-auth login "
            f"--membership`. {_AGAIN}"
        )


def default_scopes() -> tuple[str, ...]:
    """Scopes that the streams of a default run use, as the contract names them (Q10, Q11)."""
    return _scopes_of({stream.name for stream in STREAMS if stream.selected_by_default})


def invoice_scopes() -> tuple[str, ...]:
    """Scopes for invoices alone and their files: none of them needs an approval."""
    areas = (invoicing.__name__, payables.__name__)
    names = {stream.name for stream in STREAMS if stream.__module__ in areas}
    return tuple(sorted({ATTACHMENT_SCOPE, *_scopes_of(names)}))


def asked_scopes(text: str | None) -> tuple[str, ...]:
    """Read `--scope`: scopes with blanks between, the preset `invoices`, or nothing."""
    if not text:
        return default_scopes()
    return invoice_scopes() if text.strip() == INVOICES else tuple(text.split())


def _scopes_of(streams: set[str]) -> tuple[str, ...]:
    used = {
        scope
        for name, endpoint in endpoints().items()
        if name in streams
        for scope in endpoint.scopes
    }
    return tuple(sorted(used - {USER_SCOPE}))


def parameters(address: str) -> dict[str, str]:
    """Read the parameters of a pasted redirect address, or of its query alone."""
    text = address.strip().strip("'\"")
    query = urlsplit(text).query if "?" in text else text
    return {name: values[0] for name, values in parse_qs(query).items()}
