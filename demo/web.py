"""Uvicorn around a server: as a process that signals end, or on a thread that ends at once."""

from __future__ import annotations

import asyncio
import sys
import threading
import typing as t

import uvicorn

if t.TYPE_CHECKING:
    import socket

    from demo.wire import Wires

    class App(t.Protocol):
        """What is served (the API, or the files), where, and how it learns of its end."""

        url: str
        app: t.Any
        wires: Wires
        closing: asyncio.Event


def config(server: App, port: int) -> uvicorn.Config:
    """For 127.0.0.1; port 0 takes a free one."""
    return uvicorn.Config(
        server.app,
        host="127.0.0.1",
        port=port,
        http=server.wires.protocol(),
        ws="none",
        lifespan="off",
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        date_header=False,
        server_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=1,
    )


def address(web: uvicorn.Server) -> str:
    host, port = web.servers[0].sockets[0].getsockname()[:2]
    return f"http://{host}:{port}"


class Announced(uvicorn.Server):
    """Serves until a signal; writes one line, its address, once requests are taken."""

    def __init__(self, server: App, port: int) -> None:
        super().__init__(config(server, port))
        self._demo = server

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._demo.url = address(self)
            sys.stdout.write(f"{self._demo.url}\n")
            sys.stdout.flush()


class OnThread(uvicorn.Server):
    """Serves on a thread of its own until `stop`, which takes milliseconds, not ticks.

    Whatever still waits (latency, stall) is told so by `server.closing`, and its line is cut.
    """

    def __init__(self, server: App) -> None:
        super().__init__(config(server, 0))
        self._demo = server
        self._ready = threading.Event()
        self._end: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="demo", daemon=True)

    def _run(self) -> None:
        try:
            self.run()
        finally:
            self._ready.set()

    def start(self) -> str:
        """The address, once requests are taken."""
        self._thread.start()
        self._ready.wait(30)
        if self._end is None:
            raise RuntimeError("the demo server did not start")
        return address(self)

    def stop(self) -> None:
        if self._loop is not None and self._end is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(10)

    async def main_loop(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        await self.on_tick(0)
        self._ready.set()
        await self._end.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        del sockets
        for server in self.servers:
            server.close()
        self._demo.closing.set()
        self._demo.wires.cut_all()
        if self.server_state.tasks:
            await asyncio.wait(self.server_state.tasks, timeout=1)
        for server in self.servers:
            await server.wait_closed()
