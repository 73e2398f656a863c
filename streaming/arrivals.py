"""What the arrival of samples says: by how much the sender's clock was set.

For `streaming.clock`.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

__all__ = ["Arrivals", "Step"]

_STEADY = 0.05
"""Arrivals tell of steps only where timestamps run along with our clock, to so many seconds:
not if a recording is sent at another speed..."""

_N_STEADY, _N_AHEAD = 3, 10
"""...in so many seconds at least, of so many. In the others a busy machine may have come late
to what arrived."""

_STEP_ERROR = 0.2e-3
"""How well a step is known at best, in seconds: what a network takes is never the same..."""

_SPREAD = 2.0
"""...and it is known to so many times what the least of a second usually is above the least of
all: of a step it is known from fewer samples than come in a second."""


@dataclass(frozen=True, slots=True)
class Step:
    """By how much a clock was set, and how well that is known, in seconds."""

    size: float
    error: float


class Arrivals:
    """How far timestamps are ahead of our clock when samples arrive: mostly behind it.

    Lost samples do not change that, as they do not arrive either; a clock that is set does.
    """

    def __init__(self) -> None:
        self._most: deque[tuple[int, float]] = deque(maxlen=_N_AHEAD)  # of each second
        self._after = -np.inf

    def add(self, ahead: float, t: float, *, held: bool) -> None:
        """Take how far the newest of some samples is ahead at time `t`.

        Parameters
        ----------
        ahead, t : float
            In seconds.
        held : bool
            Whether it may be after a step.
        """
        if held:
            self._after = max(self._after, ahead)
            return
        self._after = -np.inf
        if self._most and self._most[-1][0] == int(t):
            ahead = max(self._most.pop()[1], ahead)
        self._most.append((int(t), ahead))

    def step(self) -> Step | None:
        """Return by how much the sender's clock was set, or None if that is not known."""
        highest = max((ahead for _, ahead in self._most), default=-np.inf)
        steady = [ahead for _, ahead in self._most if highest - ahead <= _STEADY]
        if len(steady) < _N_STEADY or np.isinf(self._after):
            return None
        error = max(_STEP_ERROR, _SPREAD * (highest - float(np.median(steady))))
        return Step(self._after - highest, error)

    def reset(self) -> None:
        """Begin anew, after the clock was set."""
        self._most.clear()
        self._after = -np.inf
