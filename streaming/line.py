"""The highest line below points that are late, never early: two clocks against each other.

For `streaming.envelope`. If delays are exponential, the line that is likeliest is the highest:
it maximizes its height summed over all points and passes above none (Aigner and Chu, American
Economic Review 1968; Schmidt, Review of Economics and Statistics 1976). Its error falls with
the number of points, that of least squares with its root: with 31 deliveries a second that are
late by anything up to 20 ms, 25 s tell the slope to 7.6 ppm, and least squares through the
lowest of each second to 17.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Count", "Line", "Points", "count_between", "highest_line"]

_STEEPEST = 1.0
"""No slope is steeper, in seconds per second."""

_N_HALVINGS = 44
"""So many halvings of that are less than 1e-13."""

_Floats = NDArray[np.float64]


class Points(NamedTuple):
    """The lowest deliveries of each second: where they are, and how many they stand for.

    Arrays of shape (n_points,) each.
    """

    x: _Floats
    y: _Floats
    n: _Floats

    def moved(self, by: float) -> Points:
        """Return them as if samples of so many seconds were missing before them."""
        return Points(self.x + by, self.y - by, self.n)

    def only(self, which: NDArray[np.bool_]) -> Points:
        """Return some of them."""
        return Points(self.x[which], self.y[which], self.n[which])

    def joined(self, other: Points) -> Points:
        """Return these and others."""
        return Points(*map(np.concatenate, zip(self, other, strict=True)))


class Line(NamedTuple):
    """A line: its height at x = 0, its slope, and how likely it is, as a logarithm."""

    low: float
    slope: float
    log_p: float

    def height(self, x: float) -> float:
        """Return the height at `x`."""
        return self.low + self.slope * x


class Count(NamedTuple):
    """How many samples are missing.

    Attributes
    ----------
    n_times : int
        The likeliest number.
    margin : float
        By how much it is likelier than the next best, as a logarithm. Of deliveries whose delay
        is uniform it is wrong about once in e to half of this.
    misfit : float
        By how much it is likelier, as a logarithm, that it is no whole number.
    """

    n_times: int
    margin: float
    misfit: float


def highest_line(
    points: Points, mean: float, known: float = 0.0, unsure: float = np.inf
) -> Line:
    """Return the likeliest line that is above no point.

    Parameters
    ----------
    points : Points
        That are late.
    mean : float
        Mean delay, in seconds.
    known, unsure : float
        The slope that is expected, and its standard deviation, in seconds per second.

    Returns
    -------
    Line
        Its `log_p` is comparable for the same deliveries elsewhere if what they are moved
        down is added to it, over `mean`.
    """
    x, y, n = points
    total = float(n.sum())
    middle = float(n @ x) / total
    low, high = known - _STEEPEST, known + _STEEPEST
    for _ in range(_N_HALVINGS):  # the height at `middle` is concave in the slope
        slope = (low + high) / 2
        at = int((y - slope * x).argmin())
        gain = total * (middle - float(x[at])) / mean - (slope - known) / unsure**2
        low, high = (slope, high) if gain > 0 else (low, slope)
    slope = (low + high) / 2
    at_zero = float((y - slope * x).min())
    log_p = total * (at_zero + slope * middle) / mean - ((slope - known) / unsure) ** 2 / 2
    return Line(at_zero, slope, log_p)


def count_between(
    before: Points,
    after: Points,
    sfreq: float,
    near: float,
    mean: float,
    known: float,
    unsure: float,
    least: int = 0,
) -> Count:
    """Return how many samples are missing between two stretches of one clock.

    With each number one line must lie below the points of both: if it is too small, those after
    are too late; if it is too large, the line must give way to them.

    Parameters
    ----------
    before, after : Points
        With x counted as if none was missing.
    sfreq : float
        Nominal rate, in Hz.
    near : float
        About how many.
    mean, known, unsure : float
        See `highest_line`.
    least : int
        No fewer can be missing.
    """
    found: dict[int, float] = {}

    def log_p(n_times: int) -> float:
        if n_times not in found:
            by = n_times / sfreq
            line = highest_line(before.joined(after.moved(by)), mean, known, unsure)
            moved = (n_times - near) / sfreq
            found[n_times] = line.log_p + float(after.n.sum()) * moved / mean
        return found[n_times]

    best = max(least, round(near))
    while True:
        around = [n for n in (best - 1, best, best + 1) if n >= least]
        better = max(around, key=log_p)
        if better == best:
            margin = log_p(best) - max(log_p(n) for n in around if n != best)
            both = before, after.moved(near / sfreq)
            apart = sum(highest_line(points, mean, known, unsure).log_p for points in both)
            return Count(best, margin, apart - log_p(best))
        best = better
