"""Short losses are filled in, so that the signal goes on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from streaming.signal import Bad, Chunk, Gap

__all__ = ["Filler"]


class Filler:
    """Puts samples where a `Gap` says that some were lost and the segment goes on.

    They lie on a straight line from the sample before the loss to the one after it, and are
    marked as `Bad.FILLED`. Where samples are missing for another reason, nothing is made up.
    """

    def __init__(self) -> None:
        self._is_due = False
        self._segment, self._next = -1, 0
        self._last: NDArray[np.float32] = np.empty((0, 1), np.float32)

    def expect(self, gap: Gap) -> None:
        """Take note of what lies before the next chunk."""
        self._is_due = gap.reason == "filled"

    def __call__(self, chunk: Chunk) -> Chunk:
        """Return `chunk`, beginning with what is filled in before it."""
        if chunk.n_times == 0:
            return chunk
        n_lost, goes_on = chunk.first - self._next, chunk.segment == self._segment
        filled = chunk
        if self._is_due and goes_on and n_lost > 0:
            share = np.arange(1, n_lost + 1) / (n_lost + 1)
            line = self._last + share * (chunk.data[:, :1] - self._last.astype(np.float64))
            bad = np.zeros(chunk.n_times, np.uint8) if chunk.bad is None else chunk.bad
            filled = replace(
                chunk,
                data=np.concatenate([line.astype(np.float32), chunk.data], axis=1),
                first=self._next,
                bad=np.concatenate([np.full(n_lost, Bad.FILLED, np.uint8), bad]),
            )
        self._is_due = False
        self._segment, self._next = chunk.segment, chunk.first + chunk.n_times
        self._last = chunk.data[:, -1:].copy()
        return filled
