"""Noise of a given spectrum, that goes on from block to block."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.signal import sosfilt, sosfreqz, zpk2sos

__all__ = ["Coloured", "power_law", "resonator", "scaled", "wanders"]

_DRIFT_TIME = 10.0
"""Time constant of a drift, in s; two such poles are steep enough to leave 1 Hz alone."""


class Coloured:
    """Noise, or impulses, through a filter that goes on from block to block."""

    def __init__(self, sos: NDArray[np.float64], n_sources: int) -> None:
        self._sos = sos
        self._state = np.zeros((len(sos), n_sources, 2))

    def burn_in(self, rng: np.random.Generator, n_times: int) -> None:
        """Run on white noise until the start, at zero, is forgotten."""
        self(rng.standard_normal((self._state.shape[1], n_times)))

    def __call__(self, drive: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the next block: what the filter makes of `drive`, (n_sources, n_times)."""
        out, self._state = sosfilt(self._sos, drive, zi=self._state)
        return np.asarray(out)


def _unit_power(sos: NDArray[np.float64], sfreq: float, band: tuple[float, float]) -> float:
    """Return the factor that gives filtered white noise an rms of 1 within `band`."""
    freqs = np.linspace(*band, 8192)
    _, response = sosfreqz(sos, freqs, fs=sfreq)
    power = np.mean(np.abs(response) ** 2) * (band[1] - band[0]) * 2 / sfreq
    return float(1 / np.sqrt(power))


def scaled(
    zpk: tuple[list[complex], list[complex]], sfreq: float, band: tuple[float, float]
) -> NDArray[np.float64]:
    """Make second-order sections that give white noise an rms of 1 within `band`."""
    sos = zpk2sos(*zpk, 1.0)
    sos[0, :3] *= _unit_power(sos, sfreq, band)
    return np.asarray(sos)


def power_law(sfreq: float, exponent: float) -> NDArray[np.float64]:
    """Design a filter whose power falls with f**-exponent from 0.1 Hz on.

    Poles an octave and a half apart, each with a zero above it: 1/f**2 from pole to zero, flat
    from zero to pole, and the share of the way between them sets the mean slope.
    """
    step = 2**1.5
    corners = 0.1 * step ** np.arange(np.ceil(np.log(sfreq / 2 / 0.1) / np.log(step)))
    poles = np.exp(-2 * np.pi * corners / sfreq)
    zeros = np.exp(-2 * np.pi * corners * step ** (exponent / 2) / sfreq)
    return scaled((list(zeros), list(poles)), sfreq, (1.0, 40.0))


def resonator(freq: float, width: float, sfreq: float) -> NDArray[np.float64]:
    """Design a narrow band; noise through it waxes and wanes over about 1/`width` seconds."""
    pole = np.exp((-np.pi * width + 2j * np.pi * freq) / sfreq)
    band = (freq - 10 * width, freq + 10 * width)
    return scaled(([], [pole, pole.conjugate()]), sfreq, (max(band[0], 0.0), band[1]))


def wanders(sfreq: float) -> NDArray[np.float64]:
    """Design a slow drift, with an rms of 1 below 1 Hz."""
    pole = np.exp(-1 / (_DRIFT_TIME * sfreq))
    return scaled(([], [pole, pole]), sfreq, (0.0, 1.0))
