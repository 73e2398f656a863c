"""The process that takes in samples and records them: no model, no torch, no server."""

from __future__ import annotations

import secrets
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from decoder.children import START, Child, keep, spawn
from decoder.config import Config
from decoder.folder import SessionFolder, free_recording
from decoder.halt import Halt
from decoder.listening import listen
from decoder.taking import open_taking

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
    taking = open_taking(config, path, name, halt, must_record=part == 1)
    host, port = sock.getsockname()[:2]
    print(f"tcp://{host}:{port}", flush=True)  # noqa: T201 - to whoever started us
    while taking.run(sock, token, stop, beat):
        halt.end()
        path, part = free_recording(path.parent, part + 1)
        taking = open_taking(config, path, folder + path.name, halt, must_record=False)


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
