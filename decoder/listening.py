"""Sockets that wait for others to connect."""

from __future__ import annotations

import socket
from ipaddress import ip_address

from streaming.errors import ConfigError

__all__ = ["is_loopback", "listen", "url_of"]

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


_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - read, not listened on


def url_of(
    sock: socket.socket, *, encrypted: bool = False, name: str = "", own: bool = False
) -> str:
    """Return the address of the page.

    Parameters
    ----------
    sock : socket
        Listens.
    encrypted : bool
        Whether to clients that use TLS.
    name : str
        Of the machine, if that is not to be its own address.
    own : bool
        Whether a program on this machine will use it.
    """
    host, port = sock.getsockname()[:2]
    host = _ANY.get(host, host) if own else name or host
    scheme = "https" if encrypted else "http"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def is_loopback(host: str) -> bool:
    """Whether an address is this machine's own, which nobody else reaches.

    Examples
    --------
    >>> [is_loopback(host) for host in ("localhost", "127.0.0.1", "::1", "0.0.0.0")]
    [True, True, True, False]
    """
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
