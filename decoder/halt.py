"""The participant's stop, where it has to hold although a process ends: on disk.

Both processes keep it, so that it is there whichever of them is not.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["WATCH", "Halt", "file_stops"]

WATCH = 0.02
"""Seconds between two looks at the file that stops a session."""


class Halt:
    """Whether taking in is stopped: kept in a file, so that the next process knows.

    Parameters
    ----------
    path : Path
        Is there while it is stopped; holds the reason.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def reason(self) -> str:
        """Why it is stopped; empty if it is not."""
        try:
            return self._path.read_text(encoding="utf-8") or "stopped"
        except OSError:
            return ""

    def begin(self, reason: str) -> None:
        """Keep that it is stopped; on a full disk it is, for as long as this process lives."""
        try:
            self._path.write_text(reason, encoding="utf-8")
        except OSError:
            return

    def end(self) -> None:
        """Keep that somebody resumed."""
        self._path.unlink(missing_ok=True)


def file_stops(path: Path | None) -> str:
    """Return the reason of a stop if the file that stops is there; else nothing.

    A folder that cannot be looked into stops, too: the participant may have asked for it there.
    """
    if path is None:
        return ""
    try:
        return f"the file {path.name} stopped the session" if path.exists() else ""
    except OSError as error:
        return f"it cannot be seen whether the file {path.name} is there ({error.strerror})"
