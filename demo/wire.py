"""The HTTP protocol of the server, with a way to end a connection without an answer."""

from __future__ import annotations

import typing as t

from uvicorn.protocols.http.auto import AutoHTTPProtocol

if t.TYPE_CHECKING:
    import asyncio

Base: t.Any = AutoHTTPProtocol  # httptools where it is installed, else h11


class Wires:
    """The open connections, by the address of their other end."""

    def __init__(self) -> None:
        self._open: dict[t.Any, asyncio.Transport] = {}

    def protocol(self) -> type[asyncio.Protocol]:
        """A protocol class that tells us of its connections."""
        wires = self._open

        class Wire(Base):  # type: ignore[misc]
            def connection_made(self, transport: asyncio.Transport) -> None:
                self.peer = transport.get_extra_info("peername")
                wires[self.peer] = transport
                super().connection_made(transport)

            def connection_lost(self, exc: Exception | None) -> None:
                wires.pop(self.peer, None)
                super().connection_lost(exc)

        return Wire

    def cut_all(self) -> None:
        for transport in list(self._open.values()):
            transport.abort()

    def cut(self, peer: t.Any) -> None:
        """End the connection now; what was written is sent first."""
        transport = self._open.get(tuple(peer))
        if transport is not None:
            transport.close()
