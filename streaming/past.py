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
    past : array of shape (n_channels, n_kept) or None
        What is kept of the block of samples right before them, if it is complete and was not
        told yet; valid until the next piece.
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
    stride : int
        Of how many samples one is kept: the first of the block, and so on.
    """

    def __init__(self, n_channels: int, n_times: int, max_gap: float, stride: int = 1) -> None:
        self._block = np.zeros((n_channels, -(-n_times // stride)), np.float32)
        self._n_times, self._stride = n_times, stride
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
        at, stride = 0, self._stride
        while at < chunk.n_times:
            full = self._n_filled == self._n_times
            if full:
                self._n_filled = 0
            stop = min(at + self._n_times - self._n_filled, chunk.n_times)
            yield Piece(slice(at, stop), self._block if full else None, forget)
            forget = False
            column = -(-self._n_filled // stride)
            kept = chunk.data[:, at + column * stride - self._n_filled : stop : stride]
            self._block[:, column : column + kept.shape[1]] = kept
            self._n_filled += stop - at
            at = stop
