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

EVERY = 0.5
"""Seconds between two pings to a client that keeps up."""

MOST = 32
"""Frames that may be on the way to it while an answer is awaited."""

_NONE = MOST + 1
"""Counted as sent where no frame may be on the way until an answer has come."""


@dataclass(slots=True)
class Pulse:
    """How many frames may be on the way to a client, and how long the last was, in seconds.

    One that is late gets a single frame until it has answered, so that this frame is the only
    one that can grow old; one that is prompt again soon gets all.
    """

    quickest: float = math.inf
    window: int = 1
    lag: float = 0.0
    _t_ping: float = -math.inf
    _awaited: bool = False
    _n_sent: int = 0

    def begin(self, now: float) -> None:
        """Note a ping: how long the way is. No frame goes before its answer has come."""
        self._t_ping, self._awaited, self._n_sent = now, True, _NONE

    def sent(self, now: float) -> bool:
        """Count a frame; return whether a ping has to follow it."""
        self._n_sent += 1
        if self._awaited or (self.window == MOST and now - self._t_ping < EVERY):
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

    def prompt(self, now: float) -> bool:
        """Return whether the client may get another frame."""
        if not self._awaited:
            return True
        quickest = self.quickest if self.quickest < math.inf else 0.0
        return self._n_sent < self.window and now - self._t_ping <= quickest + LATE
