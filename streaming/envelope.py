"""The lower envelope of timestamps: how two clocks run against each other, and late losses.

For `streaming.clock`; x, y and deliveries are as in `streaming.delays`.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from streaming.line import Count, Points, count_between, highest_line

__all__ = ["USUAL", "Envelope", "Rise"]

_ENVELOPE = 10
"""Seconds over which the envelope is the lowest point: with 8 blocks a second that are up to
20 ms late, the lowest of 80 is 0.25 ms late on average."""

_LONG = 20
"""The same once the slope is known from so many seconds: to 0.2 ms in them."""

_ON_TIME = 0.03
"""Seconds above the envelope from which the lowest point of a second says nothing of the slope:
the amplifier was cut off and sent what it had stored."""

_STRAIGHT = 0.125
"""Points of fewer than `_ENVELOPE` seconds are on a line if they are off it by less than this
share of its rise."""

_MEMORY = 60
"""Seconds from which the slope is learned: to 15 ppm in the case above."""

USUAL = 100e-6
"""The usual error of a crystal, in seconds per second."""

_LEARNED = 10e-6
"""How well a slope is known at best from another time, in seconds per second: a crystal that
warms up by 10 degrees."""

_UNUSUAL = 12.0
"""Another crystal than the usual one must be likelier by e to this."""

_EXACT = 20e-6
"""The least mean delay that is assumed, in seconds."""

_SLOPE_ERROR = 14.0
"""The error of a slope from n deliveries of mean delay m in T seconds, in m / (n T): 13 to 17
if delays are uniform (200 simulated clocks each, 6 to 100 a second), 7 if exponential."""

_EARLY = 0.003
"""What lies lower than the envelope by so many seconds, once that is known from `_ENVELOPE`
seconds, may be a block that was stamped wrongly..."""

_EARLY_FIRST, _EARLY_LAST = 1.0, 3.0
"""...unless what comes from so many seconds after it, up to so many, is as low."""

_RISE = 0.005
"""The least rise of the envelope that may be a loss, in seconds: clocks of two machines are
compared anew every 5 s, and that may differ by milliseconds over a radio network."""

_RISE_SECONDS = 5
"""Seconds that must be above the envelope, so that a bad moment of the radio is no loss."""

_RISE_MEMORY = 30
"""Seconds within which a loss is found or never."""

_RISE_EVIDENCE = 20.0
"""Deliveries as late as these would all be late by at least the rise once in e to this."""

_SURE = 4.6
"""The place of a loss is told so that it is wrong once in e to this: in 1 of 100."""

_Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Rise:
    """The envelope is higher from some moment on: samples were lost.

    Parameters
    ----------
    start, stop : float
        Within which time since the start of the segment, in seconds.
    n_times : int
        How many samples.
    """

    start: float
    stop: float
    n_times: int


@dataclass(slots=True)
class _Second:
    """The deliveries of a second: the lowest, the highest, how many, and the slope by then."""

    x: float
    y: float
    high: float
    n: int
    slope: float


class Envelope:
    """Tilted lower envelope of points (x, y) that come in order of x.

    Parameters
    ----------
    sfreq : float
        Nominal rate of the stream, in Hz.
    slope, unsure : float
        As far as it is known already, and its standard deviation, in seconds per second.
    n_known : int
        Seconds that it is known from.
    """

    def __init__(
        self, sfreq: float, slope: float = 0.0, unsure: float = USUAL, n_known: int = 0
    ) -> None:
        self.slope = slope
        self.n_known = n_known
        self._sfreq = sfreq
        self.prior = slope, unsure
        self.seconds: deque[_Second] = deque(maxlen=_MEMORY)
        self._low = 0.0
        self._t_early = -np.inf

    def is_odd(self, x: float, y: float) -> bool:
        """Whether a point is to be passed over: far too low, and alone with that.

        Parameters
        ----------
        x, y : float
            The lowest point of a block.
        """
        if len(self.seconds) < _ENVELOPE or y > self.height(x) - _EARLY:
            return False
        if x - self._t_early > _EARLY_LAST:
            self._t_early = x
        return x - self._t_early < _EARLY_FIRST

    def add(self, x: float, y: float, *, high: float, n: int) -> Rise | None:
        """Take the lowest point of a block.

        Parameters
        ----------
        x, y : float
            The point.
        high : float
            The highest of the block's deliveries; `y` if it has none.
        n : int
            Number of its deliveries.

        Returns
        -------
        Rise or None
            A loss that is only seen now, once.
        """
        rise = None
        if self.seconds and int(self.seconds[-1].x) == int(x):
            now = self.seconds[-1]
            now.high, now.n = max(now.high, high), now.n + n
            if y < now.y:
                now.x, now.y = x, y
        else:
            self._learn()
            rise = self._find_rise()
            self.n_known = min(self.n_known + 1, _MEMORY)
            self.seconds.append(_Second(x, y, high, n, self.slope))
            self._lower()
        self._low = min(self._low, y - self.slope * x)
        return rise

    @property
    def points(self) -> Points:
        """The lowest delivery of each second."""
        seconds = np.array([(s.x, s.y, max(s.n, 1)) for s in self.seconds])
        return Points(*seconds.reshape(-1, 3).T)

    @property
    def mean_delay(self) -> float:
        """Mean delay of deliveries, in seconds: half of their usual spread.

        That is their spread in a second, or, if there are few in each, that of the lowest.
        """
        in_one = float(np.median([s.high - s.y for s in self.seconds])) - abs(self.slope)
        between, (x, y, _) = 0.0, self.points
        if len(x) > 2:
            off = y - np.polyval(np.polyfit(x, y, 1), x)
            between = 4 * float(np.median(np.abs(off))) * len(x) / (len(x) - 2)
        return max(in_one / 2, between / 2, _EXACT)

    @property
    def unsure(self) -> float:
        """How well the slope is known for another time, in seconds per second."""
        if len(self.seconds) < 3:
            return self.prior[1]
        points = self.points
        span = float(np.ptp(points.x))
        error = _SLOPE_ERROR * self.mean_delay / (float(points.n.sum()) * span)
        return max(min(error, self.prior[1]), _LEARNED)

    def count_since(self, before: Envelope, n_before: int, near: float) -> Count:
        """Return how many samples are missing since another envelope.

        Parameters
        ----------
        before : Envelope
            Of the segment before.
        n_before : int
            How many samples that had.
        near : float
            About how many are missing.
        """
        mean = max(before.mean_delay, self.mean_delay)
        after = self.points.moved(n_before / self._sfreq)
        known, unsure = before.prior
        if abs(before.slope - known) > 4 * unsure:  # it is no usual crystal
            known, unsure = before.slope, before.unsure
        return count_between(before.points, after, self._sfreq, near, mean, known, unsure)

    def count_at(self, x: float, n_filled: int) -> Count | None:
        """Return how many samples more than those filled in are missing, or None if unknown.

        Parameters
        ----------
        x : float
            Where they are, in seconds.
        n_filled : int
            How many were filled in.
        """
        points = self.points
        is_before = points.x < x
        if is_before.all() or not is_before.any():
            return None
        before, after = points.only(is_before), points.only(~is_before)
        known, unsure = self.prior
        mean = self.mean_delay
        return count_between(before, after, self._sfreq, 0, mean, known, unsure, -n_filled)

    def insert(self, x: float, n_times: int) -> None:
        """Put so many more samples where some were filled in."""
        for s in self.seconds:
            if s.x < x:
                s.y, s.high = s.y + n_times / self._sfreq, s.high + n_times / self._sfreq
        self._learn()
        self._lower()

    def join(self, before: Envelope, by: float) -> None:
        """Take what was before, in another segment that began so many seconds earlier."""
        earlier = [replace(s, x=s.x - by, y=s.y + by, high=s.high + by) for s in before.seconds]
        self.seconds = deque([*earlier, *self.seconds], maxlen=_MEMORY)
        self.n_known = min(self.n_known + len(earlier), _MEMORY)
        self.prior = before.prior
        self._learn()
        self._lower()

    def at(self, x: _Floats) -> _Floats:
        """Return the height of the envelope at `x`."""
        return self._low + self.slope * x

    def height(self, x: float) -> float:
        """Return the height of the envelope at one `x`."""
        return self._low + self.slope * x

    def lift(self, by: float) -> None:
        """Move it, as the clock was set by so many seconds."""
        for s in self.seconds:
            s.y, s.high = s.y + by, s.high + by
        self._low += by

    def rebase(self, x: float) -> None:
        """Count from `x` on."""
        for s in self.seconds:
            s.x, s.y, s.high = s.x - x, s.y + x, s.high + x
        self._low = self.height(x) + x
        self._t_early -= x

    def _lower(self) -> None:
        n = _LONG if self.n_known >= 2 * _LONG else _ENVELOPE
        recent = list(self.seconds)[-n:]
        self._low = min(s.y - self.slope * s.x for s in recent)

    def _learn(self) -> None:
        """Take the likeliest slope, near the one that was known unless that cannot be."""
        if len(self.seconds) < 3:
            return
        points = self.points
        mean = self.mean_delay
        line = highest_line(points, mean, *self.prior)
        # Far off the rate that was said, points lie far above the envelope, but on a line.
        straight = np.polyval(np.polyfit(points.x, points.y, 1), points.x)
        limit = _ON_TIME
        if len(points.x) < _ENVELOPE:
            limit = min(_ON_TIME, _STRAIGHT * float(np.ptp(straight)))
        if np.ptp(points.y - straight) < limit:
            free = highest_line(points, mean)
            if free.log_p > line.log_p + _UNUSUAL:
                line = free
        self.slope = line.slope

    def _find_rise(self) -> Rise | None:
        """Look for a second after which everything is late by more than chance allows."""
        seconds = list(self.seconds)[-_RISE_MEMORY - _ENVELOPE :]
        n_unknown = 2 * _ENVELOPE - (self.n_known - len(seconds))
        first = max(_ENVELOPE, n_unknown)
        best, best_evidence = None, _RISE_EVIDENCE
        if len(seconds) < first + _RISE_SECONDS or not self._is_above(seconds):
            return None
        for at in range(first, len(seconds) - _RISE_SECONDS + 1):
            slope = seconds[at - 1].slope
            low = np.array([s.y - slope * s.x for s in seconds[at - _ENVELOPE :]])
            before, after = low[:_ENVELOPE], low[_ENVELOPE:]
            rise = float(after.min() - before.min())
            ramp = after[len(after) // 2 :].min() - after[: len(after) // 2].min()
            if rise < max(_RISE, 0.7 / self._sfreq) or ramp > rise / 2:
                continue
            high = np.median([s.high - slope * s.x for s in seconds[at:]])
            spread = max(float(high - after.min()), 1e-9)
            each = float(np.log1p(rise / spread))  # of one delivery, if evenly spread
            n = np.cumsum([s.n for s in seconds[at:]])
            if n[-1] * each > best_evidence:
                n_sure = int(np.argmax(n * each > _SURE))
                best, best_evidence = (at, n_sure, rise), n[-1] * each
        return None if best is None else self._shift(seconds, *best)

    def _is_above(self, seconds: list[_Second]) -> bool:
        """Whether it is worth looking: the last seconds lie above those before."""
        low = [s.y - self.slope * s.x for s in seconds]
        return min(low[-_RISE_SECONDS:]) - min(low[:-_RISE_SECONDS]) > _RISE / 2

    def _shift(self, seconds: list[_Second], at: int, n_sure: int, rise: float) -> Rise:
        """Lift what was before a loss to where it belongs now."""
        n_times = round(rise * self._sfreq)
        for s in list(self.seconds)[: len(self.seconds) - len(seconds) + at]:
            s.y += n_times / self._sfreq
            s.high += n_times / self._sfreq
        self._learn()
        self._lower()
        return Rise(seconds[at - 1].x, seconds[at + n_sure].x, n_times)
