from __future__ import annotations

from pathlib import Path

import pytest

from decoder.recordings import listed
from streaming.errors import ConfigError
from tests.streaming.test_bids import write


def test_a_dataset_stands_for_its_recordings(tmp_path: Path) -> None:
    root, other = tmp_path / "bids", tmp_path / "other.fif"
    for subject in ("01", "02"):
        write(root, subject)
    names = [path.name for path in listed([root, other])]
    assert names == [f"sub-{n}_task-faces_run-01_eeg.vhdr" for n in ("01", "02")] + [
        "other.fif"
    ]
    assert len(listed([root], subject="02", task="faces")) == 1
    with pytest.raises(ConfigError, match=r"choose from a BIDS dataset, and .*fif is none"):
        listed([other], subject="01")
