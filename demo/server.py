"""The server, as a process (`python -m demo`) and on a thread of a test.

    from demo.server import running

    with running(seed=7, organizations=5, transactions=240) as qonto:   # any field of Options
        qonto.url                         "http://127.0.0.1:41237", data and OAuth alike
        qonto.config(**more)              settings for the tap: client_id, client_secret,
                                          refresh_token (a fresh seed), api_url, oauth_url,
                                          rate_limits (the server's: none); plus what you give
        qonto.options                     the running `Options`; change a field, it counts at once
        qonto.requests                    list of `Received`: method, path, query (list of pairs),
                                          organization_id, status, fault, started, ended (seconds)
        qonto.clock.advance(3600)         everything the server dates or expires moves on
        qonto.clock.now()                 aware datetime, UTC
        qonto.consent([id, ...])          what the user consents to from now on (user flow)
        qonto.issue(scope=..., flow="user", organizations=...)    tokens without a browser:
                                          {"access_token", "refresh_token", "scope", ...}
        qonto.api_key(organization_id)    {"api_key_login": slug, "api_key_secret": ...}
        qonto.truth()                     counts and balances that a complete read finds
        qonto.on_request = f              f(received) runs on the server's thread before each data
                                          answer: act there between question and answer

    bank = qonto.bank
        bank.organizations                facts: .id .name .slug .country .accounts .empty .gated
        bank.rows(stream, organization_id)            truth: what all pages together hold
        bank.children(stream, organization_id)        the same by parent id (nested streams)
        bank.user_organizations(ids)                  rows of that stream
        bank.balances(organization_id)                by account id
        bank.edit(stream, organization_id, row_id=None, **changes)  -> row; sets updated_at = now
        bank.add_transactions(organization_id, count=1, account_id=None, status="completed",
                              **fields)               -> list of ids
        bank.delete(stream, organization_id, row_id)  -> row
        bank.advance(edits=5, adds=5)     -> {organization_id: {stream: [ids touched]}}

    faults = qonto.faults                 see demo/faults.py
        faults.add("status", status=503, path="/v2/transactions", times=3)
        faults.clear()

What changes is dated by `clock`, and the `Date` header has no fraction: a reader that stays behind
that header sees a change of this very second in its next run, or after `clock.advance(2)`.

Of the default five organizations the second is `gated` (plan and features missing: 403, 404, 410)
and the last is `empty`; `gates=False` opens all. Rows are made on first demand: ask
`bank.table("transactions", organization_id)` once before timing a long account (100,000 rows take
seconds).

Another process has the same through `GET /demo/config`, `GET /demo/truth`, `POST /demo/advance`,
`POST /demo/faults`, `DELETE /demo/faults`, `POST /demo/consent`, `POST /demo/clock`.
"""

from __future__ import annotations

import asyncio
import random
import time
import typing as t
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import format_datetime
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from demo import spoiled
from demo.clock import Clock
from demo.data.bank import Bank
from demo.faults import Faults
from demo.limits import Limits
from demo.offer import BY_STREAM
from demo.options import Options
from demo.routes import access
from demo.routes.api import Api, Call
from demo.routes.consent import Consent, sign_in, staged
from demo.routes.control import Control
from demo.routes.oauth import Answer, Sessions
from demo.web import OnThread
from demo.wire import Wires

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.requests import Request

    from demo.routes.listing import Query

    Endpoint = Callable[[Request], t.Awaitable[Response]]
    Handler = Callable[[Request, "Received"], t.Awaitable[Response]]


@dataclass
class Received:
    """One request. `status` is 0 where none was sent, `fault` the kind that struck."""

    method: str
    path: str
    query: Query
    organization_id: str | None
    started: float
    ended: float = 0.0
    status: int = 0
    fault: str | None = None


