"""Eye movements, regressed out."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from streaming.errors import ConfigError
from streaming.maps import apply_map
from streaming.past import PastBlocks
from streaming.signal import Chunk, SignalSpec
from streaming.spatial import find_rows

__all__ = ["Regress", "RegressSettings"]

_RIDGE = 1e-6  # of the mean variance: two electrodes at one eye are almost the same


@dataclass(frozen=True, slots=True, kw_only=True)
class RegressSettings:
    """Settings of a regression on eye channels.

    Parameters
    ----------
    ch_names : tuple of str
        EOG channels, or frontal ones in their place. They are not in the output.
    span : float
        How long the past counts, in seconds: a block that is older weighs 1/e. A minute holds
        some fifteen blinks.
    every : float
        How often the coefficients are made anew, in seconds.
    max_gap : float
        The longest gap that they survive, in seconds.
    """

    ch_names: tuple[str, ...]
    span: float = 60.0
    every: float = 2.0
    max_gap: float = 60.0

    def __post_init__(self) -> None:
        """Refuse no channels, and durations that contradict each other."""
        if not self.ch_names:
            msg = "regress needs at least one eye channel in ch_names, got none"
            raise ConfigError(msg)
        if not 0 < self.every <= self.span or self.max_gap < 0:
            msg = (
                f"regress needs 0 < every <= span and max_gap >= 0, got every={self.every}, "
                f"span={self.span}, max_gap={self.max_gap} s"
            )
            raise ConfigError(msg)


class Regress:
    """Subtract what eye channels predict (Gratton, Coles and Donchin 1983), from the past only.

    The coefficients are those of a least-squares fit to past blocks, each centred; until the
    first of them nothing is subtracted. Place it after the band-pass: drifts are no blinks.
    """

    delay = 0.0

    def __init__(self, settings: RegressSettings) -> None:
        self.settings = settings
        self.settling = settings.every
        self._past: PastBlocks
        self._eyes: NDArray[np.intp]
        self._brain: NDArray[np.intp]
        self._forgetting: float
        self._auto: NDArray[np.float64]  # (n_eyes, n_eyes)
        self._cross: NDArray[np.float64]  # (n_brain, n_eyes)
        self._weights: NDArray[np.float64]  # (n_brain, n_eyes)
        self._spec: SignalSpec

    def prepare(self, spec: SignalSpec) -> SignalSpec:
        """Find the eye channels; the others are the output."""
        s = self.settings
        self._eyes = find_rows("regress", s.ch_names, spec)
        self._brain = np.setdiff1d(np.arange(len(spec.ch_names)), self._eyes)
        if not len(self._brain):
            msg = f"regress leaves no channel: all of {', '.join(spec.ch_names)} are eyes"
            raise ConfigError(msg)
        n_times = max(spec.to_samples(s.every), 1)
        self._past = PastBlocks(len(spec.ch_names), n_times, s.max_gap)
        self._forgetting = float(np.exp(-s.every / s.span))
        self._forget()
        names = tuple(spec.ch_names[row] for row in self._brain)
        types = tuple(spec.ch_types[row] for row in self._brain)
        self._spec = replace(spec, ch_names=names, ch_types=types, positions=())
        return self._spec

    def __call__(self, chunk: Chunk) -> Chunk:
        """Clean `chunk` by what was known before each of its samples."""
        data = chunk.data[self._brain]
        for piece in self._past.pieces(chunk):
            if piece.forget:
                self._forget()
            if piece.past is not None:
                self._learn(piece.past)
            eyes = chunk.data[self._eyes, piece.at]
            data[:, piece.at] -= apply_map(self._weights, eyes, chunk.first + piece.at.start)
        return chunk.holding(data, self._spec)

    def _forget(self) -> None:
        n_eyes, n_brain = len(self._eyes), len(self._brain)
        self._auto = np.zeros((n_eyes, n_eyes))
        self._cross = self._weights = np.zeros((n_brain, n_eyes))

    def _learn(self, past: NDArray[np.float32]) -> None:
        """Take in one more block and solve for the coefficients."""
        x = past.astype(np.float64)
        x -= x.mean(axis=1, keepdims=True)
        eyes = x[self._eyes]
        self._auto = self._forgetting * self._auto + eyes @ eyes.T
        self._cross = self._forgetting * self._cross + x[self._brain] @ eyes.T
        ridge = _RIDGE * np.trace(self._auto) / len(eyes)
        if ridge > 0:
            auto = self._auto + ridge * np.eye(len(eyes))
            self._weights = np.linalg.solve(auto, self._cross.T).T.copy()
