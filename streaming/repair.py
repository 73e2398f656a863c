"""Samples that were not measured."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from streaming.signal import Bad, Chunk, SignalSpec

__all__ = ["Repair", "RepairSettings"]

_IMPOSSIBLE = 1e6
"""What no amplifier delivers, in SI units, not even one whose microvolts are taken for volts.
A million volts ring through a high-pass for a minute, and 1e38 overflow what comes after."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairSettings:
    """Repair has nothing to set."""


class Repair:
    """Bridge samples that are NaN, infinite or impossible, and mark them as bad.

    One such sample would poison the state of every filter after it for good. So a channel
    holds its last finite value (0 at the start of a segment), and when finite values return
    they go on from there: the step is taken off the rest of the segment, since a step of
    millivolts, say after a channel that began with NaN, would ring through a high-pass for
    seconds. Finite channels stay as they are.
    """

    settling = delay = 0.0

    def __init__(self, settings: RepairSettings) -> None:
        self.settings = settings
        self._segment: int | None = None
        self._last: NDArray[np.float64]  # last finite value of each channel, as measured
        self._finite: NDArray[np.bool_]  # whether the last sample of each channel was finite
        self._offset: NDArray[np.float64]  # what is taken off each channel
        self._at_rest: bool  # whether the last sample of all channels was finite
        self._shifted: bool  # whether anything is taken off

    def prepare(self, spec: SignalSpec) -> SignalSpec:
        """Forget the stream before."""
        self._segment = None
        return spec

    def __call__(self, chunk: Chunk) -> Chunk:
        """Return `chunk` with finite samples only."""
        if chunk.n_times == 0:
            return chunk
        if chunk.segment != self._segment:
            self._segment = chunk.segment
            self._last = np.zeros(len(chunk.data))
            self._finite = np.ones(len(chunk.data), bool)
            self._offset = np.zeros(len(chunk.data))
            self._at_rest, self._shifted = True, False
        if self._at_rest:
            flat = chunk.data.reshape(-1)
            # No sum of squares below this has a sample that is impossible. It takes 0.6 us for
            # 64 channels and 10 samples, to look at each of them 2.5 us.
            if np.vdot(flat, flat) < _IMPOSSIBLE**2 / 2:
                self._last = chunk.data[:, -1].astype(np.float64)
                if not self._shifted:
                    return chunk
                return chunk.holding((chunk.data - self._offset[:, None]).astype(np.float32))
        return self._bridge(chunk, np.abs(chunk.data) < _IMPOSSIBLE)  # and no NaN

    def _bridge(self, chunk: Chunk, finite: NDArray[np.bool_]) -> Chunk:
        """Hold the last finite values, and go on from them without a step."""
        # The first column is the sample before the chunk.
        data = np.column_stack([self._last, chunk.data])
        known = np.column_stack([np.ones(len(data), bool), finite])
        newest = np.maximum.accumulate(np.where(known, np.arange(data.shape[1]), 0), axis=1)
        held = np.take_along_axis(data, newest, axis=1)
        was_finite = np.column_stack([self._finite, finite[:, :-1]])
        steps = np.where(finite & ~was_finite, np.diff(held, axis=1), 0.0)
        offset = np.add.accumulate(np.column_stack([self._offset, steps]), axis=1)
        self._last, self._finite, self._offset = held[:, -1], finite[:, -1], offset[:, -1]
        self._at_rest, self._shifted = bool(self._finite.all()), bool(self._offset.any())
        bad = np.where(finite.all(axis=0), 0, Bad.SAMPLES).astype(np.uint8)
        if chunk.bad is not None:
            bad = np.maximum(bad, chunk.bad)
        repaired = (held - offset)[:, 1:].astype(np.float32)
        return replace(chunk, data=repaired, bad=bad if bad.any() else None)
