"""Causal frequency filters."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, iirnotch, sos2zpk, sosfilt, sosfilt_zi
from scipy.signal._sosfilt import _sosfilt

from streaming.errors import ConfigError
from streaming.signal import Chunk, SignalSpec

__all__ = [
    "DELAY_FREQ",
    "SETTLED",
    "Bandpass",
    "BandpassSettings",
    "Notch",
    "NotchSettings",
    "SosFilter",
]

SETTLED = 0.05
"""What share of a wrong start may be left when a filter counts as settled.

A segment starts at the steady state for its first sample, so the start is wrong by the
distance of that sample from the signal's level: tens of microvolts of EEG. Five percent of
it is 1-3 uV, less than the noise of a single trial, and too slow to survive the baseline.
"""

_ON_CIRCLE = 1e-6

DELAY_FREQ = 10.0
"""Frequency at which group delays are stated, in Hz: evoked responses are around it."""


class SosFilter:
    """Second-order sections whose state lives from chunk to chunk.

    Each segment starts at the steady state for its first sample, so that the DC offset of an
    amplifier, often 1000 times the EEG, does not ring through the first seconds. State and
    output are float64: float32 sections err by 243 uV at 0.1 Hz, 1 kHz and 50 mV of offset.

    Parameters
    ----------
    sos : array of shape (n_sections, 6)
        The filter, as `scipy.signal` designs it.
    """

    def __init__(self, sos: NDArray[np.float64]) -> None:
        self.sos = np.ascontiguousarray(sos, np.float64)
        self._steady = sosfilt_zi(sos)  # (n_sections, 2), for an input of 1
        self._segment: int | None = None
        self._state: NDArray[np.float64]  # (n_channels, n_sections, 2)

    def __call__(self, chunk: Chunk) -> NDArray[np.float64]:
        """Return the filtered samples of `chunk`, shape (n_channels, n_times)."""
        data = np.array(chunk.data, np.float64, order="C")
        if chunk.n_times == 0:
            return data
        if chunk.segment != self._segment:
            self._segment = chunk.segment
            self._state = data[:, :1, None] * self._steady
        # The compiled loop of `sosfilt`, in place. What sosfilt does around it takes most of
        # its time on short chunks: 50 us, without it 7 us (64 channels, 10 samples).
        _sosfilt(self.sos, data, self._state)
        return data

    def settling(self, sfreq: float) -> float:
        """Return how long a wrong start is felt, in seconds.

        That is the time until the response to a step stays within `SETTLED` of its final
        value, or the slowest oscillation of the filter has faded to `SETTLED`, whichever is
        longer: a step hardly shakes a notch, but the mains do.
        """
        slowest = np.abs(sos2zpk(self.sos)[1]).max()
        n_faded = int(np.ceil(np.log(SETTLED) / np.log(slowest)))
        step, _ = sosfilt(self.sos, np.ones(4 * n_faded), zi=np.zeros((len(self.sos), 2)))
        final = np.prod(self.sos[:, :3].sum(axis=1) / self.sos[:, 3:].sum(axis=1))
        n_level = int(np.flatnonzero(np.abs(step - final) > SETTLED).max(initial=-1)) + 1
        return max(n_faded, n_level) / sfreq

    def delay(self, sfreq: float) -> float:
        """Return the group delay at `DELAY_FREQ`, in seconds."""
        zeros, poles, _ = sos2zpk(self.sos)
        at = np.exp(2j * np.pi * DELAY_FREQ / sfreq)
        # A zero on the unit circle delays by -1/2 sample; the general term is singular there.
        moving = zeros[np.abs(np.abs(zeros) - 1) > _ON_CIRCLE]
        n_samples = (poles / (at - poles)).real.sum() - (moving / (at - moving)).real.sum()
        return float(n_samples + (len(zeros) - len(moving)) / 2) / sfreq


@dataclass(frozen=True, slots=True, kw_only=True)
class BandpassSettings:
    """Settings of a Butterworth band-pass.

    Parameters
    ----------
    low, high : float
        Edges of the band (-3 dB), in Hz.
    order : int
        Order of each edge. From 0.5 to 30 Hz, order 2 delays a 10 Hz wave by 9 ms, order 4 by
        17 ms, and what order 4 adds at 50 Hz a notch does better.
    """

    low: float
    high: float
    order: int = 2

    def __post_init__(self) -> None:
        """Refuse an empty band."""
        if not 0 < self.low < self.high:
            msg = f"bandpass needs 0 < low < high, got low={self.low}, high={self.high} Hz"
            raise ConfigError(msg)
        if self.order < 1:
            msg = f"bandpass needs an order of at least 1, got order={self.order}"
            raise ConfigError(msg)


class Bandpass:
    """Keep the frequencies between two edges."""

    def __init__(self, settings: BandpassSettings) -> None:
        self.settings = settings
        self.settling = self.delay = 0.0
        self.filter: SosFilter

    def prepare(self, spec: SignalSpec) -> SignalSpec:
        """Design the filter for the rate of the stream."""
        s, nyquist = self.settings, spec.sfreq / 2
        if s.high >= nyquist:
            msg = (
                f"bandpass needs high < {nyquist:g} Hz, half of sfreq={spec.sfreq:g}, "
                f"got high={s.high:g}; lower it, or use a faster stream"
            )
            raise ConfigError(msg)
        band = (s.low, s.high)
        self.filter = SosFilter(butter(s.order, band, "bandpass", output="sos", fs=spec.sfreq))
        self.settling = self.filter.settling(spec.sfreq)
        self.delay = self.filter.delay(spec.sfreq)
        return spec

    def __call__(self, chunk: Chunk) -> Chunk:
        """Filter `chunk`, going on from where the last one ended."""
        return self.finish(chunk, self.filter(chunk))

    def finish(self, chunk: Chunk, filtered: NDArray[np.float64]) -> Chunk:
        """Return `chunk` with its filtered samples."""
        return replace(chunk, data=filtered.astype(np.float32))


@dataclass(frozen=True, slots=True, kw_only=True)
class NotchSettings:
    """Settings of a notch.

    Parameters
    ----------
    freq : float
        What to remove, in Hz: the mains, 50 or 60.
    width : float
        Width of the notch (-3 dB), in Hz. Mains stay within 0.2 Hz of their frequency; a
        narrower notch rings longer, 2 Hz for 0.5 s.
    n_harmonics : int
        How many frequencies to remove: `freq`, twice `freq` and so on. One by default, as the
        rest lies above the band of evoked responses. Those that the stream cannot carry are
        not there to be removed.
    """

    freq: float
    width: float = 2.0
    n_harmonics: int = 1

    def __post_init__(self) -> None:
        """Refuse a notch that reaches below 0 Hz, and no notch."""
        if self.n_harmonics < 1:
            msg = f"notch needs n_harmonics of at least 1, got n_harmonics={self.n_harmonics}"
            raise ConfigError(msg)
        if not 0 < self.width < self.freq:
            msg = f"notch needs 0 < width < freq, got width={self.width}, freq={self.freq} Hz"
            raise ConfigError(msg)


class Notch:
    """Remove one frequency, and its harmonics if asked to: a band-stop."""

    def __init__(self, settings: NotchSettings) -> None:
        self.settings = settings
        self.settling = self.delay = 0.0
        self.filter: SosFilter

    def prepare(self, spec: SignalSpec) -> SignalSpec:
        """Design the filter for the rate of the stream."""
        s, nyquist = self.settings, spec.sfreq / 2
        if s.freq >= nyquist:
            msg = (
                f"notch needs freq < {nyquist:g} Hz, half of sfreq={spec.sfreq:g}, "
                f"got freq={s.freq:g}; leave it out, the stream cannot carry that frequency"
            )
            raise ConfigError(msg)
        freqs = [n * s.freq for n in range(1, s.n_harmonics + 1) if n * s.freq < nyquist]
        sections = [iirnotch(freq, freq / s.width, fs=spec.sfreq) for freq in freqs]
        self.filter = SosFilter(np.array([np.concatenate(section) for section in sections]))
        self.settling = self.filter.settling(spec.sfreq)
        self.delay = self.filter.delay(spec.sfreq)
        return spec

    def __call__(self, chunk: Chunk) -> Chunk:
        """Filter `chunk`, going on from where the last one ended."""
        return self.finish(chunk, self.filter(chunk))

    def finish(self, chunk: Chunk, filtered: NDArray[np.float64]) -> Chunk:
        """Return `chunk` with its filtered samples."""
        return replace(chunk, data=filtered.astype(np.float32))
