"""The login: consent in a browser, a code, a new session in the store, the organizations."""

from __future__ import annotations

import dataclasses
import queue
import threading
import time
import typing as t
import webbrowser

import click

from tap_qonto.api.organizations import Organizations
from tap_qonto.api.rate_limit import RateLimiter
from tap_qonto.api.transport import Transport
from tap_qonto.auth.authenticator import authenticator_for
from tap_qonto.auth.refresh import misconfigured, open_store, warn_if_it_dies
from tap_qonto.auth.token_endpoint import GrantRefused, NoAnswer, TokenEndpoint
from tap_qonto.auth.token_store import Session
from tap_qonto.cli.authorization import (
    INVOICES,
    SENSITIVE_SCOPES,
    AnotherLogin,
    Authorization,
    parameters,
)
from tap_qonto.cli.loopback import Visit, is_loopback, receiver
from tap_qonto.cli.page import page
from tap_qonto.errors import LoginRequired, QontoError, RequestFailed

if t.TYPE_CHECKING:
    from tap_qonto.auth.token_store import TokenStore
    from tap_qonto.settings import Settings

_NO_ADDRESS = (
    "That is no address with an answer of Qonto: copy all of it, from http to its end. It holds "
    "code=… and state=…, or error=… where something is wrong."
)
CODE_LIFETIME = 600  # seconds; Qonto, "The User OAuth flow" (2026-11)
Organization = dict[str, t.Any]  # id, name, role


def log_in(authorization: Authorization, *, browser: bool) -> None:
    """Lead the user through the consent, and tell how it ended, here and in the browser."""
    store = open_store(authorization.settings)
    TokenEndpoint(authorization.settings).look_ahead()
    with store.locked():  # proves that the session can be kept, before anybody is asked for it
        warn_if_it_dies(store)
    _tell_of_approval(authorization)
    if browser and is_loopback(authorization.redirect_uri):
        with receiver(authorization.redirect_uri) as visits:
            _send_user(authorization, browser=True)
            _receive(authorization, visits)
    else:
        _send_user(authorization, browser=browser)
        _ask_until_ours(authorization)


def consented(settings: Settings) -> tuple[str, list[Organization]]:
    """Ask Qonto what the session sees: its flow; id, name and role of each organization."""
    everything = dataclasses.replace(settings, organization_ids=None, shard=None)
    rate_limiter = RateLimiter(settings.rate_limits)
    authenticator = authenticator_for(settings, before_request=rate_limiter.acquire)
    transport = Transport(everything, authenticator, rate_limiter, "tap-qonto-auth")
    try:
        rows = Organizations(everything, transport.send, authenticator).rows()
    finally:
        transport.close()
    authenticator.close()
    found: list[Organization] = [
        {"id": row["id"], "name": row.get("name") or "", "role": row.get("membership_role")}
        for row in rows
    ]
    return authenticator.flow, found


def table(organizations: list[Organization], marks: t.Mapping[str, str] | None = None) -> str:
    """Lay out organizations for the terminal; `marks` by id go before the line."""
    marks = marks or {}
    wide = max((len(one["name"]) for one in organizations), default=0)
    return "\n".join(
        f"{marks.get(one['id'], '  ')}{one['name']:{wide}}  {one['role'] or '-':10}  {one['id']}"
        for one in organizations
    )


def _tell_of_approval(authorization: Authorization) -> None:
    """Say before the trip what would end it: days pass until Qonto approves some scopes."""
    if sensitive := [scope for scope in authorization.data_scopes if scope in SENSITIVE_SCOPES]:
        membership = " --membership" if authorization.membership else ""
        click.echo(
            f"Qonto has to approve {' and '.join(sensitive)} for your application, which takes "
            "days: ask for it in the developer portal. If it has not yet, invoices can be read "
            f"without: tap-qonto-auth login --scope {INVOICES}{membership}\n"
        )


def _send_user(authorization: Authorization, *, browser: bool) -> None:
    click.echo("Open Qonto's consent page" + (", if your browser does not:" if browser else ":"))
    click.echo(f"\n  {authorization.url}\n")
    click.echo(
        "If Qonto complains of the redirect_uri, register this one with your application: "
        f"{authorization.redirect_uri}\n"
    )
    if browser:  # some browsers return only when they are closed
        threading.Thread(target=webbrowser.open, args=(authorization.url,), daemon=True).start()


