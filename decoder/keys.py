"""Keys that are pressed at a terminal, while something else is shown there."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["pressed_keys"]


@contextmanager
def pressed_keys() -> Iterator[Callable[[], str]]:
    """Give a function that returns the keys pressed since; without a terminal, none are.

    Nor are they in the background, where a terminal stops whoever changes its settings.

    Keys are not echoed meanwhile; Ctrl-C stays what it is.
    """
    if os.name != "posix" or not sys.stdin.isatty() or not _in_foreground():
        yield lambda: ""
        return
    import termios
    import tty

    fd = sys.stdin.fileno()
    before = termios.tcgetattr(fd)
    tty.setcbreak(fd)

    def pressed() -> str:
        if not select.select([fd], [], [], 0)[0]:
            return ""
        return os.read(fd, 64).decode(errors="replace")

    try:
        yield pressed
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, before)


def _in_foreground() -> bool:
    try:
        return os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
    except OSError:  # a terminal that is not ours
        return True
