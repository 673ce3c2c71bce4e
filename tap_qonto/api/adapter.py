"""An HTTP adapter whose responses have an end: in seconds, and in bytes; and what is in its way.

`requests` knows the time between two bytes only, so a header that drips has none; and it unpacks
all that a packed body holds, a thousandfold of what was sent.
"""

from __future__ import annotations

import contextlib
import functools
import http.client
import io
import re
import ssl
import time
import typing as t
import zlib

import requests.adapters
from urllib3.exceptions import DecodeError, HTTPError

if t.TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

CHUNK = 2**16  # bytes that are received at once, at most
PART = 2**20  # bytes that are unpacked at once, at most
ENCODING = {"Accept-Encoding": "gzip"}  # what `body_of` unpacks
_BUNDLE = "REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE"
_PROXY = "HTTPS_PROXY, HTTP_PROXY or ALL_PROXY"
_TOLD = {
    "CA certificate bundle|TLS certificate file": (
        f"can't be trusted: the file that {_BUNDLE} names is not there"
    ),
    "NO_CERTIFICATE|PEM lib|no start line": (
        f"can't be trusted: the file that {_BUNDLE} names holds no certificates"
    ),
    "dependencies for SOCKS": (
        f"is behind a SOCKS proxy ({_PROXY}), which needs: pip install 'requests[socks]'"
    ),
    "Failed to parse|Invalid URL|label is (?:empty|too long)": (
        f"has an address that can't be used, or its proxy has: look at {_PROXY}"
    ),
    "(?i)proxy url|proxy scheme": f"is behind a proxy whose address is none: fix {_PROXY}",
}
"""What errors of requests, urllib3 and ssl have in their texts (2026-11): what is said."""
_GZIP = 16 + zlib.MAX_WBITS


class Oversized(Exception):  # noqa: N818 - what the body is
    """A body larger than any honest one."""


class BoundedAdapter(requests.adapters.HTTPAdapter):
    """Ends each response `seconds` after the first byte of its headers, with a TimeoutError."""

    def __init__(self, *, seconds: float, **options: t.Any) -> None:
        super().__init__(**options)
        self._seconds = seconds

    def get_connection_with_tls_context(self, *args: t.Any, **kwargs: t.Any) -> t.Any:
        """Return the pool of connections to a host."""
        pool: t.Any = super().get_connection_with_tls_context(*args, **kwargs)
        if not hasattr(pool.ConnectionCls, "seconds"):
            # also for proxies, which have classes of their own
            pool.ConnectionCls = _bounded(pool.ConnectionCls, self._seconds)
        return pool


def look_ahead(session: requests.Session, url: str) -> str | None:
    """Say what of this machine's settings is in the way to `url`; sends nothing."""
    found = session.merge_environment_settings(url, {}, None, None, None)
    adapter = t.cast("requests.adapters.HTTPAdapter", session.get_adapter(url))
    try:
        pool = adapter.get_connection_with_tls_context(
            requests.Request("POST", url).prepare(),
            found["verify"],
            proxies=found["proxies"],
            cert=found["cert"],
        )
        adapter.cert_verify(  # type: ignore[no-untyped-call]
            pool, url, found["verify"], found["cert"]
        )
    except (requests.RequestException, HTTPError, OSError) as error:
        unknown = f"can't be asked ({type(error).__name__}): look at {_PROXY}, and at {_BUNDLE}"
        return obstacle(error) or unknown
    return None


def obstacle(error: BaseException) -> str | None:
    """Say what is in the way until somebody changes it, as the end of a sentence; None if nothing.

    The libraries' own texts are not shown: they may quote addresses and passwords.
    """
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return (
                f"has a certificate that this machine does not trust ({cause.verify_message}). "
                f"If it is that of a proxy or gateway, name its authority in {_BUNDLE}"
            )
        text = str(cause)
        if refusal := re.match(r"Tunnel connection failed: (\d{3})", text):
            return _refused_by_proxy(refusal[1])
        for pattern, told in _TOLD.items():
            if re.search(pattern, text):
                return told
    return None


