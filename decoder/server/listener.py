"""The server under the application: uvicorn, as a session needs it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from decoder.server import protocol
from decoder.server.app import server_config
from decoder.server.backend import Backend
from decoder.server.certificate import Certificate
from decoder.server.connection import expel
from decoder.server.protocol import HttpProtocol

__all__ = ["Server"]

HANG_UP = 50
"""How often, 20 ms apart, it is looked whether all clients took what was sent to them."""

_TICKS = 10
"""Ticks of uvicorn, of 0.1 s, between two looks at the certificate."""

_AT_ONCE = 16
"""Connections that are taken at once, before those that are too many are hung up on."""


class Server(uvicorn.Server):
    """Uvicorn without its handling of signals, which would end us before the recording is.

    Parameters
    ----------
    backend : Backend
        What is served.
    certificate : Certificate or None
        Encrypts; without one nothing is encrypted.
    """

    def __init__(self, backend: Backend, certificate: Certificate | None = None) -> None:
        config = server_config(backend)
        if certificate is not None:
            config.ssl_certfile, config.ssl_keyfile = certificate.cert, certificate.key
        super().__init__(config)
        self._backend, self._certificate = backend, certificate

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen. Who has to encrypt gets no longer for that than others for a request."""
        config, loop = self.config, asyncio.get_running_loop()

        def connection() -> asyncio.Protocol:
            return HttpProtocol(config, self.server_state, {}, loop)

        self.servers = [
            await loop.create_server(
                connection,
                sock=sock,
                ssl=config.ssl,
                backlog=_AT_ONCE,
                ssl_handshake_timeout=protocol.PATIENCE if config.ssl else None,
            )
            for sock in sockets or ()
        ]
        for sock in sockets or ():
            sock.listen(config.backlog)  # more than asyncio takes at once may wait
        self.started = True

    async def on_tick(self, counter: int) -> bool:
        """Look whether the certificate was renewed, a token revoked, and whether to end."""
        if self._certificate is not None and self.config.ssl and counter % _TICKS == 0:
            self._certificate.renew(self.config.ssl)
        expel(self._backend)
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Say goodbye to all clients, and hang up on those that take nothing."""
        for server in self.servers:  # first, so that nobody comes back to us meanwhile
            server.close()
        connections = self.server_state.connections
        for connection in list(connections):
            connection.shutdown()
        for _ in range(HANG_UP):
            if not connections:
                break
            await asyncio.sleep(0.02)
        for connection in list(connections):
            if connection.transport is not None:
                connection.transport.abort()
        await asyncio.sleep(0)  # in which they are gone
        await super().shutdown(sockets)
