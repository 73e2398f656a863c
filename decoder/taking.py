"""One recording, from its beginning to a stop: of the session, or of the participant."""

from __future__ import annotations

import json
import secrets
import socket
import threading
from collections.abc import Callable
from pathlib import Path

from decoder.children import SHUTDOWN
from decoder.config import Config
from decoder.halt import WATCH, Halt, file_stops
from decoder.sources import open_source
from streaming.errors import BraincastError, SessionError
from streaming.ingest import Fed, FeedQueue, Ingest, stopped
from streaming.link import MARK, RESUME, STOP, Hello
from streaming.link_server import LinkServer
from streaming.lsl_clock import lsl_clock
from streaming.record import XdfWriter
from streaming.signal import SourceState
from streaming.timing import TimedSource

__all__ = ["Taking", "open_taking"]

BEAT = 0.25
"""Seconds between signs of life while the participant has stopped."""


def open_taking(
    config: Config, path: Path, name: str, halt: Halt, *, must_record: bool
) -> Taking:
    """Open a source and a recording of it.

    Parameters
    ----------
    config : Config
        All settings.
    path : Path
        The recording to make; none is while the participant has stopped.
    name : str
        Where it is in the session's folder of the decoder. A later one that is not made gets a
        name that no other has: rows are told apart by it, and no file keeps it taken.
    halt : Halt
        Whether the participant has stopped.
    must_record : bool
        Whether it is an error if it cannot be recorded; else that is said.

    Raises
    ------
    BraincastError
        If the stream or the folder cannot be used.
    """
    recorder, failure, reason = None, "", halt.reason
    try:
        if config.session.record is not None and not reason:
            recorder = XdfWriter(path, path.parent.name)
    except SessionError as error:
        if must_record:
            raise
        failure = str(error)
    try:
        source = open_source(config.source, recorder)
    except BraincastError:
        if recorder is not None:
            recorder.close()
            path.unlink()
        raise
    if config.timing is not None:
        source = TimedSource(source, config.timing)
    queue = FeedQueue(source.spec.to_samples(config.source.max_lag))
    if failure:
        now = lsl_clock()
        queue.put(Fed(SourceState("failed", now, failure, "recorder"), 0, now))
    stops = config.session.stop_markers
    ingest = Ingest(source, recorder, queue, lsl_clock, stops, halt.begin)
    if reason:  # though somebody resumed since then: who did says so again
        ingest.withdraw(reason, tell=True)
    if recorder is None and not must_record and not reason:
        name = f"{name.removesuffix('.xdf')}{secrets.randbelow(10**9):09}.xdf"
    hello = Hello(source.name, source.spec, source.to_si, name)
    return Taking(ingest, queue, hello, config.session.stop_file)


class Taking:
    """What is open while one recording is made.

    Parameters
    ----------
    ingest : Ingest
        Reads and records.
    queue : FeedQueue
        What it gives to the decoder.
    hello : Hello
        What the decoder is told first.
    stop_file : Path or None
        Stops it when it is there.
    """

    def __init__(
        self, ingest: Ingest, queue: FeedQueue, hello: Hello, stop_file: Path | None
    ) -> None:
        self._ingest = ingest
        self._queue = queue
        self._hello = hello
        self._stop_file = stop_file
        self._ended, self._resumed = threading.Event(), threading.Event()
        self._server: LinkServer

    def run(
        self,
        sock: socket.socket,
        token: str,
        stop: threading.Event,
        beat: Callable[[], None],
    ) -> bool:
        """Take in until it is over, and return whether another is to be made.

        Parameters
        ----------
        sock : socket
            Listens for the decoder.
        token : str
            Lets it in.
        stop : threading.Event
            Ends it.
        beat : callable
            Called about once a second or more, as long as all is well.
        """
        ingest, heard = self._ingest, self._heard
        self._server = server = LinkServer(sock, token, self._hello, self._queue, heard=heard)
        serving = threading.Thread(target=server.run, name="link", daemon=True)
        serving.start()
        threading.Thread(target=self._watch, args=(stop,), daemon=True).start()
        ingest.run(beat)
        self._ended.set()
        if ingest.withdrawn:
            server.remember(stopped(ingest.withdrawn, lsl_clock()))
            while not stop.is_set() and not self._resumed.wait(BEAT):
                beat()
        self._queue.close()
        serving.join(SHUTDOWN)
        return self._resumed.is_set() and not stop.is_set()

    def _heard(self, kind: int, body: bytes) -> None:
        """Take what a decoder sends."""
        if kind == STOP:
            self._ingest.withdraw(body.decode(), tell=False)
        elif kind == MARK:
            self._ingest.inject(*json.loads(body))
        elif kind == RESUME and self._ingest.withdrawn:
            self._server.hang_up()  # before the decoder comes again, to hear nothing old
            self._resumed.set()

    def _watch(self, stop: threading.Event) -> None:
        """Stop when told, or when the file is there; until it has ended."""
        while not self._ended.is_set() and not stop.wait(WATCH):
            reason = file_stops(self._stop_file)
            if reason and not self._ingest.withdrawn:
                self._ingest.withdraw(reason, tell=True)
        self._ingest.stop()
