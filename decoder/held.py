"""What people said and still holds, read from a journal.

A decoder that takes over feeds it again, and journals that as held: so it is read once.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from decoder.control import Blind, Control, MarkBad, Pause, Recentre, Stop, SwapModel
from decoder.shelf import Shelf

__all__ = ["Held"]


class Held:
    """Collects, in order, what was said and holds until something else is.

    Parameters
    ----------
    shelf : Shelf
        Where models and candidates are.

    Attributes
    ----------
    version : int
        Of the newest candidates.
    """

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._marked: dict[str, bool] = {}
        self._swaps: list[list[Any]] = []
        self._candidates: list[Any] | None = None
        self._state = (float("-inf"), "decoding", "")
        self._blind = self._recentred = False
        self._refit: list[Any] | None = None
        self.version = 1

    def said(self, t: float, state: str, detail: str) -> None:
        """Take what the session was said to be doing from `t` on."""
        if t >= self._state[0]:
            self._state = (t, state, detail)

    def control(self, t: float, line: list[Any]) -> None:  # noqa: C901 - one for each kind
        """Take a line of `decoder.shelf.control_line`."""
        kind, *rest = line
        match kind:
            case "stop":
                self.said(t, "stopped", rest[0])
            case "pause":
                self.said(t, "paused", rest[0])
            case "resume":
                self.said(t, "decoding", rest[0])
            case "blind":
                (self._blind,) = rest
            case "recentre":
                (self._recentred,) = rest
            case "refit":
                self._refit = line if rest[0] else None
            case "markBad":
                ch_names, bad = rest
                self._marked |= dict.fromkeys(ch_names, bad)
            case "setCandidates":
                self._candidates, self.version = line, rest[1]
            case "swapModel":
                self._candidates, self.version = None, rest[1]
                if rest[2] and self._swaps:
                    self._swaps.pop()
                elif not rest[2]:
                    self._swaps.append(line)

    def controls(self) -> tuple[Control, ...]:
        """Return what a session that goes on is told first."""
        found = [self._shelf.control(line) for line in self._swaps]
        if self._candidates is not None:
            found.append(self._shelf.control(self._candidates))
        elif found and isinstance(found[-1], SwapModel):
            found[-1] = replace(
                found[-1], version=self.version
            )  # it may have been rolled back to
        bads = tuple(name for name, bad in self._marked.items() if bad)
        found += [MarkBad(bads, bad=True)] if bads else []
        found += [Blind(on=True)] if self._blind else []
        found += [Recentre(on=True)] if self._recentred else []
        found += [self._shelf.control(self._refit)] if self._refit is not None else []
        _, state, detail = self._state
        if state != "decoding":
            found.append(Stop(detail) if state == "stopped" else Pause(detail))
        return tuple(found)
