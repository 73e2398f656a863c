"""Real processes, as a user starts them."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PATIENCE = 240.0
"""Seconds until a process must have said what is waited for, on a busy machine."""


class Process:
    """A `braincast` command whose output is read as it comes."""

    def __init__(self, *arguments: str | Path, cwd: Path | None = None) -> None:
        command = [sys.executable, "-P", "-m", "decoder", *map(str, arguments)]
        self._child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=cwd,
            env={**os.environ, "PYTHONUNBUFFERED": "1", "COLUMNS": "200"},
        )
        self.pid = self._child.pid
        self.errors = ""
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._complained = threading.Condition()
        self._threads = [
            threading.Thread(target=self._read_output),
            threading.Thread(target=self._read_errors),
        ]
        for thread in self._threads:
            thread.start()

    def _read_output(self) -> None:
        assert self._child.stdout is not None
        for line in self._child.stdout:
            self._lines.put(line.rstrip("\n"))
        self._lines.put(None)

    def _read_errors(self) -> None:
        assert self._child.stderr is not None
        for line in self._child.stderr:
            with self._complained:
                self.errors += line
                self._complained.notify_all()
        with self._complained:
            self._complained.notify_all()

    def wait_for_error(self, text: str) -> None:
        """Wait until `text` was said on stderr."""
        with self._complained:
            said = self._complained.wait_for(
                lambda: text in self.errors or not self.running, PATIENCE
            )
        assert said, f"it did not say {text!r}; stderr: {self.errors}"
        assert text in self.errors, f"it ended; stderr: {self.errors}"

    def line(self, timeout: float = PATIENCE) -> str:
        """Wait for the next line of output."""
        try:
            line = self._lines.get(timeout=timeout)
        except queue.Empty:
            raise AssertionError(f"nothing was printed; stderr: {self.errors}") from None
        assert line is not None, f"it ended with {self.wait()}; stderr: {self.errors}"
        return line

    def rest(self) -> str:
        """Wait for the end of output and return what is left of it."""
        lines = []
        while (line := self._lines.get(timeout=PATIENCE)) is not None:
            lines.append(line)
        return "\n".join(lines)

    def interrupt(self) -> int:
        """Press Ctrl-C and return the exit code."""
        self._child.send_signal(signal.SIGINT)
        return self.wait()

    def kill(self) -> None:
        self._child.kill()

    def wait(self) -> int:
        return self._child.wait(PATIENCE)

    @property
    def running(self) -> bool:
        return self._child.poll() is None

    def close(self) -> None:
        if self.running:
            self._child.kill()
        self._child.wait()
        for thread in self._threads:
            thread.join()
        assert self._child.stdout is not None
        assert self._child.stderr is not None
        self._child.stdout.close()
        self._child.stderr.close()


@contextmanager
def braincast(*arguments: str | Path, cwd: Path | None = None) -> Iterator[Process]:
    process = Process(*arguments, cwd=cwd)
    try:
        yield process
    finally:
        process.close()


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "Z" not in Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]


def children_of(pid: int, command: str = "") -> list[int]:
    """Return the processes that a process started, by any of its threads; the oldest first.

    With a `command`, only those that run it.
    """
    texts = []
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(FileNotFoundError, ProcessLookupError):  # a thread that has just ended
            texts.append(file.read_text())
    children = sorted(int(child) for text in texts for child in text.split())
    asked = f"\0{command}\0".encode() if command else b""
    return [c for c in children if asked in Path(f"/proc/{c}/cmdline").read_bytes()]


def wait_for_children(process: Process) -> list[int]:
    """Wait until a process has started others, and return them."""
    while not (children := children_of(process.pid)):
        assert process.running, process.errors
        threading.Event().wait(0.02)  # somebody else's child has no event
    return children


def wait_until_gone(pids: list[int], timeout: float = 60.0) -> bool:
    """Wait until none of the processes lives."""
    deadline = time.monotonic() + timeout
    while any(is_alive(pid) for pid in pids):
        if time.monotonic() > deadline:
            return False
        threading.Event().wait(0.02)  # the end of a stranger's process has no event
    return True
