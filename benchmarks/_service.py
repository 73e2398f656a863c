"""A running `braincast serve` with a client that listens to all it says."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from websockets.exceptions import ConnectionClosed

from decoder.client import connect
from streaming.lsl_clock import lsl_clock

__all__ = ["PATIENCE", "Heard", "Listener", "Service", "is_decode", "serving"]

PATIENCE = 90.0
"""Seconds after which what is waited for will not come."""

_STREAMS = ("text", "state", "image")


@dataclass(frozen=True, slots=True)
class Heard:
    """An event at a client.

    Parameters
    ----------
    t : float
        When it came, in seconds on the LSL clock.
    stream : str
        Its stream.
    params : dict
        What it says.
    """

    t: float
    stream: str
    params: dict[str, Any]


def is_decode(event: Heard) -> bool:
    """Return whether an event is a decode, and none that was withheld."""
    return event.stream == "text" and not event.params["abstained"]


@dataclass(slots=True)
class Listener:
    """A client that connects again and goes on whenever it is parted from the service.

    Parameters
    ----------
    url : str
        The address that the service printed.
    """

    url: str
    events: list[Heard] = field(default_factory=list)
    _news: threading.Condition = field(default_factory=threading.Condition)
    _stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Listen until stopped."""
        while not self._stop.is_set():
            try:
                with connect(self.url, _STREAMS, timeout=PATIENCE) as client:
                    for event in client:
                        heard = Heard(lsl_clock(), event.stream, event.params)
                        with self._news:
                            self.events.append(heard)
                            self._news.notify_all()
            except (OSError, EOFError, ConnectionClosed, TimeoutError):
                self._stop.wait(0.05)

    def stop(self) -> None:
        """Connect no more."""
        self._stop.set()

    def wait_for(
        self, wanted: Callable[[Heard], bool], since: float, patience: float = PATIENCE
    ) -> Heard:
        """Return the first event that came after an instant and is wanted.

        Raises
        ------
        RuntimeError
            If none comes.
        """
        seen, deadline = 0, time.monotonic() + patience
        with self._news:
            while True:
                for event in self.events[seen:]:
                    if event.t > since and wanted(event):
                        return event
                seen = len(self.events)
                left = deadline - time.monotonic()
                if left <= 0 or not self._news.wait(left):
                    last = self.events[-1] if self.events else None
                    msg = f"nothing of what was waited for came in {patience:g} s; last: {last}"
                    raise RuntimeError(msg)


@dataclass(frozen=True, slots=True)
class Service:
    """`braincast serve` and who listens to it.

    Parameters
    ----------
    process : Popen
        The one that was started; it starts two others.
    listener : Listener
        The client.
    folder : Path
        Where its session is.
    """

    process: subprocess.Popen[str]
    listener: Listener
    folder: Path

    @property
    def errors(self) -> str:
        """What it printed as errors."""
        return (self.folder / "stderr").read_text()

    @property
    def session(self) -> Path:
        """The session's folder."""
        (session,) = (self.folder / "sessions").iterdir()
        return session

    def pids(self) -> list[int]:
        """Return the processes: the one that was started, and those that it started."""
        pid = self.process.pid
        children = [f.read_text() for f in Path(f"/proc/{pid}/task").glob("*/children")]
        return [pid, *sorted(int(child) for text in children for child in text.split())]

    def pid_of(self, command: str) -> int:
        """Return the process that runs ``ingest`` or ``decode``: of several, the first."""
        return next(
            child
            for child in self.pids()[1:]
            if f"\0{command}\0".encode() in Path(f"/proc/{child}/cmdline").read_bytes()
        )

    def stop(self) -> None:
        """End it in good order."""
        self.listener.stop()
        self.process.terminate()
        self.process.wait(PATIENCE)


@contextmanager
def calm_folder() -> Iterator[Path]:
    """Give a folder for what is made; processes started meanwhile compute on one thread.

    They do not report to the terminal that liblsl started.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        quiet = folder / "lsl_api.cfg"
        quiet.write_text("[log]\nlevel = -2\n")
        os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", LSLAPICFG=str(quiet))
        yield folder


@contextmanager
def serving(model: Path, name: str, folder: Path, *options: str) -> Iterator[Service]:
    """Serve a stream, recording, and listen.

    Parameters
    ----------
    model : Path
        Model folder.
    name : str
        Name of the stream.
    folder : Path
        Gets the session; is made.
    *options : str
        More of `braincast serve`.
    """
    folder.mkdir(parents=True)
    command = [sys.executable, "-P", "-m", "decoder", "serve", "--model", str(model)]
    command += ["--name", name, "--markers", f"{name} markers", "--port", "0"]
    command += ["--timeout", "40", *options]
    root = str(Path(__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": root, "COLUMNS": "200"}
    errors = folder / "stderr"
    with (
        errors.open("w") as stderr,
        subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            env=environment,
            cwd=folder,
        ) as process,
    ):
        assert process.stdout is not None
        listener = Listener("")
        thread = threading.Thread(target=listener.run, daemon=True)
        try:
            listener.url = process.stdout.readline().strip()
            if not listener.url:
                msg = f"the service did not start: {errors.read_text()}"
                raise RuntimeError(msg)
            thread.start()
            yield Service(process, listener, folder)
        finally:
            listener.stop()
            process.terminate()
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
