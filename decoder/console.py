"""What commands write to, and how they stop."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

__all__ = [
    "err",
    "interruptible",
    "out",
    "progress_bar",
    "stop_signals",
    "stopped_by_signals",
    "when_input_ends",
]

out = Console()
err = Console(stderr=True)


def stop_signals() -> list[signal.Signals]:
    """Return the signals that end a command: Ctrl-C, SIGTERM, and a terminal that is closed.

    The last is left out where it is ignored, as ``nohup`` asks for.
    """
    numbers = [signal.SIGINT, signal.SIGTERM]
    hangup = getattr(signal, "SIGHUP", None)  # there is none on Windows
    if hangup is not None and signal.getsignal(hangup) is not signal.SIG_IGN:
        numbers.append(hangup)
    return numbers


def stopped_by_signals() -> threading.Event:
    """Return an event that `stop_signals` set, so that streams are closed in good order."""
    stop = threading.Event()
    if threading.current_thread() is threading.main_thread():
        for number in stop_signals():
            signal.signal(number, lambda *_: stop.set())
    return stop


@contextmanager
def interruptible() -> Iterator[None]:
    """Let `stop_signals` raise KeyboardInterrupt again, after `stopped_by_signals`."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {n: signal.signal(n, signal.default_int_handler) for n in stop_signals()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def progress_bar() -> Progress:
    """Make the progress bar that all long work shows."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=err,
        transient=True,
    )


def when_input_ends(stop: Callable[[], None]) -> None:
    """Call `stop` when standard input ends: whoever started us holds the other end of it."""

    def wait() -> None:
        while os.read(0, 4096):  # sys.stdin has a lock, which a thread must not die with
            pass
        stop()

    threading.Thread(target=wait, daemon=True).start()
