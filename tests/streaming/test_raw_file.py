"""What is wrong or odd about a file that MNE is to read; see also test_recording.py."""

from __future__ import annotations

from pathlib import Path

import mne
import numpy as np
import pytest
import scipy.io

from streaming.errors import RecordingError
from streaming.sources.raw_file import open_raw


def raw(*ch_names: str) -> mne.io.RawArray:
    info = mne.create_info([*ch_names], 250.0, "eeg")
    return mne.io.RawArray(1e-5 * np.ones((len(ch_names), 1000)), info, verbose="ERROR")


@pytest.fixture
def brainvision(tmp_path: Path) -> Path:
    made = raw("Cz", "VEOG", "ECG", "EMG chin", "Counter")
    made.set_annotations(mne.Annotations([1.0], [0.0], ["face"]))
    mne.export.export_raw(tmp_path / "a.vhdr", made, verbose="ERROR")
    return tmp_path / "a.vhdr"


def test_types_are_those_of_labels_where_the_format_has_none(brainvision: Path) -> None:
    assert open_raw(brainvision).get_channel_types() == ["eeg", "eog", "ecg", "emg", "misc"]


def test_types_that_a_format_has_are_kept(tmp_path: Path) -> None:
    raw("Cz", "VEOG").save(tmp_path / "a_raw.fif", verbose="ERROR")
    assert open_raw(tmp_path / "a_raw.fif").get_channel_types() == ["eeg", "eeg"]


@pytest.mark.parametrize("end", [".eeg", ".vmrk"])
def test_the_header_is_named_where_a_file_beside_it_was(brainvision: Path, end: str) -> None:
    with pytest.raises(RecordingError, match=r"is read with its header: name .*a\.vhdr"):
        open_raw(brainvision.with_suffix(end))


def test_a_recording_without_its_markers_is_read_and_that_said(
    brainvision: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert len(open_raw(brainvision).annotations) == 1
    assert caplog.text == ""
    brainvision.with_suffix(".vmrk").unlink()
    assert len(open_raw(brainvision).annotations) == 0
    assert "has no markers without a.vmrk: copy that, too" in caplog.text


def test_what_is_no_continuous_recording_is_called_so(tmp_path: Path) -> None:
    epochs = mne.make_fixed_length_epochs(raw("Cz", "Pz"), preload=True, verbose="ERROR")
    epochs.save(tmp_path / "a-epo.fif", verbose="ERROR")
    with pytest.raises(RecordingError, match="no continuous recording"):
        open_raw(tmp_path / "a-epo.fif")
    scipy.io.savemat(tmp_path / "a.mat", {"data": np.ones((2, 3))})
    with pytest.raises(RecordingError, match="has a format that MNE does not read"):
        open_raw(tmp_path / "a.mat")


def test_channels_that_are_marked_as_bad_are_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made = raw("Cz", "Pz")
    made.info["bads"] = ["Pz"]
    made.save(tmp_path / "a_raw.fif", verbose="ERROR")
    open_raw(tmp_path / "a_raw.fif")
    assert "Pz marked as bad in the file are read like others" in caplog.text
