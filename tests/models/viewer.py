"""Somebody in whom each layer of a network drives a source of its own, at a time of its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import mne
import numpy as np
from numpy.typing import NDArray

from models.stimuli import Stimulus, StimulusTable

__all__ = ["LATENCIES", "layers_of", "save_viewer"]

LATENCIES = (0.10, 0.17, 0.24, 0.31, 0.38)
"""Seconds after the stimulus at which the layers are most like the brain."""

_WIDTH = 0.03


def layers_of(n_concepts: int, seed: int = 0) -> dict[str, NDArray[np.float32]]:
    """Features of each layer, independent of the others'."""
    rng = np.random.default_rng([seed, 2])
    shape = (n_concepts, 12)
    return {
        str(n): rng.standard_normal(shape).astype(np.float32) for n in range(len(LATENCIES))
    }


def save_viewer(
    folder: Path,
    n_concepts: int = 80,
    n_repeats: int = 3,
    *,
    snr: float = 0.7,
    seed: int = 0,
    layers: Sequence[NDArray[np.float32]] = (),
) -> tuple[Path, StimulusTable]:
    """Save a recording of somebody who looks at all concepts in random order, again and again.

    Parameters
    ----------
    snr : float
        Amplitude of each source in multiples of the noise; 0 for somebody who sees nothing.
    layers : sequence of array of shape (n_concepts, width)
        What drives each source; `layers_of` if not given.
    """
    rng = np.random.default_rng([seed, 3])
    sfreq, soa, n_channels = 200.0, 0.6, 8
    shown = np.concatenate([rng.permutation(n_concepts) for _ in range(n_repeats)])
    onsets = 6.0 + soa * np.arange(len(shown)) + rng.uniform(0, 0.1, len(shown))
    n_times = round((onsets[-1] + 2) * sfreq)
    data = rng.standard_normal((n_channels, n_times))
    times = np.arange(round(0.6 * sfreq)) / sfreq
    topographies = np.linalg.qr(rng.standard_normal((n_channels, n_channels)))[0]
    for n, features in enumerate(layers or layers_of(n_concepts, seed).values()):
        drive = features @ rng.standard_normal(features.shape[1])
        drive /= drive.std()
        wave = np.exp(-0.5 * ((times - LATENCIES[n]) / _WIDTH) ** 2)
        for concept, onset in zip(shown, onsets, strict=True):
            at = slice(round(onset * sfreq), round(onset * sfreq) + len(times))
            topography = np.sqrt(n_channels) * topographies[:, n]
            data[:, at] += snr * drive[concept] * topography[:, None] * wave
    names = ["Fz", "Cz", "Pz", "Oz", "C3", "C4", "P7", "P8"]
    raw = mne.io.RawArray(1e-5 * data, mne.create_info(names, sfreq, "eeg"), verbose="error")
    labels = [f"thing {n}" for n in shown]
    raw.set_annotations(mne.Annotations(onsets, 0.0, labels))
    path = folder / "viewer_raw.fif"
    raw.save(path, overwrite=True, verbose="error")
    table = StimulusTable(
        Stimulus(f"thing {n}", "stimulus", candidate_id=f"thing {n}") for n in range(n_concepts)
    )
    return path, table
