"""Our own processes: started, watched and ended."""

from __future__ import annotations

import logging
import os
import select
import subprocess
import sys

from streaming.lsl_clock import lsl_clock

__all__ = ["SHUTDOWN", "START", "Child", "Watched", "end", "spawn"]

logger = logging.getLogger(__name__)

Child = subprocess.Popen[bytes]

START = 30.0
"""Seconds that a process gets for its first sign of life; 1.5 to 3 s is usual."""

SHUTDOWN = 10.0
"""Seconds that a process gets to end by itself: a recording is closed in that time."""

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


class Watched:
    """A process that gives a sign of life about once a second: a line on its standard output.

    Parameters
    ----------
    child : Child
        The process.
    name : str
        What to call it.
    start : float
        Seconds that it gets for the first one.
    hang : float
        Seconds without one, after that, that mean it hangs.

    Attributes
    ----------
    begun : bool
        Whether there was a sign of life.
    """

    def __init__(self, child: Child, name: str, *, start: float, hang: float) -> None:
        self.child = child
        self.begun = False
        self._name = name
        self._hang = hang
        self._deadline = lsl_clock() + start

    def is_alive(self) -> bool:
        """Look for a moment; return False once it has ended, or hangs and was killed."""
        assert self.child.stdout is not None  # noqa: S101 - a pipe was asked for
        if select.select([self.child.stdout], [], [], _LOOK)[0]:
            if not os.read(self.child.stdout.fileno(), 4096):
                return False
            self.begun = True
            self._deadline = lsl_clock() + self._hang
        elif lsl_clock() > self._deadline:
            logger.warning("%s gave no sign of life; it is ended", self._name)
            self.child.kill()
            return False
        return True
