"""One call and what its response says: exact JSON, a moment, how long to wait, a named refusal."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass
from datetime import datetime, timezone
from decimal import Decimal
from email.utils import parsedate_to_datetime

import msgspec

from tap_qonto.errors import QontoError, RequestDenied, RequestFailed, RequestRejected

LONGEST_WAIT = 600.0  # seconds: the longest window of the limits (Q87)

_json = msgspec.json.Decoder(float_hook=Decimal)
_anything = msgspec.json.Decoder(msgspec.Raw)
NO_JSON = "{}: the response is not the JSON it should be."


@dataclass(frozen=True)
class Request:
    """One call of the data API. `params` are (name, value) pairs; `path` starts with /v2."""

    stream: str
    organization_id: str | None
    path: str
    params: tuple[tuple[str, str], ...] = ()
    method: str = "GET"
    body: bytes | None = None

    def __str__(self) -> str:
        """Name stream and organization for messages, never parameters."""
        where = f" of organization {self.organization_id}" if self.organization_id else ""
        return f"{self.stream}{where}"


@dataclass(frozen=True)
class Response:
    """A body that is JSON, as it came, and when it was made (`moment_of`)."""

    request: Request
    content: bytes
    date: datetime | None

    @property
    def body(self) -> t.Any:
        """Decode it, numbers exact (int or Decimal): anew each time, so it may be changed.

        Here, and not where it came: pages that wait take a tenth of the memory, and whoever uses
        the values finds them in the processor's cache.

        Raises:
            RequestFailed: a number is beyond all reason, the nesting is, or it is not UTF-8.
        """
        try:
            return decode(self.content)
        except (ValueError, RecursionError):
            raise RequestFailed(NO_JSON.format(self.request)) from None


def decode(content: bytes) -> t.Any:
    """Decode JSON with every number exact: int of any length, or Decimal as it was written.

    What no text of a warehouse can hold is repaired: NUL is dropped, half of a surrogate pair
    becomes U+FFFD.

    Raises:
        ValueError: if `content` is not JSON, or holds a number beyond all reason.
        RecursionError: if it is nested beyond reason.
    """
    if b"\\" in content and _NUL in content:  # the first is found much faster
        content = _ESCAPE.sub(_whole_escape, content)
    try:
        try:
            return _json.decode(content)
        except msgspec.DecodeError:
            return _json.decode(_ESCAPE.sub(_whole_escape, content))
    except (msgspec.DecodeError, ArithmeticError) as error:
        raise ValueError(str(error)) from None


def verify(content: bytes) -> None:
    """Raise what `decode` raises, in a sixth of its time.

    Numbers beyond reason pass, and texts that are not UTF-8.
    """
    try:
        _anything.decode(content)
    except msgspec.DecodeError:
        decode(content)


# Both come as escapes only: JSON forbids a bare NUL, UTF-8 half of a pair.
_NUL = rb"\u0000"
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][\da-fA-F]{2}\\u[dD][c-fC-F][\da-fA-F]{2}"
    rb"|u([dD][89a-fA-F][\da-fA-F]{2})|u0000|.)",
    re.DOTALL,
)


def _whole_escape(match: re.Match[bytes]) -> bytes:
    return b"\\ufffd" if match[1] else match[0].replace(_NUL, b"")


def moment_of(headers: t.Mapping[str, str]) -> datetime | None:
    """When the response was made, in UTC: by the server's clock, or by ours if that is earlier.

    None if the server does not tell, so that nobody relies on our clock alone.
    """
    moment = _moment(headers.get("Date", ""))
    return moment and min(moment, datetime.now(timezone.utc))


def retry_after(headers: t.Mapping[str, str]) -> float | None:
    """Seconds until the next request may start, ten minutes at most; None if not told."""
    value = headers.get("Retry-After", "")
    if re.fullmatch(r"[0-9]{1,6}(\.[0-9]+)?", value):
        return min(float(value), LONGEST_WAIT)
    moment = _moment(value)
    if moment is None:
        return None
    now = _moment(headers.get("Date", "")) or datetime.now(timezone.utc)
    return min(LONGEST_WAIT, max(0.0, (moment - now).total_seconds()))


def _moment(value: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(value)
        return moment.astimezone(timezone.utc) if moment.tzinfo else None
    except (TypeError, ValueError, OverflowError):
        return None


def refusal(
    where: str, status: int, headers: t.Mapping[str, str], content: bytes, *, is_known: bool
) -> QontoError:
    """Name a 4xx response. Only Qonto's short error code is quoted, never the body's texts.

    `where` names stream and organization; `is_known` tells if Qonto answered at this address.
    """
    code, detail = _error(content)
    told = f"{f' {code}' if code else ''}{trace(headers)}"
    if status in {400, 422}:
        return RequestRejected(
            f"{where}: Qonto does not accept the request ({status}{told}).", status
        )
    reasons = {
        403: "the session lacks a scope: tap-qonto-auth login"  # Q85
        if "scope" in detail
        else "scope, role, plan or consent does not allow it",  # Q2, Q58, Q82
        404: "not found, or the feature is switched off"  # Q83
        if is_known
        else "there is nothing at this address: check api_url",
        410: "Qonto has retired it",  # Q88
    }
    if status in reasons:
        denied = RequestDenied(where, reasons[status], status, told)
        denied.lacks_scope = status == 403 and "scope" in detail  # noqa: PLR2004 - Q85
        return denied
    return RequestFailed(f"{where}: Qonto answers {status}{told}.")


def _error(content: bytes) -> tuple[str, str]:
    """Code and detail of an error body, whatever its form (Q86); empty texts if there are none."""
    try:
        body = decode(content)
    except (ValueError, RecursionError):
        return "", ""
    found = body.get("errors", body) if isinstance(body, dict) else {}
    first = found[0] if isinstance(found, list) and found else found
    if not isinstance(first, dict):
        return "", ""
    code = str(first.get("code") or "")
    return (code if re.fullmatch(r"[a-z0-9_]{1,40}", code) else ""), str(first.get("detail") or "")


def is_error(body: t.Any) -> bool:
    """Is this body of a 200 an error all the same, and no row?

    By its `errors`, or a `status` such as 500.
    """
    if not isinstance(body, dict):
        return False
    codes = [body.get(name) for name in ("status", "code", "status_code", "statusCode")]
    return (
        "errors" in body
        or bool(body.get("error"))
        or any(
            type(code) is int and 400 <= code < 600  # noqa: PLR2004
            for code in codes
        )
    )


def trace(headers: t.Mapping[str, str]) -> str:
    """The id that Qonto's support asks for, to be added to a message; empty if there is none."""
    found = headers.get("X-Request-Id") or headers.get("X-Tyk-Trace-Id") or ""
    return f", request id {found}" if re.fullmatch(r"[\w-]{1,64}", found) else ""
