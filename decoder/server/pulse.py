"""Whether a client keeps up, told from its answers to pings.

What was written is not yet read: the buffers of two systems lie between, and hide seconds of
messages to a client that reads slowly. A ping comes after them, and so does its answer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["Pulse"]

LATE = 0.25
"""Seconds beyond the quickest answer so far after which a client does not keep up."""

VERY_LATE = 1.5
"""The same for what it must not miss: who looks once a second, and reads all, keeps up."""

EVERY = 0.5
"""Seconds between two pings to a client that keeps up."""

SELDOM = 1.0
"""The same if it must not miss anything, and may read it later."""

MOST = 32
"""Frames that may be on the way to it while an answer is awaited."""

LEAST = 4
"""The least number of these that it must not miss: one by one they would pile up behind."""

_NONE = MOST + 1
"""Counted as sent where no frame may be on the way until an answer has come."""


@dataclass(slots=True)
class Pulse:
    """How many frames may be on the way to a client, and how long the last was, in seconds.

    Of what must not be old one that is late gets a single frame until it has answered, so that
    this frame is the only one that can grow old; one that is prompt again soon gets all. Of
    what it must not miss it gets some at once, however late it answers.
    """

    quickest: float = math.inf
    window: int = 1
    ample: int = 2 * LEAST
    lag: float = 0.0
    _t_ping: float = -math.inf
    _awaited: bool = False
    _n_sent: int = 0

    def begin(self, now: float) -> bool:
        """Ask how long the way is; return whether a ping has to go: not while one is awaited.

        No frame goes before its answer has come.
        """
        if self._awaited:
            return False
        self._t_ping, self._awaited, self._n_sent = now, True, _NONE
        return True

    def sent(self, now: float, *, timely: bool = True) -> bool:
        """Count a frame; return whether a ping has to follow it."""
        self._n_sent += 1
        window, every = (self.window, EVERY) if timely else (self.ample, SELDOM)
        if self._awaited or (window == MOST and now - self._t_ping < every):
            return False
        self._t_ping, self._awaited, self._n_sent = now, True, 1
        return True

    def answered(self, now: float) -> None:
        """Note that a ping was answered."""
        if not self._awaited:
            return
        took = self.lag = now - self._t_ping
        self.quickest = min(self.quickest, took)
        self._awaited = False
        if took > self.quickest + LATE:
            self.window = max(1, self.window // 8)
        elif self._n_sent != _NONE:
            self.window = min(MOST, self.window + 1)
        if took > self.quickest + VERY_LATE:
            self.ample = max(LEAST, self.ample // 2)
        elif self._n_sent != _NONE:
            self.ample = min(MOST, self.ample + LEAST)

    def prompt(self, now: float, *, timely: bool = True) -> bool:
        """Return whether the client may get another frame: one that must not be old, or any."""
        if not self._awaited:
            return True
        quickest = self.quickest if self.quickest < math.inf else 0.0
        window, late = (self.window, LATE) if timely else (self.ample, VERY_LATE)
        return self._n_sent < window and now - self._t_ping <= quickest + late
