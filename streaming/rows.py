"""Rows as they were sent, on their way to samples: scaled, and cut where the clock says."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streaming.clock import MAX_FILL, StreamClock, Stretch
from streaming.signal import Chunk, SignalSpec

__all__ = ["Piece", "RowClock", "marker_label", "to_si"]


_LARGEST = 2**53
"""Above it, doubles are whole, and not every whole number is one."""


def to_si(rows: NDArray[np.generic], factors: Sequence[float]) -> NDArray[np.float32]:
    """Turn samples as they were sent into samples as they are decoded.

    Parameters
    ----------
    rows : array of shape (n_times, n_channels)
        Samples in the sender's type and units.
    factors : sequence of float
        What to multiply each channel with.

    Returns
    -------
    data : array of shape (n_channels, n_times)
        In SI units; rounded to float32 once.
    """
    data = np.empty(rows.shape[::-1], np.float32)
    with np.errstate(over="ignore"):  # a double may be too much for float32: infinite
        np.multiply(rows.T, np.asarray(factors)[:, None], out=data, casting="same_kind")
    return data


def marker_label(value: float) -> str:
    """Return a marker that is a number as a table of stimuli writes it: 1 for 1.0.

    Examples
    --------
    >>> [marker_label(value) for value in (1.0, 2.5, 1e300, float("nan"))]
    ['1', '2.5', '1e+300', 'nan']
    """
    is_whole = math.isfinite(value) and abs(value) < _LARGEST and value == math.floor(value)
    return str(int(value)) if is_whole else str(value)


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """Samples that follow each other, and where they are.

    Parameters
    ----------
    data : array of shape (n_channels, n_times)
        In SI units.
    row : int
        How many rows of the stream were given out before.
    stretch : Stretch
        Where they are, and what lies before them.
    """

    data: NDArray[np.float32]
    row: int
    stretch: Stretch

    def to_chunk(self, spec: SignalSpec) -> Chunk:
        """Return it as a part of the signal `spec`."""
        s = self.stretch
        return Chunk(self.data, spec, s.segment, s.first, s.t_anchor)


class RowClock:
    """Put the rows of one stream where its clock says; see `streaming.clock.StreamClock`.

    Each row is given out once, in order.

    Parameters
    ----------
    sfreq : float
        Nominal rate, in Hz.
    factors : sequence of float
        What to multiply each channel with to have SI units.
    alone : bool
        Whether it is the only signal: short losses in one of several end the segment, as the
        samples of the others go on.
    """

    def __init__(self, sfreq: float, factors: Sequence[float], *, alone: bool = True) -> None:
        self.clock = StreamClock(sfreq, MAX_FILL if alone else 0.0)
        self._factors = factors
        self._held: NDArray[np.generic] = np.empty((0, len(factors)))
        self._row = 0

    def feed(
        self,
        rows: NDArray[np.generic],
        stamps: NDArray[np.float64],
        t_received: float | None = None,
    ) -> list[Piece]:
        """Take rows and their timestamps, and return the samples that are given out.

        Parameters
        ----------
        rows : array of shape (n_times, n_channels)
            As they were sent; may be written to afterwards.
        stamps : array of shape (n_times,)
            In seconds on the LSL clock.
        t_received : float or None
            When they arrived, if they are live; see `StreamClock.feed`.
        """
        if len(self._held):
            rows = np.concatenate([self._held, rows])
        return self._cut(rows, self.clock.feed(stamps, t_received))

    def settle(self) -> list[Piece]:
        """Return the samples that are held back: no more are to be waited for."""
        return self._cut(self._held, self.clock.settle())

    def reconnect(self, n_lost: int | None = None) -> list[Piece]:
        """Return what is held back; the next sample begins another segment.

        Parameters
        ----------
        n_lost : int or None
            See `StreamClock.reconnect`.
        """
        return self._cut(self._held, self.clock.reconnect(n_lost))

    def _cut(self, rows: NDArray[np.generic], stretches: Sequence[Stretch]) -> list[Piece]:
        pieces, start = [], 0
        for s in stretches:
            data = to_si(rows[start : start + s.n_times], self._factors)
            pieces.append(Piece(data, self._row, s))
            start += s.n_times
            self._row += s.n_times
        self._held = rows[start:].copy()  # `rows` may be a buffer
        return pieces
