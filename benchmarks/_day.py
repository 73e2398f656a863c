"""Run the commands of a tutorial, as its reader would: each in a process of its own."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, Queue
from uuid import uuid4

from decoder.folder import SessionFolder
from decoder.reading import read_log
from streaming.lsl_streams import list_streams

__all__ = ["PATIENCE", "TUTORIAL", "Day", "blocks"]

TUTORIAL = Path(__file__).parents[1] / "docs" / "tutorial" / "a-day-in-the-lab.md"

PATIENCE = 400.0
"""Seconds after which what is waited for will not come."""


def blocks(page: Path = TUTORIAL) -> dict[str, str]:
    """Return what is under each ``<!-- day: LABEL -->`` of a page, in order."""
    text = page.read_text(encoding="utf-8")
    found = re.findall(r"<!-- day: ([\w-]+) -->\n```\w+\n(.*?)```", text, re.DOTALL)
    return dict(found)


@dataclass(slots=True)
class Terminal:
    """A command that runs, and what it said."""

    process: subprocess.Popen[str]
    command: str
    errors: Path
    lines: Queue[str] = field(default_factory=Queue)
    said: list[str] = field(default_factory=list)

    def read(self) -> None:
        """Read what it says, to its end."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(line.rstrip("\n"))
            self.lines.put(line.rstrip("\n"))

    def line(self) -> str:
        """Wait for the next line of its output."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            try:
                return self.lines.get(timeout=0.2)
            except Empty:
                if self.process.poll() is not None and self.lines.empty():
                    break
        msg = f"{self.command!r} printed nothing: {self.errors.read_text()[-2000:]}"
        raise RuntimeError(msg)

    def enter(self) -> None:
        """Press Enter."""
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):
            self.process.stdin.write("\n")
            self.process.stdin.flush()

    def end(self) -> None:
        """Press Ctrl-C."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        self.process.wait(PATIENCE)


