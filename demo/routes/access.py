"""Who asks, for which organization, and whether they may: 401, 403, 404, 410."""

from __future__ import annotations

import typing as t

from demo.routes.refusals import Refusal, forbidden, not_found, unauthorized
from demo.values import digits

if t.TYPE_CHECKING:
    from demo.data.bank import Bank
    from demo.data.facts import OrganizationFacts
    from demo.endpoints import Endpoint
    from demo.routes.oauth import Sessions

GATES = {
    "plan": forbidden("This feature is not included in your current price plan"),
    "add-on": forbidden("This feature requires an add-on that is not active"),
    "direct debit": forbidden("The organization is not activated for direct debit collection"),
    "payment links": not_found("Payment links are not activated"),
    "retired": Refusal(410, "gone", "This endpoint was retired"),
}


class Caller(t.NamedTuple):
    """`scopes` is None with an API key. `organizations` are those it may ask about."""

    flow: str
    scopes: frozenset[str] | None
    organizations: t.Sequence[str]


def secret_of(organization: OrganizationFacts) -> str:
    """The secret key of an organization's API key."""
    return digits(32, organization.id, "api key")


def caller(authorization: str, bank: Bank, sessions: Sessions) -> Caller:
    """Bearer token, or `slug:secret` of an API key.

    Raises:
        Refusal: 401.
    """
    kind, _, token = authorization.partition(" ")
    if kind.lower() == "bearer":
        grant = sessions.access(token)
        if grant is None:
            raise unauthorized("The access token is missing, expired or revoked")
        consented = sessions.consented if grant.flow == "user" else grant.organizations
        return Caller(grant.flow, grant.scopes, consented)
    slug, _, secret = authorization.partition(":")
    owner = bank.by_slug.get(slug)
    if owner is None or secret != secret_of(owner):
        raise unauthorized("Invalid credentials")
    return Caller("api_key", None, (owner.id,))


def check(caller: Caller, scopes: tuple[str, ...], *, api_key: bool) -> None:
    """Whether this kind of caller may use an endpoint that any of `scopes` opens."""
    if caller.scopes is None:
        if not api_key:
            raise Refusal(401, "oauth_required", "OAuth2 authentication is required here")  # Q81
    elif caller.scopes.isdisjoint(scopes):
        raise forbidden("missing required oauth scope")  # Q85


def organization(
    caller: Caller, header: str | None, bank: Bank, odd: frozenset[str]
) -> OrganizationFacts:
    """The organization that the request is about (Q2)."""
    if caller.flow == "user":
        if not header:
            raise forbidden("X-Qonto-Organization-Id header is required")
        if header not in caller.organizations or header not in bank.by_id:
            if "foreign-missing" in odd:
                raise not_found()
            raise forbidden("You are not allowed to access this organization")
        return bank.by_id[header]
    return bank.by_id[caller.organizations[0]]


def gate(endpoint: Endpoint, facts: OrganizationFacts, retired: frozenset[str]) -> None:
    """Plan, add-on and feature of the organization (Q82, Q83), and retired endpoints (Q88)."""
    if endpoint.path in retired:
        raise GATES["retired"]
    if endpoint.gate is not None and facts.gated:
        raise GATES[endpoint.gate]
