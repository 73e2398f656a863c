"""Our own processes: started, watched, ended, and started again.

A start takes seconds, nearly all of them to import. So the next process is started ahead and
waits, with everything imported, for the word to begin: it costs memory, and no time of a core.
"""

from __future__ import annotations

import gc
import itertools
import logging
import os
import select
import subprocess
import sys
import threading
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import IO

from streaming.lsl_clock import Clock, lsl_clock

__all__ = [
    "SHUTDOWN",
    "START",
    "Child",
    "Watched",
    "end",
    "keep",
    "kill",
    "pipes",
    "spare_the_old",
    "spawn",
    "step",
    "wait_for_word",
]

logger = logging.getLogger(__name__)

Child = subprocess.Popen[bytes]

START = 60.0
"""Seconds that a process gets for each step of its start; 1.5 to 3 s for all is usual, and
more than a minute where ten others want the same core."""

SHUTDOWN = 10.0
"""Seconds that a process gets to end by itself: a recording is closed in that time."""

_PAUSE = 1.0
"""Seconds until the next is tried after one that ended before it began."""

_LOOK = 0.1
"""Seconds between two looks at whether to stop."""


def spawn(*arguments: str, environment: dict[str, str], fd: int | None = None) -> Child:
    """Start one of our own processes; it ends when its standard input does, or we do."""
    # -P: a folder named models where the user stands must not shadow ours. faulthandler: a
    # crash in a library leaves where it was.
    return subprocess.Popen(  # noqa: S603 - our own
        [sys.executable, "-P", "-X", "faulthandler", "-m", "decoder", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, **environment},
        pass_fds=() if fd is None else (fd,),
    )


def spare_the_old() -> None:
    """Have the garbage collector look at nothing that is there now; called before live work.

    A full collection stops every thread. It took 138 ms where decoding runs, with the 262,000
    objects of all that is imported, and 31 ms where samples are taken in.
    """
    gc.collect()
    gc.freeze()


def step() -> None:
    """Tell who started us that a step of the start is done; see `Watched`."""
    print(".", end="", flush=True)  # noqa: T201 - to the supervisor


def wait_for_word() -> bytes:
    """Wait for the line that lets us begin; return nothing if who started us has ended."""
    line = b""
    while not line.endswith(b"\n"):
        more = os.read(0, 4096)
        if not more:
            return b""
        line += more
    return line


def pipes(child: Child) -> tuple[IO[bytes], IO[bytes]]:
    """Return the standard input and output of a process that `spawn` started."""
    assert child.stdin is not None  # noqa: S101 - pipes were asked for
    assert child.stdout is not None  # noqa: S101
    return child.stdin, child.stdout


def kill(child: Child) -> int:
    """End a process, whatever it does, wait for it, and return its exit code."""
    child.kill()
    code = child.wait()
    for pipe in pipes(child):
        with suppress(OSError):  # what was not read any more
            pipe.close()
    return code


def end(child: Child) -> int:
    """Ask a process to end, wait for it, and return its exit code."""
    asked, said = pipes(child)
    asked.close()
    try:
        return child.wait(SHUTDOWN)
    except subprocess.TimeoutExpired:
        child.kill()
        return child.wait()
    finally:
        said.close()


class Watched:
    """A process that gives a sign of life about once a second: a line on its standard output.

    Before the first it says with anything else, such as a dot, that a step of its start is
    done (`step`): a start may take as long as the machine needs, and one that hangs is seen.

    Parameters
    ----------
    child : Child
        The process.
    name : str
        What to call it.
    start : float
        Seconds that it gets for each step until the first one.
    hang : float
        Seconds without one, after that, that mean it hangs.
    clock : callable
        The LSL clock.

    Attributes
    ----------
    begun : bool
        Whether there was a sign of life.
    deadline : float
        When the next one, or the next step, has to be there, on that clock.
    """

    def __init__(
        self,
        child: Child,
        name: str,
        *,
        start: float,
        hang: float,
        clock: Clock = lsl_clock,
    ) -> None:
        self.child = child
        self.begun = False
        self._name = name
        self._start, self._hang = start, hang
        self._clock = clock
        self.deadline = clock() + start

    def is_alive(self) -> bool:
        """Look for a moment; return False once it has ended, or hangs and was killed."""
        _, stdout = pipes(self.child)
        if select.select([stdout], [], [], _LOOK)[0]:
            said = os.read(stdout.fileno(), 4096)
            if not said:
                return False
            self.begun = self.begun or b"\n" in said
            self.deadline = self._clock() + (self._hang if self.begun else self._start)
        elif self._clock() > self.deadline:
            when = (
                f"for {self._hang:g} s" if self.begun else f"of a start for {self._start:g} s"
            )
            logger.warning("%s gave no sign of life %s; it is ended", self._name, when)
            self.child.kill()
            return False
        return True


def keep(
    start: Callable[[int], Child],
    name: str,
    *,
    patience: float,
    hang: float,
    done: Collection[int],
    begun: Callable[[], None],
    stop: threading.Event,
    word: bytes = b"\n",
) -> int:
    """Run processes, one after the other, until one ends in good order.

    Parameters
    ----------
    start : callable
        Starts a process, of which it gets the number, from 1. It has to wait for a line on
        its standard input (`wait_for_word`).
    name : str
        What it does.
    patience, hang : float
        Seconds for each step until its first sign of life, and for each after that.
    done : collection of int
        Exit codes that would come again.
    begun : callable
        Called at the first sign of life of the first one. If there is none, no other is tried.
    stop : threading.Event
        Ends it.
    word : bytes
        The line that lets a process begin.

    Returns
    -------
    int
        The exit code of the last; 0 if it was stopped.
    """
    spare: Child | None = None
    ever_begun = False
    try:
        for number in itertools.count(1):
            child, spare = spare or start(number), None
            _let_begin(child, word)
            watched = Watched(child, name, start=patience, hang=hang)
            while not stop.is_set() and watched.is_alive():
                if watched.begun and spare is None:
                    spare = start(number + 1)
                    if not ever_begun:
                        ever_begun = True
                        begun()
            code = end(child)
            if stop.is_set():
                return 0
            if code in done or not ever_begun:
                return code
            logger.warning("%s ended with exit code %d; starting it again", name, code)
            if not watched.begun:
                stop.wait(_PAUSE)
    finally:
        if spare is not None:
            spare.kill()
            end(spare)
    raise AssertionError  # the loop has no end


def _let_begin(child: Child, word: bytes) -> None:
    try:
        os.write(pipes(child)[0].fileno(), word)
    except BrokenPipeError:
        logger.info("the next process has ended before it began")  # which is noticed at once
