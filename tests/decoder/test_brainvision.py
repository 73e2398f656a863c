"""MNE reads what we write."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import mne
import numpy as np

from decoder.brainvision import MICROVOLTS, write_header
from decoder.rowfile import RowWriter
from streaming.signal import SignalSpec

SPEC = SignalSpec(512.0, ("Cz", "a,b", "STI"), ("eeg", "eog", "stim"))


def test_samples_names_units_and_markers_come_back(tmp_path: Path) -> None:
    data = np.random.default_rng(0).standard_normal((3, 700)).astype(np.float32)
    data[:2] *= 1e-5
    with RowWriter(tmp_path / "one.eeg", 3) as writer:
        writer.append(data * np.array([[MICROVOLTS], [MICROVOLTS], [1]], np.float32))
    notes = [(0, 0.0, "first, of\tall"), (600, 0.125, "Gräser")]
    started = datetime(2026, 1, 2, 3, 4, 5, 678900, tzinfo=UTC)
    path = write_header(tmp_path / "one", SPEC, notes, started)
    raw = mne.io.read_raw_brainvision(path, verbose="error")
    assert raw.info["sfreq"] == 512
    assert raw.ch_names == list(SPEC.ch_names)
    assert raw.info["meas_date"] == started
    np.testing.assert_allclose(raw.get_data(), data, rtol=3e-7)
    first, second = (a for a in raw.annotations if "New Segment" not in a["description"])
    assert first["description"] == "Comment/first, of all"
    assert second["description"] == "Comment/Gräser"
    assert (second["onset"], second["duration"]) == (600 / 512, 0.125)
