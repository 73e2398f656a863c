"""Who did what: a line in ``audit.jsonl`` for each connection and request that matters."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from decoder.lines import LineFile
from decoder.server.auth import Grant
from streaming.errors import SessionError

__all__ = ["AuditLog"]

logger = logging.getLogger(__name__)

_STRANGERS = 10
"""Lines a second about those who were not let in; more are counted in the next line."""


def _now() -> datetime:
    return datetime.now(UTC)


class AuditLog:
    """Writes who did what, and never a token, a text or what was decoded.

    Parameters
    ----------
    path : Path or None
        Is made, or gone on with; None: nothing is written.
    now : callable
        Says what time it is.
    """

    def __init__(self, path: Path | None, now: Callable[[], datetime] = _now) -> None:
        self._file = LineFile(path) if path is not None else None
        self._now = now
        self._second, self._n_strangers, self._n_omitted = 0, 0, 0

    def write(
        self, grant: Grant | None, address: str, method: str, outcome: str | int = "ok"
    ) -> None:
        """Write a line down.

        Parameters
        ----------
        grant : Grant or None
            What the client was let in as; None if it was not.
        address : str
            Where it is.
        method : str
            What it asked for, such as ``"markBad"`` or ``"control stop"``.
        outcome : str or int
            ``"ok"``, or the code of the error that it got.
        """
        if self._file is None:
            return
        now = self._now()
        line: dict[str, str | int | None] = {
            "time": now.isoformat(timespec="milliseconds"),
            "role": grant.role if grant is not None else None,
            "name": grant.name if grant is not None else None,
            "address": address,
            "method": method,
            "outcome": outcome,
        }
        if grant is None:
            if int(now.timestamp()) != self._second:
                self._second, self._n_strangers = int(now.timestamp()), 0
            self._n_strangers += 1
            if self._n_strangers > _STRANGERS:
                self._n_omitted += 1
                return
        if self._n_omitted:
            line["omitted"] = self._n_omitted
            self._n_omitted = 0
        try:
            self._file.write(json.dumps(line, ensure_ascii=False))
        except SessionError as error:
            logger.warning("who does what is not written any more: %s", error)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
