"""Which timestamps say anything: those that are there, and in order.

For `streaming.clock`.
"""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

__all__ = ["InOrder", "blank_unusable"]

_Floats = NDArray[np.float64]


def blank_unusable(stamps: _Floats) -> _Floats:
    """Return timestamps with NaN for what is none: not finite, or not positive."""
    return np.where(np.isfinite(stamps) & (stamps > 0), stamps, np.nan)


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
