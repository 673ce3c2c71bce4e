"""What the API answers when it does not answer: Qonto's error bodies (docs: "Errors", Q86)."""

from __future__ import annotations


class Refusal(Exception):  # noqa: N818 - an answer, not a mistake
    """An answer other than 200 that a handler raises; `parameter` names the value at fault."""

    def __init__(self, status: int, code: str, detail: str, parameter: str | None = None) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail, self.parameter = status, code, detail, parameter

    def body(self, trace_id: str) -> dict[str, object]:
        error: dict[str, object] = {"code": self.code, "detail": self.detail}
        if self.parameter:
            error["source"] = {"parameter": self.parameter}
        return {"errors": [error], "trace_id": trace_id}


def bad_request(detail: str, parameter: str) -> Refusal:
    return Refusal(400, "bad_request", detail, parameter)


def unauthorized(detail: str = "Unauthorized") -> Refusal:
    return Refusal(401, "unauthorized", detail)


def forbidden(detail: str) -> Refusal:
    return Refusal(403, "forbidden", detail)


def not_found(detail: str = "Not found") -> Refusal:
    return Refusal(404, "not_found", detail)


def unprocessable(code: str, detail: str, parameter: str) -> Refusal:
    return Refusal(422, code, detail, parameter)
