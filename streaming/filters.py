"""Causal frequency filters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, iirnotch

from streaming.errors import ConfigError
from streaming.sections import Sections, delay_of, settling_of
from streaming.signal import Chunk, SignalSpec

__all__ = ["BandpassSettings", "Filter", "NotchSettings"]


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

    def design(self, sfreq: float) -> NDArray[np.float64]:
        """Return the sections of the filter at a rate in Hz, shape (n_sections, 6)."""
        nyquist = sfreq / 2
        if self.high >= nyquist:
            msg = (
                f"bandpass needs high < {nyquist:g} Hz, half of sfreq={sfreq:g}, "
                f"got high={self.high:g}; lower it, or use a faster stream"
            )
            raise ConfigError(msg)
        band = (self.low, self.high)
        sos: NDArray[np.float64] = butter(self.order, band, "bandpass", output="sos", fs=sfreq)
        return sos


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

    def design(self, sfreq: float) -> NDArray[np.float64]:
        """Return the sections of the filter at a rate in Hz, shape (n_sections, 6)."""
        nyquist = sfreq / 2
        if self.freq >= nyquist:
            msg = (
                f"notch needs freq < {nyquist:g} Hz, half of sfreq={sfreq:g}, "
                f"got freq={self.freq:g}; leave it out, the stream cannot carry that frequency"
            )
            raise ConfigError(msg)
        freqs = [n * self.freq for n in range(1, self.n_harmonics + 1)]
        carried = [freq for freq in freqs if freq < nyquist]
        sections = [iirnotch(freq, freq / self.width, fs=sfreq) for freq in carried]
        return np.array([np.concatenate(section) for section in sections])


class Filter:
    """Keep some frequencies: a band-pass or a notch, by its settings."""

    def __init__(self, settings: BandpassSettings | NotchSettings) -> None:
        self.settings = settings
        self.settling = self.delay = 0.0
        self.sos: NDArray[np.float64]
        self._sections: Sections

    def prepare(self, spec: SignalSpec) -> SignalSpec:
        """Design the filter for the rate of the stream."""
        self.sos = self.settings.design(spec.sfreq)
        self._sections = Sections(self.sos)
        self.settling = settling_of(self.sos, spec.sfreq)
        self.delay = delay_of(self.sos, spec.sfreq)
        return spec

    def __call__(self, chunk: Chunk) -> Chunk:
        """Filter `chunk`, going on from where the last one ended."""
        return chunk.holding(self._sections(chunk))
