"""A recording of somebody who is shown two kinds of things."""

from __future__ import annotations

from pathlib import Path

import mne
import numpy as np

__all__ = ["record_faces"]


def record_faces(path: Path) -> Path:
    """Write a minute of noise with events `face` and `house`, and a flat channel."""
    rng = np.random.default_rng(0)
    data = rng.standard_normal((3, 6000)) * 1e-5
    data[2] = 0
    raw = mne.io.RawArray(
        data, mne.create_info(["Cz", "Pz", "flat"], 100.0, "eeg"), verbose="error"
    )
    onsets = np.arange(10, 58, 0.8)
    labels = ["face" if n % 2 else "house" for n in range(len(onsets))]
    raw.set_annotations(mne.Annotations(onsets, 0.0, labels))
    raw.save(path, verbose="error")
    return path
