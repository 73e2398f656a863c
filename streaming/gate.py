"""Signals that no brain makes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from streaming.errors import ConfigError
from streaming.signal import Bad, Chunk, SignalSpec

__all__ = ["Gate", "GateSettings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GateSettings:
    """Settings of an artifact gate.

    Parameters
    ----------
    amplitude : float
        Largest absolute value of any channel, in its SI unit. After a band-pass, 100 uV lets
        brain responses and alpha pass, and stops blinks and movement.
    gradient : float
        Steepest change, in SI units per second; infinite, which is the default, lets all pass.
    """

    amplitude: float
    gradient: float = 1e300  # JSON has no infinity

    def __post_init__(self) -> None:
        """Refuse a gate that is always shut."""
        if not (self.amplitude > 0 and self.gradient > 0):
            msg = (
                f"gate needs an amplitude and a gradient above 0, got "
                f"amplitude={self.amplitude}, gradient={self.gradient}"
            )
            raise ConfigError(msg)


class Gate:
    """Mark samples that are too large or too steep; no window over them is decoded.

    The samples themselves pass unchanged.
    """

    settling = delay = 0.0

    def __init__(self, settings: GateSettings) -> None:
        self.settings = settings
        self._segment: int | None
        self._last: NDArray[np.float32]  # (n_channels, 1)
        self._step: np.float32  # the largest from one sample to the next

    def prepare(self, spec: SignalSpec) -> SignalSpec:
        """Forget the stream before."""
        self._segment = None
        highest = float(np.finfo(np.float32).max)
        self._step = np.float32(min(self.settings.gradient / spec.sfreq, highest))
        return spec

    def __call__(self, chunk: Chunk) -> Chunk:
        """Return `chunk` with artifacts marked."""
        if chunk.n_times == 0:
            return chunk
        if chunk.segment != self._segment:
            self._segment, self._last = chunk.segment, chunk.data[:, :1]
        steps = np.abs(np.diff(chunk.data, axis=1, prepend=self._last))
        self._last = chunk.data[:, -1:].copy()
        large = (np.abs(chunk.data) > self.settings.amplitude).any(axis=0)
        large |= (steps > self._step).any(axis=0)
        if not large.any():
            return chunk
        bad = np.zeros(chunk.n_times, np.uint8) if chunk.bad is None else chunk.bad
        worst = np.where(large, np.uint8(Bad.ARTIFACT), bad)
        return replace(chunk, bad=np.maximum(bad, worst))
