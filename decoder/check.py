"""What a check before a session found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Check", "Verdict"]

Verdict = Literal["go", "note", "no"]


@dataclass(frozen=True, slots=True)
class Check:
    """What was looked at, and what was found.

    Parameters
    ----------
    what : str
        Subject.
    verdict : str
        ``"go"``, ``"note"`` (to know, not to stop) or ``"no"``.
    found : str
        What was found and, if it is not right, what to do.
    """

    what: str
    verdict: Verdict
    found: str
