"""Checks of the session. The docstring of a check says how it looks, for people."""

from __future__ import annotations

import typing as t

from tap_qonto.api.responses import Request
from tap_qonto.auth.authenticator import QontoAuthenticator
from tap_qonto.cli.doctor.account import OK
from tap_qonto.cli.doctor.finding import Finding, judged

if t.TYPE_CHECKING:
    from tap_qonto.cli.doctor.account import Account

FORBIDDEN = 403
FOREIGN = "00000000-0000-4000-8000-000000000000"  # an organization that is nobody's


def user_flow(account: Account) -> Finding:
    """Looks whether lists of the session's organizations came."""
    if account.session.flow != "user":
        return Finding("can't tell", "this session is for one organization")
    answered = sum(one.reply.status == OK for one in account.samples.values())
    return Finding("holds", f"{answered} lists came") if answered else Finding("can't tell")


def one_piece(account: Account) -> Finding:
    """Looks for a next page of the list of organizations."""
    if account.session.flow != "user":
        return Finding("can't tell", "this session is for one organization")
    body = account.ask(Request("user_organizations", None, "/v2/user_organizations")).body
    meta = body.get("meta") if isinstance(body, dict) else None
    is_paged = isinstance(meta, dict) and bool(meta.get("next_page"))
    return Finding("does not hold", "there is a next page") if is_paged else Finding("holds")


def foreign(account: Account) -> Finding:
    """Asks for the labels of an organization that is nobody's."""
    if account.session.flow != "user":
        return Finding("can't tell", "this session sends no such header")
    status = account.ask(Request("labels", FOREIGN, "/v2/labels", (("per_page", "1"),))).status
    if status in {0, 401}:  # a 401 may be the session's own
        return Finding("does not hold", str(status or "no usable answer"))
    return Finding("holds" if status == FORBIDDEN else "does not hold", str(status))


def scopes(account: Account) -> Finding:
    """Compares the scopes that were told with what can be read."""
    if not isinstance(account.session, QontoAuthenticator):
        return Finding("can't tell", "an API key has no scopes")
    told = account.session.granted_scopes
    if told is None:
        return Finding("does not hold", "none is told")
    if "," in (account.session.session().scope or ""):
        return Finding("does not hold", "separated by commas")
    untold = [
        name
        for name, sample in account.samples.items()
        if sample.reply.status == OK and told.isdisjoint(sample.stream.scopes)
    ]
    return judged(untold, len(account.samples), "not told, but readable: ")
