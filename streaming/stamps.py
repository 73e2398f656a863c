"""Which timestamps say anything: those that are there, and in order.

For `streaming.clock`.
"""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

__all__ = ["LATEST", "Coarse", "InOrder", "Unstamped", "blank_unusable"]

_SPREAD = 0.05
"""Samples that arrive over more than so many seconds cannot have been taken, nor have come to
the sender, at once..."""

_N_COARSE = 3
"""...if that is so three times in a row (once, a network may have held up some of them)..."""

_ALONG = 0.2
"""...and timestamps run along with our clock, to such a share: a recording that is sent slowly
spreads what was taken at once."""

LATEST = 1e11
"""No clock counts so many seconds: it is 3,000 years."""

_PATIENCE = 1.0
"""Seconds of samples without a timestamp that is one, after which none is waited for."""

_Floats = NDArray[np.float64]


def blank_unusable(stamps: _Floats) -> _Floats:
    """Return timestamps with NaN for what is none: not finite, not positive, or too large."""
    return np.where((stamps > 0) & (stamps < LATEST), stamps, np.nan)


class Unstamped:
    """Notices samples that come without a timestamp that is one.

    Attributes
    ----------
    known : bool
        Whether that was so for a second.
    """

    def __init__(self) -> None:
        self.known = False
        self._since: float | None = None

    def add(self, stamps: _Floats, t_received: float) -> bool:
        """Take timestamps that arrived together; return whether it is known by now, once.

        Parameters
        ----------
        stamps : array of shape (n_times,)
            In seconds; NaN where there is none.
        t_received : float
            When they arrived, in seconds.
        """
        if self.known or not len(stamps):
            return False
        if not np.isnan(stamps).all():
            self._since = None
            return False
        if self._since is None:
            self._since = t_received
        self.known = t_received - self._since >= _PATIENCE
        return self.known


class InOrder:
    """Passes over timestamps that go backwards.

    Samples come in the order in which they were taken. If one bears an earlier timestamp than
    one before it, either is wrong, so it says nothing; taken at its word, a single sample that
    is stamped early would make all that follow it late. Where blocks are stamped from their
    arrival, this passes over those that were late by less than the one before, of which the
    later samples, or blocks, tell the same. What lasts longer than `memory` is believed.

    Parameters
    ----------
    memory : int
        How many samples it looks back, at least.
    """

    def __init__(self, memory: int) -> None:
        self._memory = memory
        self._highest: deque[tuple[int, float]] = deque()  # of each block, and where it ends
        self._n = 0

    def blank(self, stamps: _Floats) -> _Floats:
        """Return the next timestamps with NaN for those that go backwards.

        Parameters
        ----------
        stamps : array of shape (n_times,)
            In seconds; NaN where there is none.
        """
        while self._highest and self._highest[0][0] < self._n - self._memory:
            self._highest.popleft()
        before = max((high for _, high in self._highest), default=-np.inf)
        highest = np.fmax.accumulate(np.append(before, stamps))
        self._n += len(stamps)
        self._highest.append((self._n, float(np.fmax.reduce(stamps, initial=-np.inf))))
        return np.where(stamps >= highest[:-1], stamps, np.nan)


class Coarse:
    """Notices timestamps that come in steps, such as of whole seconds.

    A block of samples, or all that were stored while the radio was cut off, may bear one
    timestamp; but they arrive together.

    Attributes
    ----------
    step : float
        How far the timestamps are apart, in seconds; 0 if they do not come in steps.
    """

    def __init__(self) -> None:
        self.step = 0.0
        self._stamp, self._t_first, self._t_last = np.nan, 0.0, 0.0
        self._starts: deque[tuple[float, float]] = deque(maxlen=_N_COARSE)

    def add(self, stamps: _Floats, t_received: float) -> bool:
        """Take timestamps that arrived together; return whether it is known by now, once.

        Parameters
        ----------
        stamps : array of shape (n_times,)
            In seconds; NaN where there is none.
        t_received : float
            When they arrived, in seconds.
        """
        values = stamps[~np.isnan(stamps)]
        if self.step or not len(values):
            return False
        if values[0] == self._stamp:
            self._t_last = t_received
        changes = np.flatnonzero(np.diff(np.append(self._stamp, values)))
        if not len(changes):
            return False
        if self._t_last - self._t_first <= _SPREAD or len(changes) > 1:
            self._starts.clear()
        else:
            self._starts.append((self._stamp, self._t_first))
        self._stamp, self._t_first, self._t_last = float(values[-1]), t_received, t_received
        if len(self._starts) == _N_COARSE:
            stamp, t_first = self._starts[0]
            if abs((self._stamp - stamp) / (t_received - t_first) - 1) < _ALONG:
                self.step = (self._stamp - stamp) / _N_COARSE
        return self.step > 0
