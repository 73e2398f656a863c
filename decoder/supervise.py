"""Keeps a decoder running: when one dies or hangs, another is there already.

A start takes seconds, nearly all of them to import. So the next decoder is started ahead and
waits, with everything imported, for the word to begin: it costs memory, and no time of a core.
"""

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
    arguments = ("--folder", str(folder.path), "--ingest", where, "--fd", str(fd))

    def start() -> Child:
        return spawn("decode", *arguments, environment=environment, fd=fd)

    spare: Child | None = None
    announced = False

    def begun() -> None:
        nonlocal spare, announced
        spare = start()
        if not announced:
            announced = True
            announce()

    try:
        while True:
            child, spare = spare or start(), None
            _let_begin(child)
            _watch(child, begun, stop)
            code = end(child)
            if stop.is_set():
                return 0
            # Once one has decoded, those after it are tried again: the recording goes on.
            if code in DONE or not announced:
                return code
            logger.warning("decoding ended with exit code %d; starting it again", code)
    finally:
        if spare is not None:
            spare.kill()
            end(spare)


def _let_begin(child: Child) -> None:
    assert child.stdin is not None  # noqa: S101 - a pipe was asked for
    try:
        os.write(child.stdin.fileno(), b"\n")
    except BrokenPipeError:
        logger.info("the next decoder has ended before it began")  # which is noticed at once


def _watch(child: Child, begun: Callable[[], None], stop: threading.Event) -> None:
    """Return when a decoder has ended or hangs; call `begun` at its first sign of life."""
    assert child.stdout is not None  # noqa: S101 - a pipe was asked for
    began, deadline = False, lsl_clock() + START
    while not stop.is_set():
        if select.select([child.stdout], [], [], 0.1)[0]:
            if not os.read(child.stdout.fileno(), 4096):
                return
            deadline = lsl_clock() + HANG
            if not began:
                began = True
                begun()
        elif lsl_clock() > deadline:
            logger.warning("decoding gave no sign of life for %g s", HANG)
            child.kill()
            return
