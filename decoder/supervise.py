"""Keeps a decoder running: when one dies or hangs, another is there already.

A start takes seconds, nearly all of them to import. So the next decoder is started ahead and
waits, with everything imported, for the word to begin: it costs memory, and no time of a core.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable

from decoder.children import START, Child, Watched, end, spawn
from decoder.folder import SessionFolder
from decoder.ingesting import TOKEN_VARIABLE, IngestAddress

__all__ = ["supervise"]

logger = logging.getLogger(__name__)

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

    def start() -> Child:
        return spawn("decode", *arguments, environment=environment, fd=fd)

    spare: Child | None = None
    announced = False
    try:
        while True:
            child, spare = spare or start(), None
            _let_begin(child)
            decoder = Watched(child, "decoding", start=START, hang=HANG)
            while not stop.is_set() and decoder.is_alive():
                if decoder.begun and spare is None:
                    spare = start()
                    if not announced:
                        announced = True
                        announce()
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
