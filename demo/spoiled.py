"""Answers that go wrong: what a fault makes of a request."""

from __future__ import annotations

import typing as t

from starlette.responses import HTMLResponse, PlainTextResponse, Response

from demo.data.tables import encode
from demo.routes.refusals import Refusal, unauthorized

if t.TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from demo.faults import Fault
    from demo.wire import Wires

JSON = "application/json; charset=utf-8"
PAGE = "<!doctype html><title>502 Bad Gateway</title><h1>502 Bad Gateway</h1><p>cloud edge</p>"
MEANINGS = {
    429: ("too_many_requests", "Too many requests"),
    500: ("internal_server_error", "Internal server error"),
    502: ("bad_gateway", "Bad gateway"),
    503: ("service_unavailable", "Service unavailable"),
}


class Cut(Response):
    """Sends `content` as if more were to come (nothing at all without it), and ends the line."""

    def __init__(self, wires: Wires, answer: Response | None = None) -> None:
        super().__init__(status_code=answer.status_code if answer else 0)
        self.wires, self.answer = wires, answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.answer is not None:
            body = bytes(self.answer.body)
            await send(
                {
                    "type": "http.response.start",
                    "status": self.answer.status_code,
                    "headers": self.answer.raw_headers,
                }
            )
            half = body[: len(body) // 2]
            await send({"type": "http.response.body", "body": half, "more_body": True})
        self.wires.cut(scope["client"])
        while (await receive())["type"] != "http.disconnect":
            pass


def early(fault: Fault, wires: Wires) -> Response | None:
    """The answer of faults that keep the request from being looked at; None for the others."""
    if fault.kind == "stall" or (fault.kind == "cut" and fault.when == "before"):
        return Cut(wires)
    make = INSTEAD.get(fault.kind)
    return make(fault) if make else None


def _nonsense(fault: Fault) -> Response:
    body = fault.body if isinstance(fault.body, bytes) else encode(fault.body)
    return Response(body, media_type=JSON)


def _unauthorized(_: Fault) -> Response:
    error = unauthorized("The access token is missing, expired or revoked")
    return Response(encode(error.body("demo")), 401, media_type=JSON)


def late(fault: Fault, answer: Response, wires: Wires) -> Response:
    """What becomes of an `answer` that was made."""
    if fault.kind == "cut":
        return Cut(wires, answer if fault.when == "mid" else None)
    body = bytes(answer.body)
    if fault.kind == "truncated":
        return Response(body[: len(body) // 2], answer.status_code, media_type=JSON)
    if fault.kind == "wrong_type":
        start = body.find(b"[")
        end = body.rfind(b"]")
        wrong = body[:start] + b'"see attached list"' + body[end + 1 :] if start > 0 else b"[]"
        return Response(wrong, answer.status_code, media_type=JSON)
    raise AssertionError(fault.kind)


def refused(status: int, retry_after: str | None = None, body: t.Any = None) -> Response:
    """An error of the edge: no trace of what was asked."""
    code, detail = MEANINGS.get(status, ("error", "Error"))
    if body is None:
        body = Refusal(status, code, detail).body("demo")
    content = body.encode() if isinstance(body, str) else encode(body)
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    return Response(content, status, headers, JSON)


INSTEAD: dict[str, t.Callable[[Fault], Response]] = {
    "status": lambda fault: refused(fault.status, fault.retry_after, fault.body),
    "unauthorized": _unauthorized,
    "html": lambda _: HTMLResponse(PAGE),
    "text": lambda _: PlainTextResponse("upstream connect error"),
    "empty": lambda _: Response(b"", media_type=JSON),
    "nonsense": _nonsense,
}
