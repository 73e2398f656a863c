"""The server under the application: uvicorn, as a session needs it."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from decoder.config import ServerConfig
from decoder.server import protocol
from decoder.server.app import server_config
from decoder.server.backend import Backend
from decoder.server.connection import expel
from decoder.server.protocol import HttpProtocol
from streaming.errors import ConfigError

__all__ = ["Certificate", "Server", "certificate_of"]

logger = logging.getLogger(__name__)

HANG_UP = 50
"""How often, 20 ms apart, it is looked whether all clients took what was sent to them."""

_TICKS = 10
"""Ticks of uvicorn, of 0.1 s, between two looks at the certificate."""


_AT_ONCE = 16
"""Connections that are taken at once, before those that are too many are hung up on."""


class Certificate:
    """A certificate with its key, in files that are renewed from time to time.

    Parameters
    ----------
    cert, key : Path
        In PEM format; `cert` with the chain, if there is one.

    Raises
    ------
    ConfigError
        If they cannot be read, or do not belong together.
    """

    def __init__(self, cert: Path, key: Path) -> None:
        self.cert, self.key = cert, key
        self._seen = self._stamp()
        try:
            self._load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
        except (OSError, ValueError) as error:
            msg = (
                f"{cert} and {key} are no certificate with its key ({error}); give both as PEM "
                f"files with --tls-cert and --tls-key, the key without a password"
            )
            raise ConfigError(msg) from error

    def renew(self, context: ssl.SSLContext) -> None:
        """Load files that have changed; those that cannot be used are said and left."""
        stamp = self._stamp()
        if stamp == self._seen:
            return
        self._seen = stamp
        try:
            # Tried apart: a context with a new certificate and an old key serves nobody.
            self._load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
            self._load(context)
        except (OSError, ValueError) as error:
            logger.warning(
                "the old certificate is kept: %s cannot be used (%s)", self.cert, error
            )
            return
        logger.info("%s was renewed", self.cert)

    def _load(self, context: ssl.SSLContext) -> None:
        context.load_cert_chain(self.cert, self.key, password=lambda: "")

    def _stamp(self) -> list[tuple[int, int]]:
        stamps = []
        for path in (self.cert, self.key):
            try:
                found = path.stat()
                stamps.append((found.st_mtime_ns, found.st_ino))
            except OSError:
                stamps.append((0, 0))
        return stamps


def certificate_of(config: ServerConfig) -> Certificate | None:
    """Return the certificate that a server is to have; None if it encrypts nothing.

    Raises
    ------
    ConfigError
        As `Certificate`.
    """
    if config.tls_cert is None or config.tls_key is None:
        return None
    return Certificate(config.tls_cert, config.tls_key)


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
