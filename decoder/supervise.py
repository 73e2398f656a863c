"""Keeps a decoder running: one that dies or hangs is started again."""

from __future__ import annotations

import logging
import os
import select
import socket
import threading
from collections.abc import Callable

from decoder.folder import SessionFolder
from decoder.ingesting import TOKEN_VARIABLE, Child, IngestAddress, end, spawn
from streaming.lsl_clock import lsl_clock

__all__ = ["supervise"]

logger = logging.getLogger(__name__)

START = 30.0
"""Seconds that a decoder gets for its first sign of life; 1.5 to 3 s is usual."""

HANG = 5.0
"""Seconds without one, after that, that mean it hangs. It gives one a second."""

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
    while True:
        arguments = ("--folder", str(folder.path), "--ingest", where, "--fd", str(fd))
        child = spawn("decode", *arguments, environment=environment, fd=fd)
        began = _watch(child, announce, stop)
        code = end(child)
        if stop.is_set():
            return 0
        if code in DONE or not began:
            return code
        logger.warning("decoding ended with exit code %d; starting it again", code)
        announce = _nothing


def _nothing() -> None:
    pass


def _watch(child: Child, announce: Callable[[], None], stop: threading.Event) -> bool:
    """Return when a decoder has ended or hangs, with whether it ever gave a sign of life."""
    assert child.stdout is not None  # noqa: S101 - a pipe was asked for
    began, deadline = False, lsl_clock() + START
    while not stop.is_set():
        if select.select([child.stdout], [], [], 0.1)[0]:
            if not os.read(child.stdout.fileno(), 4096):
                return began
            deadline = lsl_clock() + HANG
            if not began:
                began = True
                announce()
        elif lsl_clock() > deadline:
            logger.warning("decoding gave no sign of life for %g s", HANG)
            child.kill()
            return began
    return began
