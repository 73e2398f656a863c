"""Whether a file is still written to, by any process of this machine."""

from __future__ import annotations

from contextlib import suppress
from io import RawIOBase
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows, where nobody is told
    fcntl = None  # type: ignore[assignment]

__all__ = ["hold", "is_held"]


def hold(file: RawIOBase) -> None:
    """Mark a file as written to until it is closed, also by the end of the process.

    Several may hold one. Where the file system keeps no locks, nobody is told.
    """
    if fcntl is not None:
        with suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)


def is_held(path: Path) -> bool:
    """Return whether anybody holds a file; not if it is not there."""
    if fcntl is None or not path.is_file():
        return False
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:  # a file system without locks
            return False
    return False