class Server:
    """The whole of it, in one object; also the handle that `running` yields."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.clock = Clock(options.now)
        self.bank = Bank(options, self.clock)
        everything = [one.id for one in self.bank.organizations]
        self.sessions = Sessions(options, self.clock, everything)
        self.faults = Faults(options.seed)
        self.requests: list[Received] = []
        self.on_request: Callable[[Received], None] | None = None
        self.url = ""
        self.wires = Wires()
        self.closing = asyncio.Event()
        self._limits = Limits(options)
        self._random = random.Random(options.seed)
        self._api = Api(options, self.bank, self.sessions)
        consent = Consent(options, self.bank, self.sessions)
        control = Control(self)
        self.app = Starlette(
            routes=[
                Route("/v2/{rest:path}", self._through(self._data), methods=["GET", "POST"]),
                Route("/oauth2/token", self._through(consent.token), methods=["POST"]),
                Route("/oauth2/auth", self._through(consent.authorize), methods=["GET", "POST"]),
                Route("/sign_in", self._through(_sign_in)),
                *control.routes(),
                Route("/{rest:path}", self._through(_nowhere)),
            ]
        )

    # --- what tests use

    def config(self, **more: t.Any) -> dict[str, t.Any]:
        """Settings for the tap, with a fresh session's refresh token and the server's limits."""
        return {
            "client_id": self.options.client_id,
            "client_secret": self.options.client_secret,
            "refresh_token": self.issue()["refresh_token"],
            "api_url": self.url,
            "oauth_url": self.url,
            "rate_limits": [list(window) for window in self.options.rate_limits],
            **more,
        }

    def issue(
        self,
        scope: str | None = None,
        flow: str = "user",
        organizations: t.Iterable[str] | None = None,
    ) -> Answer:
        """Tokens without a browser, as the token endpoint answers them.

        By default with every scope and for what the user consents to now; in the membership flow
        for the first organization of that.
        """
        if scope is None:
            scopes = self.options.allowed_scopes - {"openid"}
            if flow == "membership":
                scopes -= {"user_organization.read"}
            scope = " ".join(sorted(scopes))
        if organizations is None:
            organizations = list(self.sessions.consented)
        if flow == "membership":
            organizations = list(organizations)[:1]
        return self.sessions.issue(self.sessions.grant(scope, flow, organizations))

    def consent(self, organizations: t.Iterable[str]) -> None:
        """The user consents anew, to these organizations alone (Q4)."""
        self.sessions.consented[:] = organizations

    def api_key(self, organization_id: str) -> dict[str, str]:
        """The two settings for the API key of an organization."""
        one = self.bank.by_id[organization_id]
        return {"api_key_login": one.slug, "api_key_secret": access.secret_of(one)}

    def truth(self) -> dict[str, t.Any]:
        """What a complete read by the user finds now.

        `{"user_organizations": n, "organizations": {id: {"name", "country", "rows": {stream: n},
        "balances": {account id: {"name", "currency", "balance_cents", ...}}}}}`. Streams that an
        organization refuses are not among its rows.
        """
        found: dict[str, t.Any] = {}
        for row in self.bank.user_organizations(self.sessions.consented):
            id_ = row["id"]
            counts = {
                stream: len(self.bank.rows(stream, id_))
                for stream in BY_STREAM
                if not self.bank.refuses(stream, id_)
            }
            found[id_] = {
                "name": row["name"],
                "country": row["legal_country"],
                "rows": counts,
                "balances": self.bank.balances(id_),
            }
        return {"user_organizations": len(found), "organizations": found}

    # --- the way of a request

    def _through(self, handler: Handler) -> Endpoint:
        """`handler` behind the log, the limits, the latency and the faults."""

        async def guarded(request: Request) -> Response:
            received = Received(
                request.method,
                request.url.path,
                parse_qsl(request.url.query, keep_blank_values=True),
                request.headers.get("x-qonto-organization-id"),
                time.monotonic(),
            )
            self.requests.append(received)
            try:
                response = await self._answer(request, received, handler)
            except ClientDisconnect:  # who asked is gone: killed, perhaps
                response = Response(status_code=499)
            received.status, received.ended = response.status_code, time.monotonic()
            response.headers["date"] = format_datetime(self.clock.now(), usegmt=True)
            return response

        return guarded

    async def _answer(self, request: Request, received: Received, handler: Handler) -> Response:
        wait, fault = self.faults.strike(received.method, received.path, received.organization_id)
        wait += self.options.latency + self.options.jitter * self._random.random()
        if fault is not None:
            received.fault = fault.kind
            wait += fault.seconds if fault.kind == "stall" else 0
        if wait and await self._closes_within(wait):
            return spoiled.Cut(self.wires)
        if fault is not None:
            answer = spoiled.early(fault, self.wires)
            if answer is not None:
                return answer
        address = request.client.host if request.client else ""
        delay = self._limits.take(address)
        if delay is not None:
            hint = str(int(delay) + 1) if self.options.retry_after else None
            return spoiled.refused(429, hint)
        answer = await handler(request, received)
        if answer.status_code == 401:
            self._limits.refused(address)
        return answer if fault is None else spoiled.late(fault, answer, self.wires)

    async def _closes_within(self, seconds: float) -> bool:
        """Wait; True when the server closes meanwhile."""
        try:
            await asyncio.wait_for(self.closing.wait(), seconds)
        except asyncio.TimeoutError:
            return False
        return True

    async def _data(self, request: Request, received: Received) -> Response:
        if self.options.staging_token and not staged(request, self.options):
            return RedirectResponse("/sign_in", 302)  # Q13
        body = await request.body()
        if self.on_request is not None:
            self.on_request(received)
        for stream in self.options.edits_per_request:
            self.bank.edit_somewhere(stream)
        return self._api.serve(
            Call(received.method, received.path, received.query, request.headers, body)
        )


async def _sign_in(_: Request, __: Received) -> Response:
    return sign_in()


async def _nowhere(_: Request, __: Received) -> Response:
    return PlainTextResponse("404 page not found\n", 404)


@contextmanager
def running(**options: t.Any) -> Iterator[Server]:
    """A server on a thread and a free port; `options` are fields of `Options`.

    It stops at the end of the block; connections that are still open are cut.
    """
    server = Server(Options(**options))
    web = OnThread(server)
    server.url = web.start()
    try:
        yield server
    finally:
        web.stop()
