"""Receives the browser when it comes back from Qonto, on an address of this machine only.

The browser is kept waiting until the login is really finished, so that the page it ends on can
tell how it went.
"""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
import typing as t
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from tap_qonto.cli.authorization import parameters
from tap_qonto.cli.page import page
from tap_qonto.errors import QontoError

if t.TYPE_CHECKING:
    from collections.abc import Iterator

LOOPBACK = {"localhost": ("127.0.0.1", "::1"), "127.0.0.1": ("127.0.0.1",), "::1": ("::1",)}
PATIENCE = 60  # seconds that a browser waits for the end of the login
_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "Referrer-Policy": "no-referrer",  # the address holds the code
    "Connection": "close",
}


class Visit:
    """A browser that came back, with the `response` it brought; it waits for `show`."""

    def __init__(self, response: dict[str, str]) -> None:
        self.response = response
        self._page = page("The login has ended", "See the terminal for how it went.", good=False)
        self._ready = threading.Event()
        self._sent = threading.Event()

    def show(self, html: str) -> None:
        """Let the browser show `html`; returns when it has been sent."""
        self._page = html
        self._ready.set()
        self._sent.wait(5)

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        self._ready.wait(PATIENCE)
        try:
            _send(handler, 200, self._page)
        finally:
            self._sent.set()


def is_loopback(redirect_uri: str) -> bool:
    """Whether we can receive the browser at `redirect_uri` ourselves."""
    parts = urlsplit(redirect_uri)
    return parts.scheme == "http" and parts.hostname in LOOPBACK


@contextlib.contextmanager
def receiver(redirect_uri: str) -> Iterator[queue.Queue[Visit]]:
    """Listen at `redirect_uri` for as long as the block lasts; visits come out of the queue.

    Raises:
        QontoError: the port is taken.
    """
    parts = urlsplit(redirect_uri)
    port = parts.port or 80
    visits: queue.Queue[Visit] = queue.Queue()
    all_visits: list[Visit] = []

    class Handler(BaseHTTPRequestHandler):
        timeout = 10  # seconds for the request itself

        def do_GET(self) -> None:
            if urlsplit(self.path).path != (parts.path or "/"):
                _send(self, 404, page("Nothing here", "The login uses another path.", good=False))
                return
            visit = Visit(parameters(self.path))
            all_visits.append(visit)
            visits.put(visit)
            visit._serve(self)  # noqa: SLF001 - the other half of this module

        def log_message(self, *_: object) -> None:
            """Say nothing: the address holds the code."""

    with contextlib.ExitStack() as opened:
        try:
            for host in _hosts(parts.hostname or ""):
                opened.enter_context(_serving(host, port, Handler))
        except OSError as error:
            raise QontoError(
                f"Port {port} of this machine can't be used ({error.strerror}): end what uses it, "
                "or choose another with --port and register "
                f"http://localhost:PORT{parts.path} with your Qonto application."
            ) from None
        try:
            yield visits
        finally:
            for visit in all_visits:
                visit._ready.set()  # noqa: SLF001 - nobody waits for a login that has ended


def _hosts(name: str) -> Iterator[str]:
    """Addresses of a loopback name; browsers may take either for `localhost`."""
    for host in LOOPBACK[name]:
        if ":" in host:
            try:
                with socket.socket(socket.AF_INET6) as probe:
                    probe.bind((host, 0))
            except OSError:  # no IPv6 here
                continue
        yield host


@contextlib.contextmanager
def _serving(host: str, port: int, handler: type[BaseHTTPRequestHandler]) -> Iterator[None]:
    class Server(ThreadingHTTPServer):
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        daemon_threads = True
        allow_reuse_address = True  # a port in TIME_WAIT from the last login; never a live one

        def handle_error(self, *_: object) -> None:
            """Say nothing of browsers that hang up."""

    server = Server((host, port), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


def _send(handler: BaseHTTPRequestHandler, status: int, html: str) -> None:
    body = html.encode()
    handler.send_response(status)
    for name, value in (_HEADERS | {"Content-Length": str(len(body))}).items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)
