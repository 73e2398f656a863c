"""The sessions that were recorded, as a list for people to choose from."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from decoder.folder import VERDICT, SessionFolder
from streaming.errors import SessionError

__all__ = ["Finished", "Sessions"]

REPORT = "report.html"
"""Name of a session's report; whoever makes one puts it into the session's folder."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
"""What a session's folder may be called: nothing above it, and nothing hidden."""

_MOST = 200
"""Sessions that are listed, newest first."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A session that is over.

    Parameters
    ----------
    id : str
        Its name.
    started : str
        When it began, in UTC.
    duration : float
        From its first event to its last, in seconds.
    n_decodes : int
        Windows that were decoded; abstentions are not among them.
    source : str
        Name of the stream.
    report : bool
        Whether there is a report.
    verified : str
        What `braincast verify` said of it, in one line that begins with yes, no, or not yet.
    """

    id: str
    started: str
    duration: float
    n_decodes: int
    source: str
    report: bool
    verified: str


class Sessions:
    """What lies in the folder of recordings.

    Parameters
    ----------
    root : Path or None
        Holds a folder for each session; None: nothing is kept.
    running : str
        The session that is not over.
    """

    def __init__(self, root: Path | None, running: str) -> None:
        self._root, self._running = root, running
        self._read: dict[tuple[str, int, int, int], tuple[float, int, str]] = {}

    def finished(self) -> list[Finished]:
        """Return the sessions that are over, newest first; folders of anything else are not."""
        if self._root is None or not self._root.is_dir():
            return []
        names = sorted((path.name for path in self._root.iterdir()), reverse=True)
        over = (SessionFolder(self._root / name) for name in names if self._is_over(name))
        return list(islice(filter(None, map(self._one, over)), _MOST))

    def report(self, session_id: str) -> Path | None:
        """Return the report of a session; None if there is none."""
        if self._root is None or not self._is_over(session_id):
            return None
        folder = (self._root / session_id).resolve()
        path = (folder / REPORT).resolve()
        inside = folder.parent == self._root.resolve() and path.parent == folder
        return path if inside and path.is_file() else None

    def _is_over(self, name: str) -> bool:
        return name != self._running and _NAME.fullmatch(name) is not None

    def _one(self, folder: SessionFolder) -> Finished | None:
        from decoder.verified import kept_verdict  # takes torch, which a mock has not

        try:
            manifest = folder.manifest()
            seen = folder.events.stat()
        except (SessionError, OSError):
            return None
        when = _changed(folder.path / VERDICT)
        key = folder.session_id, seen.st_size, seen.st_mtime_ns, when
        if key not in self._read:
            self._read[key] = (*_measure(folder.events), kept_verdict(folder))
        duration, n_decodes, verified = self._read[key]
        return Finished(
            folder.session_id,
            manifest["started"],
            round(duration, 3),
            n_decodes,
            manifest["source"],
            self.report(folder.session_id) is not None,
            verified,
        )


def _changed(path: Path) -> int:
    """Return when a file was written to, in nanoseconds; 0 if there is none."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _measure(events: Path) -> tuple[float, int]:
    """Return how long a log is, in seconds, and how many decodes are in it."""
    n_decodes, first, last = 0, b"", b""
    with events.open("rb") as lines:
        for line in lines:
            if not line.endswith(b"\n"):  # torn by a crash
                break
            first, last = first or line, line
            # Not parsed, which takes longer: the wire writes these two so, and escapes text.
            decoded = b'"method":"text"' in line and b'"abstained":""' in line
            n_decodes += decoded and b'"final":false' not in line
    return _t_emit(last) - _t_emit(first), n_decodes


def _t_emit(line: bytes) -> float:
    message: dict[str, Any] = json.loads(line) if line else {"params": {"t_emit": 0.0}}
    return float(message["params"]["t_emit"])
