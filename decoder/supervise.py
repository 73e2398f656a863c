"""Keeps a decoder running: when one dies or hangs, another is there already."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from decoder.children import START, Child, keep, kill, spawn
from decoder.ingesting import IngestAddress

__all__ = ["Orders", "decoder_ahead", "supervise"]

HANG = 5.0
"""Seconds without a sign of life that mean a decoder hangs. It gives one a second."""

DONE = (0, 2)
"""Exit codes that would come again: it was stopped, or there is something to mend."""


@dataclass(frozen=True)
class Orders:
    """What a decoder is to do, as one line: it is started before `serve` knows.

    The line goes through a pipe, where nobody else can read the secrets in it.

    Attributes
    ----------
    folder : Path
        Of the session.
    address : IngestAddress
        Where samples come from.
    token : str
        Makes a client the operator.
    """

    folder: Path
    address: IngestAddress
    token: str

    def to_line(self) -> bytes:
        """Return the line that `from_line` reads."""
        address = self.address
        found = [str(self.folder), address.host, address.port, address.token, self.token]
        return json.dumps(found).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> Orders:
        """Read the line of `to_line`.

        Examples
        --------
        >>> orders = Orders(Path("sessions/one"), IngestAddress("127.0.0.1", 7799, "a"), "b")
        >>> Orders.from_line(orders.to_line()) == orders
        True
        """
        folder, host, port, ours, token = json.loads(line)
        return cls(Path(folder), IngestAddress(host, port, ours), token)


@contextmanager
def decoder_ahead(sock: socket.socket) -> Iterator[Child]:
    """Start a decoder that imports what it needs, and waits for its orders.

    Parameters
    ----------
    sock : socket
        Listens for clients.

    Yields
    ------
    Child
        For `supervise`. It is gone when this ends.
    """
    child = _spawn(sock)
    try:
        yield child
    finally:
        kill(child)


def supervise(
    first: Child,
    orders: Orders,
    sock: socket.socket,
    announce: Callable[[], None],
    stop: threading.Event,
) -> int:
    """Run decoders, one after the other, until one ends in good order.

    Parameters
    ----------
    first : Child
        From `decoder_ahead`.
    orders : Orders
        What they are to do.
    sock : socket
        Listens for clients. It stays open here, so that who connects while there is no decoder
        waits for the next.
    announce : callable
        Called when the first decoder is there.
    stop : threading.Event
        Ends it.

    Returns
    -------
    int
        The exit code of the last decoder.
    """
    # Once one has decoded, those after it are tried again: the recording goes on.
    return keep(
        lambda number: first if number == 1 else _spawn(sock),
        "decoding",
        patience=START,
        hang=HANG,
        done=DONE,
        begun=announce,
        stop=stop,
        word=orders.to_line(),
    )


def _spawn(sock: socket.socket) -> Child:
    fd = sock.fileno()
    return spawn("decode", "--fd", str(fd), environment={}, fd=fd)
