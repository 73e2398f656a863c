"""What a step learns from the past, on a schedule by sample index."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streaming.signal import Chunk

__all__ = ["PastBlocks", "Piece"]


class Piece(NamedTuple):
    """A stretch of a chunk throughout which the same is known.

    Parameters
    ----------
    at : slice
        Which samples of the chunk.
    past : array of shape (n_channels, n_times) or None
        The block of samples right before them, if it is complete and was not told yet; valid
        until the next piece.
    forget : bool
        Whether a gap before them was so long that what was learned is not to be kept.
    """

    at: slice
    past: NDArray[np.float32] | None
    forget: bool


class PastBlocks:
    """Gathers a stream in blocks that begin with its segments, however it is cut.

    A block that the end of a segment cuts off is left out.

    Parameters
    ----------
    n_channels, n_times : int
        Size of a block.
    max_gap : float
        The longest gap that does not count as a new start, in seconds.
    """

    def __init__(self, n_channels: int, n_times: int, max_gap: float) -> None:
        self._block = np.zeros((n_channels, n_times), np.float32)
        self._max_gap = max_gap
        self._segment: int | None = None
        self._n_filled = 0
        self._t_end = -np.inf

    def pieces(self, chunk: Chunk) -> Iterator[Piece]:
        """Cut `chunk` where something new is known, and remember its samples."""
        if chunk.n_times == 0:
            return
        forget = False
        if chunk.segment != self._segment:
            self._segment, self._n_filled = chunk.segment, 0
            forget = abs(chunk.t0 - self._t_end) > self._max_gap
        self._t_end = chunk.t_end
        n_block = self._block.shape[1]
        at = 0
        while at < chunk.n_times:
            full = self._n_filled == n_block
            if full:
                self._n_filled = 0
            stop = min(at + n_block - self._n_filled, chunk.n_times)
            yield Piece(slice(at, stop), self._block if full else None, forget)
            forget = False
            data = chunk.data[:, at:stop]
            self._block[:, self._n_filled : self._n_filled + stop - at] = data
            self._n_filled += stop - at
            at = stop
