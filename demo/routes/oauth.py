"""Codes, access tokens and refresh tokens: who may do what, and until when.

Rules of the contract: a code lives 10 minutes and works once; an access token one hour; a refresh
token 90 days, is replaced at each use, and works 60 seconds more after its first use (Q6). Scopes
are fixed at consent (Q8); without `offline_access` no refresh token is given (Q7). In the user flow
the organizations are those of the latest consent (Q4).
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import typing as t
from dataclasses import dataclass, field
from threading import RLock

if t.TYPE_CHECKING:
    from demo.clock import Clock
    from demo.options import Options

Answer = dict[str, t.Any]
SHORT = frozenset({"offline_access", "organization.read"})


class OAuthError(Exception):
    """The four-key error of the token endpoint (Ory Hydra's form)."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(description)
        self.status = status
        self.body = {
            "error": error,
            "error_description": description,
            "error_verbose": description,
            "status_code": status,
        }


@dataclass
class Grant:
    """One consent. `organizations` counts in the membership flow only, where it is one."""

    scopes: frozenset[str]
    flow: str
    organizations: tuple[str, ...]


@dataclass
class Code:
    grant: Grant
    redirect_uri: str
    expires: float
    challenge: str | None = None


@dataclass
class Refresh:
    grant: Grant
    expires: float
    used: float | None = None


@dataclass
class Access:
    grant: Grant
    expires: float


@dataclass
class Sessions:
    """All that was ever granted, and the list of organizations that the user last ticked."""

    options: Options
    clock: Clock
    consented: list[str]
    codes: dict[str, Code] = field(default_factory=dict)
    refreshes: dict[str, Refresh] = field(default_factory=dict)
    accesses: dict[str, Access] = field(default_factory=dict)
    lock: RLock = field(default_factory=RLock)

    def grant(self, scope: str, flow: str, organizations: t.Iterable[str]) -> Grant:
        chosen = tuple(organizations)
        if flow == "user":
            self.consented[:] = chosen
        return Grant(frozenset(scope.split()), flow, chosen)

    def code(self, grant: Grant, redirect_uri: str, challenge: str | None = None) -> str:
        code = "ory_ac_" + secrets.token_urlsafe(24)
        expires = self.clock.timestamp() + self.options.code_seconds
        self.codes[code] = Code(grant, redirect_uri, expires, challenge)
        return code

    def issue(self, grant: Grant, *, refreshed: bool = False) -> Answer:
        """A new pair of tokens, as the token endpoint answers it."""
        now = self.clock.timestamp()
        access = "ory_at_" + secrets.token_urlsafe(32)
        self.accesses[access] = Access(grant, now + self.options.access_token_seconds)
        answer: Answer = {
            "access_token": access,
            "expires_in": int(self.options.access_token_seconds),
            **self._told(grant.scopes, refreshed=refreshed),
            "token_type": "bearer",
        }
        if "offline_access" in grant.scopes:
            refresh = "ory_rt_" + secrets.token_urlsafe(32)
            self.refreshes[refresh] = Refresh(grant, now + self.options.refresh_token_seconds)
            answer["refresh_token"] = refresh
        return answer

    def _told(self, scopes: frozenset[str], *, refreshed: bool) -> Answer:
        """The scopes, as far as the answer tells them: no page shows `scope` in it."""
        odd = self.options.odd
        if "scope-untold" in odd or ("scope-once" in odd and refreshed):
            return {}
        told = sorted(scopes & SHORT if "scope-short" in odd else scopes)
        return {"scope": ("," if "scope-commas" in odd else " ").join(told)}

    def access(self, token: str) -> Grant | None:
        """The grant behind a live access token."""
        with self.lock:
            found = self.accesses.get(token)
            if found is None or found.expires <= self.clock.timestamp():
                return None
            return found.grant

    def exchange(self, form: t.Mapping[str, str]) -> Answer:
        """The token endpoint.

        Raises:
            OAuthError: invalid_client, invalid_request, invalid_grant, unsupported_grant_type.
        """
        self._check_client(form)
        kind = form.get("grant_type")
        with self.lock:
            if kind == "authorization_code":
                return self._redeem(form)
            if kind == "refresh_token":
                return self._refresh(form)
        if kind is None:
            raise OAuthError("invalid_request", "Request parameter 'grant_type' is missing")
        raise OAuthError("unsupported_grant_type", f"The grant type {kind!r} is not supported")

    def _check_client(self, form: t.Mapping[str, str]) -> None:
        given = form.get("client_id", ""), form.get("client_secret", "")
        if given != (self.options.client_id, self.options.client_secret):
            raise OAuthError(
                "invalid_client",
                "Client authentication failed (e.g., unknown client, no client authentication "
                "included, or unsupported authentication method).",
                401,
            )

    def _redeem(self, form: t.Mapping[str, str]) -> Answer:
        code = self.codes.pop(form.get("code", ""), None)
        if code is None or code.expires <= self.clock.timestamp():
            raise OAuthError("invalid_grant", "The authorization code is unknown, used or expired")
        if form.get("redirect_uri") != code.redirect_uri:
            raise OAuthError("invalid_grant", "The 'redirect_uri' is not that of the authorization")
        if code.challenge is not None:
            verifier = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
            if base64.urlsafe_b64encode(verifier).rstrip(b"=").decode() != code.challenge:
                raise OAuthError("invalid_grant", "The PKCE code verifier does not match")
        return self.issue(code.grant)

    def _refresh(self, form: t.Mapping[str, str]) -> Answer:
        now = self.clock.timestamp()
        old = self.refreshes.get(form.get("refresh_token", ""))
        stale = old is not None and old.used is not None
        if old is None or old.expires <= now:
            raise OAuthError("invalid_grant", "The refresh token is no longer valid")
        if stale and now > t.cast("float", old.used) + self.options.grace_seconds:
            raise OAuthError("invalid_grant", "The refresh token was already used")
        if old.used is None:
            old.used = now
        return self.issue(old.grant, refreshed=True)
