"""`/demo/…`: what another process may ask of the running server, and tell it."""

from __future__ import annotations

import json
import typing as t
from collections import Counter
from dataclasses import asdict

from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from demo.data.tables import encode
from demo.routes.consent import page

if t.TYPE_CHECKING:
    from starlette.requests import Request

    from demo.state import State


class Control:
    """Its routes; none of them is logged, limited or spoiled by faults."""

    def __init__(self, state: State) -> None:
        self.state = state

    def routes(self) -> list[Route]:
        return [
            Route("/", self.welcome),
            Route("/demo/config", self.config),
            Route("/demo/truth", self.truth),
            Route("/demo/requests", self.requests),
            Route("/demo/advance", self.advance, methods=["POST"]),
            Route("/demo/faults", self.faults, methods=["GET", "POST", "DELETE"]),
            Route("/demo/consent", self.consent, methods=["POST"]),
            Route("/demo/clock", self.clock, methods=["POST"]),
        ]

    async def welcome(self, _: Request) -> HTMLResponse:
        names = "".join(
            f"<li>{one.name} <small>{one.country}</small></li>"
            for one in self.state.bank.organizations[:20]
        )
        return page(
            "A little Qonto",
            f"<p>Demo server. It has {len(self.state.bank.organizations)} organizations:</p>"
            f"<ul>{names}</ul><p>Settings for a client: <a href='/demo/config'>/demo/config</a>. "
            "What a complete read finds: <a href='/demo/truth'>/demo/truth</a>.</p>",
        )

    async def config(self, _: Request) -> Response:
        """Settings for the tap; each call starts a session of its own."""
        return _json(self.state.config())

    async def truth(self, _: Request) -> Response:
        return _json(self.state.truth())

    async def requests(self, _: Request) -> Response:
        """How many requests came so far, by the status of the answer (0: none was sent)."""
        statuses = Counter(str(one.status) for one in self.state.requests)
        return _json({"total": statuses.total(), "statuses": statuses})

    async def advance(self, request: Request) -> Response:
        """Body (optional): `{"edits": 5, "adds": 5}`."""
        wishes = await _body(request)
        return _json(self.state.bank.advance(**wishes))

    async def faults(self, request: Request) -> Response:
        """`POST {"kind": "status", "status": 503, "times": 3}` adds one; `DELETE` ends all."""
        if request.method == "POST":
            try:
                self.state.faults.add(**await _body(request))
            except (TypeError, ValueError) as error:
                return _json({"error": str(error)}, 422)
        elif request.method == "DELETE":
            self.state.faults.clear()
        rules = [asdict(rule) for rule in self.state.faults.rules()]
        for rule in rules:
            del rule["pattern"]
        return _json({"faults": rules})

    async def consent(self, request: Request) -> Response:
        """`{"organizations": [id, …]}`: what the user consents to from now on."""
        chosen = (await _body(request)).get("organizations", [])
        self.state.consent(chosen)
        return _json({"organizations": chosen})

    async def clock(self, request: Request) -> Response:
        """`{"seconds": 3600}` moves the server's clock."""
        self.state.clock.advance(float((await _body(request)).get("seconds", 0)))
        return _json({"now": self.state.clock.now().isoformat()})


async def _body(request: Request) -> dict[str, t.Any]:
    text = await request.body()
    return t.cast("dict[str, t.Any]", json.loads(text)) if text else {}


def _json(content: t.Any, status: int = 200) -> Response:
    return Response(encode(content), status, media_type="application/json")
