from __future__ import annotations

from pathlib import Path

import mne
import numpy as np
import pytest
from numpy.typing import NDArray

from models.channels import choose_channels
from streaming.chain import Chain
from streaming.errors import RecordingError

NAMES = ("Cz", "Pz", "Oz", "Fz", "VEOG")
TYPES = ("eeg", "eeg", "eeg", "eeg", "eog")


def recording(path: Path, spoil: dict[int, NDArray[np.float64]] | None = None) -> Path:
    data = 1e-5 * np.random.default_rng(0).standard_normal((5, 500))
    for row, values in (spoil or {}).items():
        data[row] = values
    info = mne.create_info(list(NAMES), 100.0, list(TYPES))
    mne.io.RawArray(data, info, verbose="error").save(path, verbose="error")
    return path


def pick(*names: str) -> Chain:
    return Chain.from_json([{"transform": "pick", "ch_names": list(names)}])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    copy = 1e-5 * np.random.default_rng(0).standard_normal((5, 500))[0]
    return recording(tmp_path / "one_raw.fif", {1: np.zeros(500), 2: copy})


def test_what_carries_nothing_of_its_own_is_left_out(path: Path) -> None:
    channels = choose_channels([path], "eeg", [])
    assert channels.spec.ch_names == ("Cz", "Fz")
    assert channels.left_out == {"Pz": "it is flat", "Oz": "it is a copy of Cz"}
    assert channels.whole.ch_names == NAMES


def test_a_chain_may_need_channels_of_another_type(path: Path) -> None:
    channels = choose_channels([path], "eeg", ["Fz"])
    needed = channels.needed_by(pick("Cz", "VEOG"))
    assert (needed.ch_names, needed.ch_types) == (("Cz", "VEOG"), ("eeg", "eog"))
    assert channels.needed_by(Chain([])) == channels.spec


@pytest.mark.parametrize(
    ("name", "why"), [("Pz", "it is flat"), ("EEG FZ", "named by the user")]
)
def test_a_chain_that_needs_what_is_left_out_is_refused(
    path: Path, name: str, why: str
) -> None:
    channels = choose_channels([path], "eeg", ["Fz"])
    with pytest.raises(RecordingError, match=rf"picks {name}, which is left out \({why}\)"):
        channels.needed_by(pick("Cz", name))


def test_no_channel_left_is_told(path: Path) -> None:
    with pytest.raises(RecordingError, match="every eeg channel is flat or left out"):
        choose_channels([path], "eeg", ["Cz", "Fz", "Oz"])