@dataclass(slots=True)
class Day:
    """The tutorial, followed in a folder.

    Parameters
    ----------
    work : Path
        Where it is followed.
    instead : mapping of str to str
        What to type instead of parts of commands: fewer trials, for example.

    Attributes
    ----------
    seconds : dict of str to float
        How long each block took.
    said : dict of str to list of str
        What each block printed, in the order of its lines.
    codes : dict of str to list of int
        Exit codes.
    """

    work: Path
    instead: Mapping[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    said: dict[str, list[list[str]]] = field(default_factory=dict)
    codes: dict[str, list[int]] = field(default_factory=dict)

    def run(self, label: str) -> None:
        """Do what a block says: its lines at once if one of them serves or sends, else in turn.

        Streams get a name of their own, services a free port; ``sessions/NAME`` is the newest
        session, and the address of ``listen`` is the one that ``serve`` printed.

        Raises
        ------
        RuntimeError
            If a command fails, or does not end.
        """
        text = self._block(label)
        commands = [line for line in text.splitlines() if line.strip()]
        began = time.monotonic()
        if any(_stays(command) for command in commands) or "replay" in text:
            self._at_once(label, commands)
        else:
            for command in commands:
                with self._terminal(command, {}) as terminal:
                    self._finish(label, terminal)
        self.seconds[label] = time.monotonic() - began

    def python(self, label: str) -> None:
        """Run a block of Python."""
        subprocess.run(
            [sys.executable, "-c", self._block(label)],
            cwd=self.work,
            env=self._environment(),
            check=True,
        )

    def session(self) -> Path:
        """Return the newest session."""
        return max((self.work / "sessions").iterdir(), key=lambda path: path.stat().st_ctime_ns)

    def _block(self, label: str) -> str:
        text = blocks()[label]
        for old, new in self.instead.items():
            text = text.replace(old, new)
        return text

    def _at_once(self, label: str, commands: list[str]) -> None:
        names = {"alice": f"alice-{uuid4().hex[:8]}", "bob": f"bob-{uuid4().hex[:8]}"}
        with ExitStack() as stack:
            staying, others = list[Terminal](), list[Terminal]()
            for command in commands:
                kind = command.split()[1]
                if kind == "listen":
                    names["ADDRESS"] = staying[-1].line()
                terminal = stack.enter_context(self._terminal(command, names))
                (staying if _stays(command) else others).append(terminal)
                if kind == "listen":
                    self._client_is_there(self.session())
                if kind == "simulate":
                    _wait_for_stream(names[_name_of(command.split())])
            serving = [terminal for terminal in staying if " serve " in terminal.command]
            if serving and "ADDRESS" not in names:
                serving[0].line()
            for terminal in others:
                terminal.enter()
            for terminal in others:
                self._finish(label, terminal)
            if serving:
                self._source_is_gone(self.session())
            for terminal in reversed(staying):
                terminal.end()
                self._finish(label, terminal, ended=True)

    def _client_is_there(self, session: Path) -> None:
        """Wait until a client has subscribed."""
        deadline = time.monotonic() + PATIENCE
        while '"subscribe"' not in (session / "audit.jsonl").read_text(encoding="utf-8"):
            if time.monotonic() > deadline:
                msg = f"nobody subscribed to {session}"
                raise RuntimeError(msg)
            threading.Event().wait(0.1)

    def _source_is_gone(self, session: Path) -> None:
        """Wait until a service says that nothing comes any more."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            last = ""
            for message in read_log(SessionFolder(session)):
                if message["method"] == "state" and message["params"]["what"] == "source":
                    last = message["params"]["state"]
            if last in {"lost", "ended", "stalled"}:
                return
            threading.Event().wait(0.5)
        msg = f"{session} does not say that its source is gone"
        raise RuntimeError(msg)

    @contextmanager
    def _terminal(self, command: str, names: Mapping[str, str]) -> Iterator[Terminal]:
        arguments = [self._named(part, names) for part in shlex.split(command)[1:]]
        if arguments[0] == "replay":
            arguments += ["--wait", str(PATIENCE)]
        if arguments[0] == "serve":
            arguments += ["--port", "0"]
        if arguments[0] in {"serve", "calibrate"}:
            arguments += ["--timeout", "120", "--markers", f"{_name_of(arguments)} markers"]
        if arguments[0] == "doctor":
            arguments += ["--timeout", "120"]
        errors = self.work / f"stderr-{uuid4().hex[:8]}"
        with (
            errors.open("w") as stderr,
            subprocess.Popen(
                [sys.executable, "-P", "-m", "decoder", *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                cwd=self.work,
                env=self._environment(),
            ) as process,
        ):
            terminal = Terminal(process, command, errors)
            reader = threading.Thread(target=terminal.read)
            reader.start()
            try:
                yield terminal
            finally:
                if process.poll() is None:
                    process.kill()
                reader.join()

    def _named(self, part: str, names: Mapping[str, str]) -> str:
        if part.startswith("http://"):
            return names["ADDRESS"]
        if part == "sessions/NAME":
            return str(self.session())
        return names.get(part, part)

    def _finish(self, label: str, terminal: Terminal, *, ended: bool = False) -> None:
        code = terminal.process.wait(PATIENCE)
        self.said.setdefault(label, []).append(terminal.said)
        self.codes.setdefault(label, []).append(code)
        if code not in ({0, 130} if ended else {0}):
            errors = terminal.errors.read_text()[-2000:]
            msg = f"{terminal.command!r} ended with {code}: {terminal.said[-30:]} {errors}"
            raise RuntimeError(msg)

    def _environment(self) -> dict[str, str]:
        root = str(Path(__file__).parents[1])
        quiet = self.work / "lsl_api.cfg"  # liblsl reports each start to the terminal
        quiet.write_text("[log]\nlevel = -2\n")
        return {
            **os.environ,
            "PYTHONPATH": root,
            "COLUMNS": "200",
            "PYTHONUNBUFFERED": "1",
            "LSLAPICFG": str(quiet),
        }


def _stays(command: str) -> bool:
    """Return whether a command goes on until Ctrl-C."""
    kind = command.split()[1]
    return kind == "serve" or (kind == "simulate" and "--save" not in command)


def _wait_for_stream(name: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while name not in {stream.name for stream in list_streams(1.0)}:
        if time.monotonic() > deadline:
            msg = f"the stream {name} did not appear"
            raise RuntimeError(msg)


def _name_of(arguments: list[str]) -> str:
    return arguments[arguments.index("--name") + 1]