def _receive(authorization: Authorization, visits: queue.Queue[Visit]) -> None:
    click.echo(
        f"Waiting for your consent, for {CODE_LIFETIME // 60} minutes at most; Ctrl+C ends it. "
        "If your browser is on another machine, use --no-browser."
    )
    ends = time.monotonic() + CODE_LIFETIME
    while True:
        try:
            visit = visits.get(timeout=max(ends - time.monotonic(), 0))
        except queue.Empty:
            raise LoginRequired(
                "Nobody came back from Qonto's consent page within 10 minutes: run the login "
                "again, with --no-browser if the browser is on another machine."
            ) from None
        try:
            _finish(authorization, visit.response, visit)
        except AnotherLogin as error:  # a stale tab: ours may still come
            visit.show(page("This is not the login we wait for", str(error), good=False))
            continue
        except QontoError as error:
            visit.show(page("The login did not work", str(error), good=False))
            raise
        return


def _ask_until_ours(authorization: Authorization) -> None:
    """Ask for the address that the browser ended at, again if it is another one."""
    click.echo(
        "After the consent your browser goes to an address that begins with\n"
        f"{authorization.redirect_uri}?code=… It may show an error: that does no harm.\n"
        "Copy the whole address from its address bar (it is valid for 10 minutes)."
    )
    wrong: AnotherLogin | None = None
    while True:
        try:
            answer = parameters(click.prompt("Paste it here"))
        except click.Abort:  # also at the end of the input
            raise wrong or click.Abort from None
        try:
            return _finish(authorization, answer)
        except AnotherLogin as error:
            wrong = error
            click.echo(f"{error if answer.keys() & {'code', 'error'} else _NO_ADDRESS}\n")


def _finish(
    authorization: Authorization, response: t.Mapping[str, str], visit: Visit | None = None
) -> None:
    settings = authorization.settings
    code = authorization.code(response)
    endpoint = TokenEndpoint(settings)
    store = open_store(settings)
    with store.locked():
        stored = store.load()
        before: list[Organization] = (
            stored.session.notes.get("organizations", []) if stored.session else []
        )
        try:
            grant = authorization.exchange(endpoint, code)
        except GrantRefused as refusal:
            raise misconfigured(refusal, endpoint.url) from None
        except NoAnswer as silence:
            raise RequestFailed(
                f"The token server {endpoint.url} {silence}. Run the login again."
            ) from None
        session = Session(
            access_token=grant.access_token,
            refresh_token=grant.refresh_token or "",
            expires_at=stored.now + grant.expires_in,
            lifetime=grant.expires_in,
            refreshed_at=stored.now,
            consented_at=stored.now,
            scope=grant.scope or " ".join(authorization.scopes),
            notes={"organizations": before},
        )
        # a seed in the settings is older than this login: from now on the store wins
        store.save(session, seed=settings.refresh_token)
    click.echo(f"Logged in. The session is in the token store ({store.where}).\n")
    try:
        flow, organizations = consented(settings)
    except QontoError as error:
        click.echo(f"The organizations can't be listed at the moment: {error}", err=True)
        if visit:
            visit.show(page("You are logged in", "The terminal tells more."))
        return
    _note(store, flow, organizations)
    _tell(organizations, before, visit)


def _note(store: TokenStore, flow: str, organizations: list[Organization]) -> None:
    """Keep both with the session, for `status` and for the next login to compare with."""
    with store.locked():
        stored = store.load()
        if stored.session and not stored.intent:
            found = {"flow": flow, "organizations": organizations}
            notes = stored.session.notes | found
            store.save(dataclasses.replace(stored.session, notes=notes))


def _tell(
    organizations: list[Organization], before: list[Organization], visit: Visit | None
) -> None:
    now, then = ({one["id"] for one in many} for many in (organizations, before))
    came = now - then if before else set()
    gone = [one for one in before if one["id"] not in now]
    count = len(organizations)
    click.echo(f"{count} organization{'' if count == 1 else 's'}:")
    click.echo(table(organizations, dict.fromkeys(came, "+ ")))
    if gone:
        click.echo("No longer in the consent (what was read of them stays in your warehouse):")
        click.echo(table(gone, {one["id"]: "- " for one in gone}))
    if visit:
        text = f"tap-qonto can now read {count} organization{'' if count == 1 else 's'}."
        if gone:
            text += f" No longer: {', '.join(one['name'] for one in gone)}."
        visit.show(page("You are logged in", text, organizations=organizations, new=came))
