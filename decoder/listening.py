"""Sockets that wait for others to connect."""

from __future__ import annotations

import socket

from streaming.errors import ConfigError

__all__ = ["listen", "url_of"]

SEND_BUFFER = 65536
"""Bytes the kernel may hold for a client; its default hides seconds of stale messages."""


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens; 0 takes a free port.

    Raises
    ------
    ConfigError
        If the address is taken, or is not ours.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
    try:
        sock.bind((host, port))
        sock.listen()
    except OSError as error:
        sock.close()
        msg = f"cannot listen on {host} port {port} ({error.strerror}); choose with --port"
        raise ConfigError(msg) from error
    return sock


def url_of(sock: socket.socket) -> str:
    """Return the address of the page."""
    host, port = sock.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
