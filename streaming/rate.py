"""Whether samples come as often as their stream says."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

__all__ = ["RATE_TOLERANCE", "RateWatch"]

RATE_TOLERANCE = 0.02
"""How far the rate at which samples come may be from the one that is said: clocks are off by
less than a thousandth, but it is measured in seconds, with blocks that are late."""

_RIGHT = 0.01
"""How near it must be again to be right."""

_N_SECONDS, _N_LEAST = 10, 4
"""Seconds from which it is measured, at most and at least."""


class RateWatch:
    """Measures at which rate samples come.

    It is wrong if it is so over 4 to 10 s and in most of these seconds: a single loss, or a
    clock that is set, is none.

    Parameters
    ----------
    sfreq : float
        Nominal rate, in Hz.
    """

    def __init__(self, sfreq: float) -> None:
        self._sfreq = sfreq
        self._marks: deque[tuple[int, float]] = deque(maxlen=_N_SECONDS + 1)  # of each second
        self._n = 0
        self._said, self._newest = sfreq, -np.inf

    def add(self, stamps: NDArray[np.float64]) -> str:
        """Take timestamps; return what is to be said, or nothing.

        Parameters
        ----------
        stamps : array of shape (n_times,)
            Of the next samples, in seconds; NaN where there is none.
        """
        self._n += len(stamps)
        usable = stamps[~np.isnan(stamps)]
        if not len(usable):
            return ""
        n, t = self._marks[-1] if self._marks else (-np.inf, -np.inf)
        is_new, self._newest = usable[-1] != self._newest, usable[-1]
        if not is_new or (self._n < n + self._sfreq and usable[-1] < t + 1):
            return ""
        self._marks.append((self._n, float(usable[-1])))
        sfreq = self._measure()
        was_wrong, said = self._said != self._sfreq, self._said
        if abs(sfreq / said - 1) < RATE_TOLERANCE and not (was_wrong and self._is_right(sfreq)):
            return ""
        self._said = self._sfreq if self._is_right(sfreq) else sfreq
        if self._said == self._sfreq:
            return f"{self._sfreq:g} samples come a second, as is said" if was_wrong else ""
        return (
            f"{sfreq:.1f} samples come a second and not {self._sfreq:g}, as is said: the rate "
            "is declared wrongly, or samples are lost all the time"
        )

    @property
    def wrong(self) -> bool:
        """Whether it is not what the stream says."""
        return self._said != self._sfreq

    def reset(self) -> None:
        """Begin anew: the stream was started again."""
        self._marks.clear()

    def _is_right(self, sfreq: float) -> bool:
        return abs(sfreq / self._sfreq - 1) < _RIGHT

    def _measure(self) -> float:
        """Return the mean rate, or the usual second's if that is nearer to what is said."""
        if len(self._marks) <= _N_LEAST:
            return self._said
        n, t = np.array(self._marks).T
        usual, mean = np.median(np.diff(t) / np.diff(n)), (t[-1] - t[0]) / (n[-1] - n[0])
        if min(usual, mean) <= 0:
            return self._said
        rates = [1 / float(usual), 1 / float(mean)]
        return min(rates, key=lambda rate: abs(rate / self._sfreq - 1))
