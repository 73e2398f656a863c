"""The process that takes in samples and records them: no model, no torch, no server."""

from __future__ import annotations

import secrets
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from decoder.children import SHUTDOWN, START, Child, keep, spawn
from decoder.config import Config
from decoder.folder import SessionFolder
from decoder.listening import listen
from decoder.sources import open_source
from streaming.errors import BraincastError, SessionError
from streaming.ingest import Fed, FeedQueue, Ingest
from streaming.link import Hello
from streaming.link_server import LinkServer
from streaming.lsl_clock import lsl_clock
from streaming.record import XdfWriter
from streaming.signal import SourceState
from streaming.timing import TimedSource

__all__ = ["TOKEN_VARIABLE", "IngestAddress", "ingest_process", "run_ingest"]

TOKEN_VARIABLE = "BRAINCAST_INGEST_TOKEN"  # noqa: S105 - a name, not a token

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
    must_record: bool = True,
) -> None:
    """Take in samples until stopped.

    Parameters
    ----------
    config : Config
        All settings; `source` says what to take in, `session.record` whether to record.
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
    must_record : bool
        Whether it is an error if it cannot be recorded; else that is said, and the signal is
        decoded nevertheless: within a session that is the lesser harm.

    Raises
    ------
    BraincastError
        If the stream or the folder cannot be used.
    """
    recorder, failure = None, ""
    try:
        recorder = XdfWriter(path) if config.session.record is not None else None
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
    host, port = sock.getsockname()[:2]
    print(f"tcp://{host}:{port}", flush=True)  # noqa: T201 - to whoever started us
    queue = FeedQueue(source.spec.to_samples(config.source.max_lag))
    if failure:
        now = lsl_clock()
        queue.put(Fed(SourceState("failed", now, failure, "recorder"), 0, now))
    ingest = Ingest(source, recorder, queue, lsl_clock)
    hello = Hello(source.name, source.spec, source.to_si, name)
    serving = threading.Thread(
        target=LinkServer(sock, token, hello, queue).run, name="link", daemon=True
    )
    serving.start()

    def wait() -> None:
        stop.wait()
        ingest.stop()

    threading.Thread(target=wait, daemon=True).start()
    ingest.run(beat)
    serving.join(SHUTDOWN)


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
