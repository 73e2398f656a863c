"""Fewer samples a second."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.signal import cheby2

from streaming.errors import ConfigError
from streaming.filters import SosFilter
from streaming.signal import Chunk, SignalSpec

__all__ = ["Decimate", "DecimateSettings"]

_RATE_TOLERANCE = 1e-3  # what a stream's rate may differ from its model's


@dataclass(frozen=True, slots=True, kw_only=True)
class DecimateSettings:
    """Settings of decimation.

    Parameters
    ----------
    sfreq : float
        Rate of the output, in Hz. It must divide the rate of the stream.
    """

    sfreq: float

    def __post_init__(self) -> None:
        """Refuse a rate that no clock can have."""
        if not self.sfreq > 0:
            msg = f"decimate needs a positive sfreq, got sfreq={self.sfreq}"
            raise ConfigError(msg)


class Decimate:
    """Keep every n-th sample, after a low-pass of its own.

    Sample ``i`` of the output is the last of ``n``, sample ``i * n + n - 1`` of the segment,
    however the stream is cut. Amplifiers send blocks: of a block of ``n`` the newest sample is
    kept, where the first would be older by all the others.
    The low-pass (Chebyshev of type II, order 8) is flat to 0.6 of the new Nyquist frequency
    and 60 dB down from 1.2 of it, so nothing folds below 0.8 of it. From 1 kHz to 125 Hz it
    delays by 12 ms; the Chebyshev of type I that `scipy.signal.decimate` takes, by 19 ms.
    """

    def __init__(self, settings: DecimateSettings) -> None:
        self.settings = settings
        self.settling = 0.0
        self._factor = 1
        self._filter: SosFilter | None = None
        self._spec: SignalSpec
        self._segment: int | None = None
        self._bad_since = False  # a bad sample since the last one kept

    def prepare(self, spec: SignalSpec) -> SignalSpec:
        """Find the factor and design the low-pass."""
        ratio = spec.sfreq / self.settings.sfreq
        factor = max(round(ratio), 1)
        if abs(ratio - factor) > _RATE_TOLERANCE * factor:
            msg = (
                f"decimate cannot make sfreq={self.settings.sfreq:g} Hz of {spec.sfreq:g} Hz: "
                f"their ratio {ratio:.4g} is not a whole number; take "
                f"sfreq={spec.sfreq / factor:g}"
            )
            raise ConfigError(msg)
        self._factor, self._segment, self._bad_since = factor, None, False
        self._spec = replace(spec, sfreq=spec.sfreq / factor)
        self._filter = None
        self.settling = 0.0
        if factor > 1:
            edge = 1.2 * self._spec.sfreq / 2
            self._filter = SosFilter(cheby2(8, 60, edge, output="sos", fs=spec.sfreq))
            self.settling = self._filter.settling(spec.sfreq)
        return self._spec

    def __call__(self, chunk: Chunk) -> Chunk:
        """Return the last of each `factor` samples."""
        if self._filter is None:
            return replace(chunk, spec=self._spec)
        skip = (-1 - chunk.first) % self._factor
        data = self._filter(chunk)[:, skip :: self._factor].astype(np.float32)
        first = (chunk.first + skip) // self._factor
        bad = self._keep_bad(chunk, skip, data.shape[1])
        t_anchor = chunk.t_anchor + (self._factor - 1) / chunk.spec.sfreq
        return Chunk(data, self._spec, chunk.segment, first, t_anchor, bad)

    def _keep_bad(self, chunk: Chunk, skip: int, n_out: int) -> NDArray[np.bool_] | None:
        """Return which kept samples stand for a stretch with a bad sample in it."""
        if chunk.n_times and chunk.segment != self._segment:
            self._segment, self._bad_since = chunk.segment, False
        if chunk.bad is None and not self._bad_since:
            return None
        bad = np.zeros(chunk.n_times, bool) if chunk.bad is None else chunk.bad
        # A kept sample stands for itself and for those dropped since the one kept before it.
        stretches = np.split(bad, np.arange(n_out) * self._factor + skip + 1)
        stretches[0] = np.append(stretches[0], self._bad_since)
        self._bad_since = bool(stretches[-1].any())
        return np.array([stretch.any() for stretch in stretches[:-1]], bool)
