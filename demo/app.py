"""The application: the routes, behind the log, the limits, the latency and the faults."""

from __future__ import annotations

import asyncio
import random
import time
import typing as t
from email.utils import format_datetime
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from demo import spoiled
from demo.limits import Limits
from demo.routes.api import Api, Call
from demo.routes.consent import Consent, sign_in, staged
from demo.routes.control import Control
from demo.state import Received

if t.TYPE_CHECKING:
    from starlette.requests import Request

    from demo.state import State

    Endpoint = t.Callable[[Request], t.Awaitable[Response]]
    Handler = t.Callable[[Request, Received], t.Awaitable[Response]]


def application(state: State) -> Starlette:
    """Join the routes over what they share."""
    return Starlette(routes=Gateway(state).routes())


class Gateway:
    """What every request passes before a handler answers it."""

    def __init__(self, state: State) -> None:
        self.state = state
        self._limits = Limits(state.options)
        self._random = random.Random(state.options.seed)
        self._api = Api(state.options, state.bank, state.sessions, state.files)

    def routes(self) -> list[Route]:
        """All routes; those of `Control` pass by the gateway."""
        consent = Consent(self.state.options, self.state.bank, self.state.sessions)
        return [
            Route("/v2/{rest:path}", self._through(self._data), methods=["GET", "POST"]),
            Route("/oauth2/token", self._through(consent.token), methods=["POST"]),
            Route("/oauth2/auth", self._through(consent.authorize), methods=["GET", "POST"]),
            Route("/sign_in", self._through(_sign_in)),
            *Control(self.state).routes(),
            Route("/{rest:path}", self._through(_nowhere)),
        ]

    def _through(self, handler: Handler) -> Endpoint:
        """`handler` behind the log, the limits, the latency and the faults."""

        async def guarded(request: Request) -> Response:
            received = Received(
                request.method,
                request.scope["path"],  # unquoted; `request.url` is quoted, or not, by version
                parse_qsl(request.scope["query_string"].decode(), keep_blank_values=True),
                request.headers.get("x-qonto-organization-id"),
                time.monotonic(),
            )
            self.state.requests.append(received)
            try:
                response = await self._answer(request, received, handler)
            except ClientDisconnect:  # who asked is gone: killed, perhaps
                response = Response(status_code=499)
            received.status, received.ended = response.status_code, time.monotonic()
            response.headers["date"] = format_datetime(self.state.clock.now(), usegmt=True)
            return response

        return guarded

    async def _answer(self, request: Request, received: Received, handler: Handler) -> Response:
        wait, fault = self.state.faults.strike(
            received.method, received.path, received.organization_id
        )
        wait += self.state.options.latency + self.state.options.jitter * self._random.random()
        if fault is not None:
            received.fault = fault.kind
            wait += fault.seconds if fault.kind == "stall" else 0
        if wait and await self._closes_within(wait):
            return spoiled.Cut(self.state.wires)
        if fault is not None:
            answer = spoiled.early(fault, self.state.wires)
            if answer is not None:
                return answer
        address = request.client.host if request.client else ""
        delay = self._limits.take(address)
        if delay is not None:
            hint = str(int(delay) + 1) if self.state.options.retry_after else None
            return spoiled.refused(429, hint)
        answer = await handler(request, received)
        if answer.status_code == 401:
            self._limits.refused(address)
        return answer if fault is None else spoiled.late(fault, answer, self.state.wires)

    async def _closes_within(self, seconds: float) -> bool:
        """Wait; True when the server closes meanwhile."""
        try:
            await asyncio.wait_for(self.state.closing.wait(), seconds)
        except asyncio.TimeoutError:
            return False
        return True

    async def _data(self, request: Request, received: Received) -> Response:
        if self.state.options.staging_token and not staged(request, self.state.options):
            return RedirectResponse("/sign_in", 302)  # Q13
        body = await request.body()
        if self.state.on_request is not None:
            self.state.on_request(received)
        for stream in self.state.options.edits_per_request:
            self.state.bank.edit_somewhere(stream)
        return self._api.serve(
            Call(received.method, received.path, received.query, request.headers, body)
        )


async def _sign_in(_: Request, __: Received) -> Response:
    return sign_in()


async def _nowhere(_: Request, __: Received) -> Response:
    return PlainTextResponse("404 page not found\n", 404)