def elsewhere(status: int, setting: str) -> str | None:
    """Say, as the end of a sentence, that a status is not the server's own; None if it may be.

    `setting` is the one that holds its address.
    """
    if status == 407:  # noqa: PLR2004
        return _refused_by_proxy(str(status))
    return f"has moved ({status}): check {setting}" if status in {301, 308} else None


def _refused_by_proxy(status: str) -> str:
    wish = "put user and password into its address" if status == "407" else "ask whoever runs it"
    return f"is behind a proxy that refuses ({status}): {wish} ({_PROXY})"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and all that it was made of, each once."""
    seen: list[BaseException] = []
    waiting: list[t.Any] = [error]
    while waiting:
        one = waiting.pop(0)
        if isinstance(one, BaseException) and one not in seen:
            seen.append(one)
            yield one
            waiting += [*one.args, getattr(one, "reason", None), one.__cause__, one.__context__]


def body_of(
    response: requests.Response,
    *,
    most: int,
    ordinary: int | None = None,
    large: contextlib.AbstractContextManager[t.Any] | None = None,
) -> bytes:
    """Read the body of a streamed response, unpacked.

    Beyond `ordinary` bytes the lock `large` is held, so that one body at a time takes up to `most`.

    Raises:
        Oversized: there are more than `most` bytes.
        DecodeError, another of urllib3's HTTPError, or OSError: it is not whole.
    """
    parts, size = [], 0
    with contextlib.ExitStack() as held:
        for part in _unpacked(response):
            parts.append(part)
            size += len(part)
            if size > most:
                raise Oversized
            if large and ordinary and size > ordinary:
                held.enter_context(large)
                large = None
    return b"".join(parts)


def _unpacked(response: requests.Response) -> Iterator[bytes]:
    """Yield the body in parts of at most PART bytes each."""
    received = iter(functools.partial(response.raw.read1, CHUNK, decode_content=False), b"")
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    if encoding in {"", "identity"}:
        yield from received
        return
    if encoding not in {"gzip", "x-gzip"}:
        raise DecodeError("an encoding that was not asked for")
    try:
        yield from _gunzipped(received)
    except zlib.error:
        raise DecodeError("no gzip") from None


def _gunzipped(received: Iterator[bytes]) -> Iterator[bytes]:
    unpacking = None
    for packed in received:
        left = packed
        while left:
            unpacking = unpacking or zlib.decompressobj(_GZIP)
            if part := unpacking.decompress(left, PART):
                yield part
            left = unpacking.unconsumed_tail
            if unpacking.eof:  # another one may follow (RFC 1952, 2.2)
                left, unpacking = unpacking.unused_data, None
    while unpacking and (part := unpacking.decompress(b"", PART)):
        yield part
    if unpacking and not unpacking.eof:
        raise DecodeError("cut short")


@functools.cache
def _bounded(connection: type, seconds: float) -> type:
    """Make a class of connections whose responses end in time."""

    class Response(http.client.HTTPResponse):
        def __init__(self, sock: socket.socket, *args: t.Any, **kwargs: t.Any) -> None:
            super().__init__(sock, *args, **kwargs)
            raw = self.fp.detach()
            self.fp = io.BufferedReader(_Timed(raw, sock, seconds), CHUNK)

    return type(
        connection.__name__, (connection,), {"response_class": Response, "seconds": seconds}
    )


class _Timed(io.RawIOBase):
    """Reads from a socket, until `seconds` after the first byte."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, seconds: float) -> None:
        super().__init__()
        self._raw, self._sock, self._seconds = raw, sock, seconds
        self._deadline: float | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: t.Any) -> int | None:
        if self._deadline is not None:
            left = self._deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            between = self._sock.gettimeout()
            if between is None or left < between:
                self._sock.settimeout(left)
        count = t.cast("int | None", self._raw.readinto(buffer))
        if self._deadline is None and count:
            self._deadline = time.monotonic() + self._seconds
        return count

    def close(self) -> None:
        if not self.closed:
            self._raw.close()
        super().close()
