"""The process that takes in samples and records them: no model, no torch, no server."""

from __future__ import annotations

import json
import secrets
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from decoder.children import SHUTDOWN, START, Child, keep, spawn
from decoder.config import Config
from decoder.folder import SessionFolder, free_recording
from decoder.halt import WATCH, Halt, file_stops
from decoder.listening import listen
from decoder.sources import open_source
from streaming.errors import BraincastError, SessionError
from streaming.ingest import Fed, FeedQueue, Ingest, stopped
from streaming.link import MARK, RESUME, STOP, Hello
from streaming.link_server import LinkServer
from streaming.lsl_clock import lsl_clock
from streaming.record import XdfWriter
from streaming.signal import SourceState
from streaming.timing import TimedSource

__all__ = ["TOKEN_VARIABLE", "IngestAddress", "ingest_process", "run_ingest"]

TOKEN_VARIABLE = "BRAINCAST_INGEST_TOKEN"  # noqa: S105 - a name, not a token

_BEAT = 0.25
"""Seconds between signs of life while the participant has stopped."""

HANG = 10.0
"""Seconds without a sign of life that mean an ingest hangs. It gives one a second."""


@dataclass(frozen=True, slots=True)
class IngestAddress:
    """Where an ingest listens, and what lets a decoder in."""

    host: str
    port: int
    token: str


def run_ingest(
    config: Config,
    path: Path,
    name: str,
    sock: socket.socket,
    token: str,
    stop: threading.Event,
    beat: Callable[[], None] = lambda: None,
    *,
    part: int = 1,
) -> None:
    """Take in samples until stopped.

    When the participant stops, the recording is closed and nothing is taken in any more, until
    a decoder says that somebody resumed; then to another recording. That it is stopped is kept
    in a file, for the next ingest should this one end.

    Parameters
    ----------
    config : Config
        All settings; `source` says what to take in, `session` whether to record and what stops.
    path : Path
        The recording to make.
    name : str
        Where it is in the session's folder of the decoder.
    sock : socket
        Listens for the decoder.
    token : str
        Lets it in.
    stop : threading.Event
        Ends it.
    beat : callable
        Called about once a second, as long as all is well.
    part : int
        The how manyth recording of the session it is at least. It is an error if the first
        cannot be made; of others that is said, and the signal is decoded nevertheless: within
        a session that is the lesser harm.

    Raises
    ------
    BraincastError
        If the stream or the folder cannot be used.
    """
    halt, folder = Halt(path.parent / "stopped"), name[: -len(path.name)]
    taking = _open(config, path, name, halt, must_record=part == 1)
    host, port = sock.getsockname()[:2]
    print(f"tcp://{host}:{port}", flush=True)  # noqa: T201 - to whoever started us
    while _take(config, taking, sock, token, stop, beat, halt):
        path, part = free_recording(path.parent, part + 1)
        taking = _open(config, path, folder + path.name, halt, must_record=False)


@dataclass(frozen=True, slots=True, eq=False)
class _Taking:
    """What is open while one recording is made."""

    ingest: Ingest
    queue: FeedQueue
    hello: Hello
    resumed: threading.Event = field(default_factory=threading.Event)

    def heard(self, kind: int, body: bytes) -> None:
        """Take what a decoder sends."""
        if kind == STOP:
            self.ingest.withdraw(body.decode(), tell=False)
        elif kind == MARK:
            self.ingest.inject(*json.loads(body))
        elif kind == RESUME and self.ingest.withdrawn:
            self.resumed.set()

    def watch(self, stop: threading.Event, file: Path | None, ended: threading.Event) -> None:
        """Stop when told, or when the file is there; until it has ended."""
        while not ended.is_set() and not stop.wait(WATCH):
            if not self.ingest.withdrawn and (reason := file_stops(file)):
                self.ingest.withdraw(reason, tell=True)
        self.ingest.stop()


def _open(config: Config, path: Path, name: str, halt: Halt, *, must_record: bool) -> _Taking:
    recorder, failure = None, ""
    try:
        if config.session.record is not None and not halt.reason:
            recorder = XdfWriter(path)
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
    ingest = Ingest(source, recorder, queue, lsl_clock, config.session.stop_markers)
    if halt.reason:
        ingest.withdraw(halt.reason, tell=True)
    return _Taking(ingest, queue, Hello(source.name, source.spec, source.to_si, name))


def _take(
    config: Config,
    taking: _Taking,
    sock: socket.socket,
    token: str,
    stop: threading.Event,
    beat: Callable[[], None],
    halt: Halt,
) -> bool:
    """Take in until it is over, and return whether it begins again."""
    ingest, ended, file = taking.ingest, threading.Event(), config.session.stop_file
    server = LinkServer(sock, token, taking.hello, taking.queue, heard=taking.heard)
    serving = threading.Thread(target=server.run, name="link", daemon=True)
    serving.start()
    threading.Thread(target=taking.watch, args=(stop, file, ended), daemon=True).start()
    ingest.run(beat)
    ended.set()
    if ingest.withdrawn:
        halt.begin(ingest.withdrawn)
        server.remember(stopped(ingest.withdrawn, lsl_clock()))
        while not stop.is_set() and not taking.resumed.wait(_BEAT):
            beat()
    again = taking.resumed.is_set() and not stop.is_set()
    if again:
        halt.end()
        server.hang_up()
    else:
        taking.queue.close()
    serving.join(SHUTDOWN)
    return again


@contextmanager
def ingest_process(
    folder: SessionFolder, stopped: threading.Event | None = None
) -> Iterator[IngestAddress]:
    """Run an ingest beside us for a session, and start it again when it dies or hangs.

    Each records to a file of its own. Its settings are in the folder. It listens on a socket
    of ours, so that its address stays. `stopped` ends the wait for the first.

    Raises
    ------
    SystemExit
        If it was stopped before there was a stream.
    SourceError
        If the first cannot take in anything; it has said why.
    """
    token = secrets.token_urlsafe(16)
    patience = START + 2 * folder.config().source.timeout
    stop, ready = threading.Event(), threading.Event()
    codes: list[int] = []
    with closing(listen("127.0.0.1", 0)) as sock:
        fd = sock.fileno()
        arguments = ("ingest", "--folder", str(folder.path), "--fd", str(fd))

        def start(number: int) -> Child:
            environment = {TOKEN_VARIABLE: token}
            return spawn(*arguments, "--part", str(number), environment=environment, fd=fd)

        def run() -> None:
            try:
                code = keep(
                    start,
                    "taking in",
                    patience=patience,
                    hang=HANG,
                    done=(0,),
                    begun=ready.set,
                    stop=stop,
                )
                codes.append(code)
            finally:
                ready.set()

        keeping = threading.Thread(target=run, name="keep ingest")
        keeping.start()
        try:
            while not ready.wait(0.1):
                if stopped is not None and stopped.is_set():
                    raise SystemExit(0)
            if codes:
                raise SystemExit(codes[0])  # it printed its own one line
            host, port = sock.getsockname()[:2]
            yield IngestAddress(host, port, token)
        finally:
            stop.set()
            keeping.join()
