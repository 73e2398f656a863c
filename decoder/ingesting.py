"""The process that takes in samples and records them: no model, no torch, no server."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from decoder.config import Config
from decoder.folder import SessionFolder
from decoder.sources import open_source
from streaming.errors import BraincastError
from streaming.ingest import FeedQueue, Ingest
from streaming.link import Hello, parse_address
from streaming.link_server import LinkServer
from streaming.lsl_clock import lsl_clock
from streaming.record import XdfWriter
from streaming.timing import TimedSource

__all__ = [
    "TOKEN_VARIABLE",
    "Child",
    "IngestAddress",
    "end",
    "ingest_process",
    "run_ingest",
    "spawn",
]

TOKEN_VARIABLE = "BRAINCAST_INGEST_TOKEN"  # noqa: S105 - a name, not a token

Child = subprocess.Popen[bytes]

SHUTDOWN = 10.0
"""Seconds that a process gets to end by itself: a recording is closed in that time."""


@dataclass(frozen=True, slots=True)
class IngestAddress:
    """Where an ingest listens, and what lets a decoder in."""

    host: str
    port: int
    token: str


def run_ingest(
    config: Config,
    folder: SessionFolder,
    sock: socket.socket,
    token: str,
    stop: threading.Event,
) -> None:
    """Take in samples until stopped.

    Parameters
    ----------
    config : Config
        All settings; `source` says what to take in, `session.record` whether to record.
    folder : SessionFolder
        Gets the recording.
    sock : socket
        Listens for the decoder.
    token : str
        Lets it in.
    stop : threading.Event
        Ends it.

    Raises
    ------
    BraincastError
        If the stream or the folder cannot be used.
    """
    recorder = XdfWriter(folder.raw) if config.session.record is not None else None
    try:
        source = open_source(config.source, recorder)
    except BraincastError:
        if recorder is not None:
            recorder.close()
            folder.raw.unlink()
        raise
    if config.timing is not None:
        source = TimedSource(source, config.timing)
    host, port = sock.getsockname()[:2]
    print(f"tcp://{host}:{port}", flush=True)  # noqa: T201 - to whoever started us
    queue = FeedQueue(source.spec.to_samples(config.source.max_lag))
    ingest = Ingest(source, recorder, queue, lsl_clock)
    hello = Hello(source.name, source.spec, source.to_si)
    serving = threading.Thread(
        target=LinkServer(sock, token, hello, queue).run, name="link", daemon=True
    )
    serving.start()

    def wait() -> None:
        stop.wait()
        ingest.stop()

    threading.Thread(target=wait, daemon=True).start()
    ingest.run()
    serving.join(SHUTDOWN)


def spawn(*arguments: str, environment: dict[str, str], fd: int | None = None) -> Child:
    """Start one of our own processes; it ends when its standard input does, or we do."""
    # -P: a folder named models where the user stands must not shadow ours.
    return subprocess.Popen(  # noqa: S603 - our own
        [sys.executable, "-P", "-m", "decoder", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, **environment},
        pass_fds=() if fd is None else (fd,),
    )


@contextmanager
def ingest_process(folder: SessionFolder) -> Iterator[IngestAddress]:
    """Run an ingest beside us for a session; its settings are in the folder.

    Raises
    ------
    SourceError
        If it cannot take in anything; it has said why.
    """
    token = secrets.token_urlsafe(16)
    child = spawn("ingest", "--folder", str(folder.path), environment={TOKEN_VARIABLE: token})
    try:
        assert child.stdout is not None  # noqa: S101 - a pipe was asked for
        line = child.stdout.readline().decode()
        if not line:
            raise SystemExit(child.wait())  # it printed its own one line
        yield IngestAddress(*parse_address(line.strip()), token)
    finally:
        end(child)


def end(child: Child) -> int:
    """Ask a process to end, wait for it, and return its exit code."""
    assert child.stdin is not None  # noqa: S101 - a pipe was asked for
    child.stdin.close()
    try:
        return child.wait(SHUTDOWN)
    except subprocess.TimeoutExpired:
        child.kill()
        return child.wait()
    finally:
        if child.stdout is not None:
            child.stdout.close()
