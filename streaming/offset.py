"""When a segment begins: told from its first deliveries, and from what was before it.

For `streaming.clock`; x, y and deliveries are as in `streaming.delays`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streaming.delays import BIN, EARLY_BINS, N_BINS, Delays, bins

__all__ = ["Expected", "Offset"]

_ELSEWHERE = 0.01
"""How likely an offset is that is not expected, as a share of one that is: 3 standard
deviations off count as much. The sender may have done anything."""

_IMPOSSIBLE = 10.0
"""Logarithm of how unlikely it is that a delivery is early by more than a millisecond."""

_Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Expected:
    """Where a segment may begin, by what was before it.

    Parameters
    ----------
    t : float
        When its first sample is taken if nothing is missing, in seconds.
    period : float
        From each to the next possible instant: an amplifier goes on taking samples while they
        are lost. 0 if there is no other.
    error : float
        How well that is known, in seconds.
    """

    t: float
    period: float
    error: float

    def log_density(self, offsets: _Floats) -> _Floats:
        """Return how likely each offset is, as a logarithm, up to a constant.

        Parameters
        ----------
        offsets : array
            In seconds, `BIN` apart.
        """
        nearest: _Floats | float = self.t
        if self.period:
            n = np.maximum(np.round((offsets - self.t) / self.period), 0)
            nearest = self.t + n * self.period
        error = np.hypot(self.error, BIN / 2)  # an instant may lie between two bins
        density = np.exp(-(((offsets - nearest) / error) ** 2) / 2)
        return np.asarray(np.log(density + _ELSEWHERE))


class Offset:
    """What the offset of a new segment may be, from deliveries whose spread is known.

    Within 50 ms below the first of them each offset has the probability of all delays that it
    implies, times that of what is expected (Bayes). The lowest delivery alone tells less: with
    six that are late by anything up to 20 ms it is 2.9 ms late on average.

    Parameters
    ----------
    delays : Delays
        How late deliveries are.
    slope : float
        Of the stream, in seconds per second.
    expected : Expected or None
        Where it may be; None: anywhere.
    """

    def __init__(self, delays: Delays, slope: float, expected: Expected | None = None) -> None:
        self._log_density = delays.log_density()
        self._slope, self._expected = slope, expected
        self._offsets = np.arange(EARLY_BINS - N_BINS, EARLY_BINS) * BIN
        self._log_p: _Floats | None = None
        self._base = 0.0

    def add(self, x: _Floats, y: _Floats) -> None:
        """Take deliveries."""
        z = y - self._slope * x
        for start in range(0, len(z), 256):  # bounds the memory that it takes
            self._add(z[start : start + 256])

    def _add(self, z: _Floats) -> None:
        lowest = float(z.min())
        if self._log_p is None or lowest < self._base + self._offsets[N_BINS // 2]:
            self._base, self._log_p = lowest, np.zeros(N_BINS)  # all before was far too late
        self._log_p = self._log_p + self._log_likelihood(z)

    def _log_likelihood(self, z: _Floats) -> _Floats:
        late = z[:, None] - (self._base + self._offsets)
        impossible = np.where(late < -EARLY_BINS * BIN, -_IMPOSSIBLE, 0.0)
        return np.asarray((self._log_density[bins(late)] + impossible).sum(axis=0))

    def estimate(self, pending: tuple[float, float]) -> tuple[float, float] | None:
        """Return the offset at x = 0 and how well it is known, or None if nothing is.

        These are the middle and half of the central 68 %, as some deliveries are late by
        anything. Of two numbers of lost samples that are about as likely, the median is often
        the wrong one, 1 ms off at 1 kHz; the middle is off by half of that at most. After a
        step, where one offset is expected, it is the median, which what is unlikely moves less.

        Parameters
        ----------
        pending : tuple of float
            x and y of the newest sample, which may be a delivery.
        """
        z = pending[1] - self._slope * pending[0]
        if self._log_p is None:
            if np.isnan(z):
                return None
            self._base, log_p = z, self._log_density * 0.0
        else:
            log_p = self._log_p
        if not np.isnan(z):
            log_p = log_p + self._log_likelihood(np.array([z]))
        if self._expected is not None:
            offsets = np.asarray(self._base + self._offsets, np.float64)
            log_p = log_p + self._expected.log_density(offsets)
        p = np.exp(log_p - log_p.max())
        p /= p.sum()
        low, middle, high = np.interp((0.16, 0.5, 0.84), p.cumsum(), self._offsets).tolist()
        if self._expected is None or self._expected.period:
            middle = (low + high) / 2
        # `cumsum` counts an offset as a whole, of which half lies above it
        return self._base + middle + BIN / 2, (high - low) / 2
