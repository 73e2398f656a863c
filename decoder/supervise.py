"""Keeps a decoder running: when one dies or hangs, another is there already."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable

from decoder.children import START, Child, keep, spawn
from decoder.folder import SessionFolder
from decoder.ingesting import TOKEN_VARIABLE, IngestAddress

__all__ = ["supervise"]

HANG = 5.0
"""Seconds without a sign of life that mean a decoder hangs. It gives one a second."""

DONE = (0, 2)
"""Exit codes that would come again: it was stopped, or there is something to mend."""


def supervise(
    folder: SessionFolder,
    address: IngestAddress,
    sock: socket.socket,
    token: str,
    announce: Callable[[], None],
    stop: threading.Event,
) -> int:
    """Run decoders, one after the other, until one ends in good order.

    Parameters
    ----------
    folder : SessionFolder
        Of the session.
    address : IngestAddress
        Where samples come from.
    sock : socket
        Listens for clients. It stays open here, so that who connects while there is no decoder
        waits for the next.
    token : str
        Makes a client the operator.
    announce : callable
        Called when the first decoder is there.
    stop : threading.Event
        Ends it.

    Returns
    -------
    int
        The exit code of the last decoder.
    """
    environment = {"BRAINCAST_TOKEN": token, TOKEN_VARIABLE: address.token}
    where = f"tcp://{address.host}:{address.port}"
    fd = sock.fileno()
    arguments = ("--folder", str(folder.path), "--ingest", where, "--fd", str(fd))

    def start(_: int) -> Child:
        return spawn("decode", *arguments, environment=environment, fd=fd)

    # Once one has decoded, those after it are tried again: the recording goes on.
    return keep(
        start, "decoding", patience=START, hang=HANG, done=DONE, begun=announce, stop=stop
    )
