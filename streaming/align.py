"""Signals that look alike from one session to the next."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streaming.errors import ConfigError
from streaming.maps import apply_map
from streaming.past import PastBlocks
from streaming.signal import Chunk, SignalSpec

__all__ = ["Align", "AlignSettings"]

_RANK = 1e-10  # of the largest variance: below, a direction holds rounding errors only


@dataclass(frozen=True, slots=True, kw_only=True)
class AlignSettings:
    """Settings of online Euclidean alignment.

    Parameters
    ----------
    every : float
        Length of the stretches whose covariances are averaged, in seconds; after each of them
        the alignment is made anew.
    max_gap : float
        The longest gap that the average survives, in seconds.
    """

    every: float = 2.0
    max_gap: float = 60.0

    def __post_init__(self) -> None:
        """Refuse stretches without samples."""
        if not self.every > 0 or self.max_gap < 0:
            msg = (
                f"align needs every > 0 and max_gap >= 0 s, got every={self.every}, "
                f"max_gap={self.max_gap}"
            )
            raise ConfigError(msg)


class Align:
    """Whiten the channels by the mean covariance of the session so far.

    Euclidean alignment (He and Wu 2020) makes sessions and people comparable by multiplying
    with the inverse square root of their mean covariance. Here the mean is recursive, of the
    past only, updated every so many samples; until the first of them the output is zero.
    Directions without variance, as an average reference leaves them, stay at zero.
    """

    delay = 0.0

    def __init__(self, settings: AlignSettings) -> None:
        self.settings = settings
        self.settling = settings.every
        self._past: PastBlocks
        self._mean: NDArray[np.float64]  # (n_channels, n_channels)
        self._n_averaged: int
        self._whiten: NDArray[np.float64]  # (n_channels, n_channels)

    def prepare(self, spec: SignalSpec) -> SignalSpec:
        """Make room for the past."""
        n_times = max(spec.to_samples(self.settings.every), 1)
        self._past = PastBlocks(len(spec.ch_names), n_times, self.settings.max_gap)
        self._forget(len(spec.ch_names))
        return spec

    def __call__(self, chunk: Chunk) -> Chunk:
        """Whiten `chunk` by what was known before each of its samples."""
        aligned = np.empty_like(chunk.data)
        for piece in self._past.pieces(chunk):
            if piece.forget:
                self._forget(len(chunk.data))
            if piece.past is not None:
                self._learn(piece.past)
            first = chunk.first + piece.at.start
            aligned[:, piece.at] = apply_map(self._whiten, chunk.data[:, piece.at], first)
        return chunk.holding(aligned)

    def _forget(self, n_channels: int) -> None:
        self._mean = self._whiten = np.zeros((n_channels, n_channels))
        self._n_averaged = 0

    def _learn(self, past: NDArray[np.float32]) -> None:
        """Average in one more stretch, and make its inverse square root."""
        x = past.astype(np.float64)
        self._n_averaged += 1
        self._mean = self._mean + (x @ x.T / x.shape[1] - self._mean) / self._n_averaged
        variances, vectors = np.linalg.eigh(self._mean)
        there = variances > _RANK * variances[-1]
        if there.any():
            kept = vectors[:, there]
            self._whiten = (kept / np.sqrt(variances[there])) @ kept.T
