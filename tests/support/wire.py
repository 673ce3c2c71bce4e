"""A server of raw bytes on a real socket, for what no well-behaved server would send.

    with Wire(lambda call: reply(b"{}")) as wire:
        ...                         # requests to wire.url
        assert wire.calls[0].headers["accept"] == "application/json"

What is answered are bytes; or a list of bytes and pauses (seconds), after which the connection is
cut; None cuts it at once.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
import typing as t
from email.utils import formatdate


class Call(t.NamedTuple):
    number: int
    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    connection: int


def reply(
    body: bytes = b"{}", status: int = 200, *, date: str | None = "", **headers: str
) -> bytes:
    """Make an answer; `date` is the present one by default, None leaves it out."""
    lines = {
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    if date is not None:
        lines["Date"] = date or formatdate(usegmt=True)
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 {status} Told\r\n{head}\r\n".encode() + body


class Wire:
    """Answers every request with what `answer` makes of it; keeps connections open."""

    def __init__(self, answer: t.Callable[[Call], bytes | list[bytes | float] | None]) -> None:
        self._answer = answer
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self.connections = 0
        self.calls: list[Call] = []

    def __enter__(self) -> Wire:  # noqa: PYI034 - Self is not in Python 3.10
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        # shut down, not only closed: a thread waits in accept()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            left, self._open = self._open, set()
        for connection in left:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self.connections += 1
                self._open.add(connection)
                number = self.connections
            threading.Thread(target=self._serve, args=(connection, number), daemon=True).start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with connection, contextlib.suppress(OSError):
            reader = connection.makefile("rb")
            with reader:
                while line := reader.readline():
                    call = self._read(reader, line, number)
                    answer = self._answer(call)
                    if answer is None:
                        break
                    if isinstance(answer, bytes):
                        connection.sendall(answer)
                        continue
                    for part in answer:
                        if isinstance(part, bytes):
                            connection.sendall(part)
                        else:
                            time.sleep(part)
                    break
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        with self._lock:
            self._open.discard(connection)

    def _read(self, reader: t.BinaryIO, line: bytes, connection: int) -> Call:
        method, target, _ = line.decode().split(" ", 2)
        headers = {}
        while (line := reader.readline()).strip():
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        body = reader.read(int(headers.get("content-length", 0)))
        with self._lock:
            call = Call(len(self.calls), method, target, headers, body, connection)
            self.calls.append(call)
        return call
