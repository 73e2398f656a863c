from __future__ import annotations

import warnings
from pathlib import Path

import mne
import mne_bids
import numpy as np
import pytest

from streaming.errors import RecordingError
from streaming.signal import Marker
from streaming.sources.bids import find_recordings, has_events, is_dataset
from streaming.sources.recording import RecordingSource


def write(root: Path, subject: str, task: str = "faces", run: str = "01") -> None:
    rng = np.random.default_rng(0)
    info = mne.create_info(["Cz", "Pz"], 100.0, "eeg")
    raw = mne.io.RawArray(1e-5 * rng.standard_normal((2, 1000)), info, verbose="error")
    raw.info["line_freq"] = 50
    notes = mne.Annotations([1.0, 2.5, 4.0], 0.0, ["face", "house", "face"])
    raw.set_annotations(notes)
    path = mne_bids.BIDSPath(
        subject=subject, task=task, run=run, datatype="eeg", root=root, suffix="eeg"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mne_bids.write_raw_bids(
            raw,
            path,
            events=None,
            allow_preload=True,
            format="BrainVision",
            verbose="error",
        )


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("bids")
    for subject in ("01", "02"):
        write(root, subject)
    write(root, "02", run="02")
    write(root, "02", task="rest")
    return root


def test_recordings_are_found_by_their_labels(dataset: Path) -> None:
    assert is_dataset(dataset)
    assert not is_dataset(dataset / "sub-01")
    assert len(find_recordings(dataset)) == 4
    found = find_recordings(dataset, subject="sub-02", task="faces")
    assert [path.name for path in found] == [
        f"sub-02_task-faces_run-{run}_eeg.vhdr" for run in ("01", "02")
    ]
    with pytest.raises(RecordingError, match=r"no recording sub-03; it has subjects 01, 02;"):
        find_recordings(dataset, subject="03")


def test_a_dataset_without_recordings_is_refused(tmp_path: Path) -> None:
    (tmp_path / "dataset_description.json").write_text('{"Name": "x", "BIDSVersion": "1.8.0"}')
    with pytest.raises(RecordingError, match="is a BIDS dataset without EEG or MEG"):
        find_recordings(tmp_path)


def test_markers_are_those_of_the_events_table(dataset: Path, tmp_path: Path) -> None:
    (path,) = find_recordings(dataset, subject="01")
    assert has_events(path)
    events = path.with_name(path.name.replace("_eeg.vhdr", "_events.tsv"))
    before = events.read_text()
    events.write_text(before.replace("house", "castle"))
    source = RecordingSource(path)
    try:
        markers = []
        while (item := source.read()) is not None:
            if isinstance(item, Marker):
                markers.append((item.label, item.sample))
    finally:
        source.close()
        events.write_text(before)
    assert markers == [("face", 100), ("castle", 250), ("face", 400)]


def test_files_that_only_look_like_bids_are_read_as_they_are(tmp_path: Path) -> None:
    assert not has_events(tmp_path / "sub-01_task-x_eeg.vhdr")
    assert not has_events(tmp_path / "run1_eeg.vhdr")
