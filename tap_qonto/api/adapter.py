"""An HTTP adapter whose responses have an end: in seconds, and in bytes.

`requests` knows the time between two bytes only, so a header that drips has none; and it unpacks
all that a packed body holds, a thousandfold of what was sent.
"""

from __future__ import annotations

import contextlib
import functools
import http.client
import io
import time
import typing as t
import zlib

import requests.adapters
from urllib3.exceptions import DecodeError

if t.TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

CHUNK = 2**16  # bytes
ENCODING = {"Accept-Encoding": "gzip"}  # what `body_of` unpacks
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
    """Yield the body in parts of at most CHUNK bytes each, however small they came."""
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
            if part := unpacking.decompress(left, CHUNK):
                yield part
            left = unpacking.unconsumed_tail
            if unpacking.eof:  # another one may follow (RFC 1952, 2.2)
                left, unpacking = unpacking.unused_data, None
    while unpacking and (part := unpacking.decompress(b"", CHUNK)):
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
            self.fp = io.BufferedReader(_Timed(raw, sock, seconds))

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
