"""Somebody who listens: a signal that follows the loudness of speech, by a known delay."""

from __future__ import annotations

from pathlib import Path

import mne
import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfiltfilt

__all__ = ["LAG", "loudness", "save_listener"]

LAG = 0.12
"""Seconds from the sound to the brain's answer."""


def loudness(duration: float, sfreq: float, seed: int = 0) -> NDArray[np.float64]:
    """Positive, with most of its power from 1 to 8 Hz, as syllables have."""
    rng = np.random.default_rng([seed, 0])
    sos = butter(2, (1.0, 8.0), "bandpass", fs=sfreq, output="sos")
    waves = sosfiltfilt(sos, rng.standard_normal(round(duration * sfreq)))
    return np.asarray(np.exp(waves / waves.std() / 2))


def save_listener(
    path: Path,
    track: NDArray[np.float64],
    sfreq: float,
    *,
    snr: float = 0.25,
    seed: int = 1,
    n_channels: int = 8,
    kept: bool = True,
    onset: float = 0.0,
) -> Path:
    """Save a recording of somebody who hears `track`, and then 4 s of silence.

    Parameters
    ----------
    snr : float
        Amplitude of the answer in multiples of the noise; 0 for somebody who is deaf.
    kept : bool
        Whether the track is a channel of the recording, `env`.
    onset : float
        When it begins to play [s]; there is a marker `play`.
    """
    rng = np.random.default_rng([seed, 1])
    n_before, n_times = round(onset * sfreq), len(track) + round((onset + 4) * sfreq)
    heard = np.zeros(n_times)
    heard[n_before : n_before + len(track)] = track
    noise = rng.standard_normal((n_channels, n_times))
    spectrum = np.fft.rfft(noise)
    spectrum /= np.sqrt(np.maximum(np.fft.rfftfreq(n_times, 1 / sfreq), 0.1))
    noise = np.linalg.qr(rng.standard_normal((n_channels, n_channels)))[0] @ np.fft.irfft(
        spectrum, n_times
    )
    noise /= noise.std()
    answer = np.roll(heard - heard.mean(), round(LAG * sfreq))
    size = answer.std() or 1.0
    gain = rng.standard_normal(n_channels)
    data = 1e-5 * (noise + snr * gain[:, None] * answer / size)
    info = mne.create_info([f"E{n}" for n in range(n_channels)], sfreq, "eeg")
    raw = mne.io.RawArray(data, info, verbose="error")
    if kept:
        track_info = mne.create_info(["env"], sfreq, "misc")
        raw.add_channels([mne.io.RawArray(heard[None], track_info, verbose="error")])
    raw.set_annotations(mne.Annotations([onset], 0.0, ["play"]))
    raw.save(path, overwrite=True, verbose="error")
    return path
