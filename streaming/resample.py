"""Another number of samples a second."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from scipy.signal import cheby2, firwin, kaiserord

from streaming.errors import ConfigError
from streaming.sections import Sections, delay_of, settling_of
from streaming.signal import Chunk, SignalSpec

__all__ = ["RATE_TOLERANCE", "Decimate", "DecimateSettings", "Resample", "ResampleSettings"]

RATE_TOLERANCE = 1e-3
"""By what share a stream's rate may differ from its model's."""


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
        self.settling = self.delay = 0.0
        self.factor = 1
        self.sos: NDArray[np.float64]
        self._sections: Sections
        self._spec: SignalSpec
        self._segment: int | None = None
        self._bad_since = 0  # the worst since the last one kept

    def prepare(self, spec: SignalSpec) -> SignalSpec:
        """Find the factor and design the low-pass."""
        ratio = spec.sfreq / self.settings.sfreq
        factor = max(round(ratio), 1)
        if abs(ratio - factor) > RATE_TOLERANCE * factor:
            msg = (
                f"decimate cannot make sfreq={self.settings.sfreq:g} Hz of {spec.sfreq:g} Hz: "
                f"their ratio {ratio:.4g} is not a whole number; take "
                f"sfreq={spec.sfreq / factor:g}"
            )
            raise ConfigError(msg)
        self.factor, self._segment, self._bad_since = factor, None, 0
        self._spec = replace(spec, sfreq=spec.sfreq / factor)
        self.settling = self.delay = 0.0
        if factor > 1:
            edge = 1.2 * self._spec.sfreq / 2
            self.sos = cheby2(8, 60, edge, output="sos", fs=spec.sfreq)
            self._sections = Sections(self.sos, factor)
            self.settling = settling_of(self.sos, spec.sfreq)
            self.delay = delay_of(self.sos, spec.sfreq)
        return self._spec

    def __call__(self, chunk: Chunk) -> Chunk:
        """Return the last of each `factor` samples."""
        if self.factor == 1:
            return chunk.holding(chunk.data, self._spec)
        return self.finish(chunk, self._sections(chunk))

    def finish(self, chunk: Chunk, kept: NDArray[np.float32]) -> Chunk:
        """Return `kept`, the last of each `factor` samples of `chunk`, filtered, as a chunk."""
        skip = (-1 - chunk.first) % self.factor
        first = (chunk.first + skip) // self.factor
        bad = self._keep_bad(chunk, skip, kept.shape[1])
        t_anchor = chunk.t_anchor + (self.factor - 1) / chunk.spec.sfreq
        return Chunk(kept, self._spec, chunk.segment, first, t_anchor, bad)

    def _keep_bad(self, chunk: Chunk, skip: int, n_out: int) -> NDArray[np.uint8] | None:
        """Return for each kept sample the worst of the stretch that it stands for."""
        if chunk.n_times and chunk.segment != self._segment:
            self._segment, self._bad_since = chunk.segment, 0
        if chunk.bad is None and not self._bad_since:
            return None
        bad = np.zeros(chunk.n_times, np.uint8) if chunk.bad is None else chunk.bad
        # A kept sample stands for itself and for those dropped since the one kept before it.
        stretches = np.split(bad, np.arange(n_out) * self.factor + skip + 1)
        worst = [int(stretch.max(initial=0)) for stretch in stretches]
        worst[0] = max(worst[0], self._bad_since)
        self._bad_since = worst[-1]
        return np.array(worst[:-1], np.uint8)


_MAX_FACTOR = 512  # 500 Hz of 512 Hz is 125 / 128; more is a rate that was mistyped

_STOPBAND = 60.0  # dB, as for `Decimate`
_TRANSITION = 0.4  # of the lower Nyquist frequency, around 0.9 of it


@dataclass(frozen=True, slots=True, kw_only=True)
class ResampleSettings:
    """Settings of a change to any rate.

    Parameters
    ----------
    sfreq : float
        Rate of the output, in Hz; its ratio to the rate of the stream is a fraction of small
        numbers.
    """

    sfreq: float

    def __post_init__(self) -> None:
        """Refuse a rate that no clock can have."""
        if not self.sfreq > 0:
            msg = f"resample needs a positive sfreq, got sfreq={self.sfreq}"
            raise ConfigError(msg)


class Resample:
    """Change the rate by a rational factor, with a causal polyphase filter.

    Sample ``k`` of the output is that of the segment at ``(k + 1) * down / up - 1``, as for
    `Decimate`, or at ``k * down / up`` if the rate goes up, delayed by the filter: a
    linear-phase low-pass (Kaiser window, 60 dB from 1.1 of the lower Nyquist frequency, flat
    to 0.7 of it), so that every frequency is delayed alike. Where the factor is a whole
    number, `Decimate` delays less. A segment starts as if its first sample had always been
    there.
    """

    def __init__(self, settings: ResampleSettings) -> None:
        self.settings = settings
        self.settling = self.delay = 0.0
        self._up = self._down = 1
        self._taps: NDArray[np.float64]  # (up, n_taps): of each phase, for the newest first
        self._spec: SignalSpec
        self._segment: int | None
        self._past: NDArray[np.float32]  # (n_channels, n_taps - 1)
        self._past_bad: NDArray[np.uint8]  # (n_taps - 1,)

    def prepare(self, spec: SignalSpec) -> SignalSpec:
        """Find the factor and design the low-pass."""
        ratio = Fraction(self.settings.sfreq / spec.sfreq).limit_denominator(_MAX_FACTOR)
        up, down = ratio.numerator, ratio.denominator
        exact = self.settings.sfreq / spec.sfreq
        if up == 0 or up > _MAX_FACTOR or abs(up / down / exact - 1) > RATE_TOLERANCE:
            msg = (
                f"resample cannot make sfreq={self.settings.sfreq:g} Hz of {spec.sfreq:g} Hz: "
                f"their ratio {exact:.6g} is no fraction of numbers up to {_MAX_FACTOR}"
            )
            raise ConfigError(msg)
        self._up, self._down, self._segment = up, down, None
        self._spec = replace(spec, sfreq=spec.sfreq * up / down)
        # Designed at up times the rate of the stream; there Nyquist is 1.
        lower = 1 / max(up, down)
        n_taps, beta = kaiserord(_STOPBAND, _TRANSITION * lower)
        n_phase = -(-n_taps // up)
        low_pass = np.zeros(n_phase * up)
        low_pass[:n_taps] = up * firwin(n_taps, 0.9 * lower, window=("kaiser", beta))
        self._taps = low_pass.reshape(n_phase, up).T
        # The taps of each phase add up to 1, so that an offset does not turn into a tone.
        self._taps = self._taps / self._taps.sum(axis=1, keepdims=True)
        self.delay = (n_taps - 1) / 2 / (up * spec.sfreq)
        self.settling = n_phase / spec.sfreq
        return self._spec

    def __call__(self, chunk: Chunk) -> Chunk:
        """Return the output samples whose newest input is in `chunk`."""
        up, down, n_taps = self._up, self._down, self._taps.shape[1]
        shift = max(down - up, 0)  # of output 0, in samples of up times the rate of the stream
        first = -(-(chunk.first * up - shift) // down)
        stop = -(-((chunk.first + chunk.n_times) * up - shift) // down)
        at = np.arange(first, stop) * down + shift
        t_anchor = chunk.t_anchor + shift / up / chunk.spec.sfreq
        if chunk.n_times == 0:
            return replace(chunk, spec=self._spec, first=first, t_anchor=t_anchor)
        if chunk.segment != self._segment:
            self._segment = chunk.segment
            self._past = np.repeat(chunk.data[:, :1], n_taps - 1, axis=1)
            self._past_bad = np.zeros(n_taps - 1, np.uint8)
        data = np.concatenate([self._past, chunk.data], axis=1)
        bad_in = np.zeros(chunk.n_times, np.uint8) if chunk.bad is None else chunk.bad
        bad = np.concatenate([self._past_bad, bad_in])
        self._past, self._past_bad = data[:, chunk.n_times :], bad[chunk.n_times :]
        newest = at // up - chunk.first + n_taps - 1  # of each output, as column of data
        taps = self._taps[at % up]  # (n_out, n_taps)
        out = np.zeros((len(data), len(at)))
        for back in range(n_taps):  # one after the other: the order of a sum is part of it
            out += taps[:, back] * data[:, newest - back]
        since = range(min(math.ceil(down / up), n_taps))
        worst = np.zeros(len(at), np.uint8)
        for back in since:
            worst = np.maximum(worst, bad[newest - back])
        return Chunk(
            out.astype(np.float32),
            self._spec,
            chunk.segment,
            first,
            t_anchor,
            worst if worst.any() else None,
        )
