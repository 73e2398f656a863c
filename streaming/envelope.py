"""The lower envelope of timestamps: how two clocks run against each other, and late losses.

For `streaming.clock`; x, y and deliveries are as in `streaming.delays`.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Envelope", "Rise"]

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

_USUAL, _PRIOR = 100e-6, 50.0
"""The usual error of a crystal, in seconds per second, and how much the slope is at least
drawn to what is known already [s^2]: (0.7 ms / 100 ppm)^2, the noise of a second's lowest
point over it."""

_LEARNED = 20e-6
"""How well the slope is known from the segments before, in seconds per second."""

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
    slope : float
        As far as it is known already, in seconds per second.
    n_known : int
        Seconds that it is known from.
    """

    def __init__(self, sfreq: float, slope: float, n_known: int) -> None:
        self.slope = slope
        self.n_known = n_known
        self._sfreq = sfreq
        self._known = slope
        self._unsure = _LEARNED if n_known >= 2 * _LONG else _USUAL
        self._seconds: deque[_Second] = deque(maxlen=_MEMORY)
        self._low = 0.0
        self._t_early = -np.inf

    def is_odd(self, x: float, y: float) -> bool:
        """Whether a point is to be passed over: far too low, and alone with that.

        Parameters
        ----------
        x, y : float
            The lowest point of a block.
        """
        if len(self._seconds) < _ENVELOPE or y > self.height(x) - _EARLY:
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
        if self._seconds and int(self._seconds[-1].x) == int(x):
            now = self._seconds[-1]
            now.high, now.n = max(now.high, high), now.n + n
            if y < now.y:
                now.x, now.y = x, y
        else:
            self._learn()
            rise = self._find_rise()
            self.n_known = min(self.n_known + 1, _MEMORY)
            self._seconds.append(_Second(x, y, high, n, self.slope))
            self._lower()
        self._low = min(self._low, y - self.slope * x)
        return rise

    def at(self, x: _Floats) -> _Floats:
        """Return the height of the envelope at `x`."""
        return self._low + self.slope * x

    def height(self, x: float) -> float:
        """Return the height of the envelope at one `x`."""
        return self._low + self.slope * x

    def lift(self, by: float) -> None:
        """Move it, as the clock was set by so many seconds."""
        for s in self._seconds:
            s.y, s.high = s.y + by, s.high + by
        self._low += by

    def rebase(self, x: float) -> None:
        """Count from `x` on."""
        for s in self._seconds:
            s.x, s.y, s.high = s.x - x, s.y + x, s.high + x
        self._low = self.height(x) + x
        self._t_early -= x

    def _lower(self) -> None:
        n = _LONG if self.n_known >= 2 * _LONG else _ENVELOPE
        recent = list(self._seconds)[-n:]
        self._low = min(s.y - self.slope * s.x for s in recent)

    def _learn(self) -> None:
        """Fit the slope by least squares, drawn to the one that was known at the start."""
        x = np.array([s.x for s in self._seconds])
        y = np.array([s.y for s in self._seconds])
        if len(x) < 3:
            return
        # Far off the rate that was said, points lie far above the envelope, but on a line.
        line = np.polyval(np.polyfit(x, y, 1), x)
        limit = _ON_TIME if len(x) >= _ENVELOPE else min(_ON_TIME, _STRAIGHT * np.ptp(line))
        if np.ptp(y - line) >= limit:
            on_time = y - self.at(x) < _ON_TIME
            x, y = x[on_time], y[on_time]
            if len(x) < 3:
                return
        x, y = x - x.mean(), y - self._known * x
        steepness = float(x @ y) / float(x @ x)
        noise = float(np.std(y - steepness * x))
        prior = max(_PRIOR * (_USUAL / self._unsure) ** 2, (noise / self._unsure) ** 2)
        if abs(steepness) > 4 * np.hypot(self._unsure, noise / np.sqrt(x @ x)):
            prior = _PRIOR  # it is no usual crystal
            if abs(steepness) * float(np.ptp(x)) > _ON_TIME:  # nor are deliveries late
                prior *= (_USUAL / abs(steepness)) ** 2
        self.slope = self._known + float(x @ y) / (float(x @ x) + prior)

    def _find_rise(self) -> Rise | None:
        """Look for a second after which everything is late by more than chance allows."""
        seconds = list(self._seconds)[-_RISE_MEMORY - _ENVELOPE :]
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
        for s in list(self._seconds)[: len(self._seconds) - len(seconds) + at]:
            s.y += n_times / self._sfreq
            s.high += n_times / self._sfreq
        self._learn()
        self._lower()
        return Rise(seconds[at - 1].x, seconds[at + n_sure].x, n_times)
