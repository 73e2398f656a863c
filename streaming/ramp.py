"""Whether samples that seem to be lost only come at another rate than was said.

For `streaming.clock`; x and y are as in `streaming.delays`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["Ramp"]

_STRAIGHT = 0.03
"""Points on a line are off it by less, in seconds: deliveries are up to 20 ms late."""

_BETTER = 4.0
"""A line must be nearer to the points than a jump by this factor (of squares)."""

_N_LEAST = 3
"""Points that are the least to tell a line from a jump."""

_Floats = NDArray[np.float64]

_NONE: _Floats = np.empty(0)


class Ramp:
    """The beginning of a stream, in which its rate is not known yet.

    Timestamps that run ahead of the nominal rate by 100 ms may do so because samples were lost,
    which is a jump, or because fewer come in a second, which is a line.
    """

    def __init__(self) -> None:
        self._x: list[_Floats] = []
        self._y: list[_Floats] = []

    @property
    def points(self) -> tuple[_Floats, _Floats]:
        """Arrays of x and y of all deliveries."""
        return np.concatenate([*self._x, _NONE]), np.concatenate([*self._y, _NONE])

    def add(self, x: _Floats, y: _Floats) -> None:
        """Take deliveries."""
        self._x.append(x)
        self._y.append(y)

    def slope(self, x: _Floats, stamps: _Floats, known: float) -> float | None:
        """Return the slope of a line through all that came, or None if it is a jump.

        Parameters
        ----------
        x, stamps : array of shape (n_times,)
            Samples that are not given out yet: when they were taken by the nominal rate, and
            their timestamps.
        known : float
            The slope so far, in seconds per second.
        """
        newest = np.flatnonzero(np.diff(stamps) > 0)
        x_after, y_after = x[newest], stamps[newest] - x[newest]
        x_before, y_before = self.points
        if not len(x_before) or not len(x_after) or len(x_before) + len(x_after) < _N_LEAST:
            return None
        jump = np.append(_off(x_before, y_before, known), _off(x_after, y_after, known))
        x_all, y_all = np.append(x_before, x_after), np.append(y_before, y_after)
        slope, at_zero = np.polyfit(x_all, y_all, 1)
        line = y_all - (slope * x_all + at_zero)
        if np.ptp(line) > _STRAIGHT or (line**2).mean() * _BETTER > (jump**2).mean():
            return None
        return float(slope)


def _off(x: _Floats, y: _Floats, slope: float) -> _Floats:
    """Return how far points are from a line of known slope."""
    z = y - slope * x
    return np.asarray(z - z.mean())
