"""What commands write to, and how they stop."""

from __future__ import annotations

import signal
import threading

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

__all__ = ["err", "out", "progress_bar", "stopped_by_signals"]

out = Console()
err = Console(stderr=True)


def stopped_by_signals() -> threading.Event:
    """Return an event that Ctrl-C and SIGTERM set, so that streams are closed in good order."""
    stop = threading.Event()
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
    return stop


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
