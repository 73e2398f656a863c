from __future__ import annotations

from pathlib import Path

import mne
import pytest

from streaming.errors import SourceError
from streaming.fif_header import FifChannel, read_fif_header, write_fif_header
from streaming.signal import SignalSpec

SPEC = SignalSpec(
    600.0, ("MEG0111", "MEG0112", "EEG001", "STI101"), ("mag", "grad", "eeg", "stim")
)


def test_mne_reads_what_is_written(tmp_path: Path) -> None:
    path = tmp_path / "header_raw.fif"
    path.write_bytes(write_fif_header(SPEC, ">"))
    info = mne.io.read_info(path)
    assert SignalSpec.from_info(info) == SPEC
    assert [c["unit"] for c in info["chs"]] == [112, 201, 107, -1]
    assert {c["cal"] * c["range"] for c in info["chs"]} == {1.0}


def test_what_mne_writes_is_read(tmp_path: Path) -> None:
    path = tmp_path / "header-info.fif"
    info = mne.create_info(
        ["MEG0111", "MEG0113", "Cz", "misc1"], 500.0, ["mag", "grad", "eeg", "misc"]
    )
    with info._unlock():
        info["chs"][0]["cal"] = 2e-11
    mne.io.write_info(path, info)
    mag, grad, eeg, misc = read_fif_header(path.read_bytes())
    assert (mag.name, mag.type, mag.unit) == ("MEG0111", "mag", "T")
    assert mag.cal == pytest.approx(2e-11)
    assert (grad.type, grad.unit, grad.cal) == ("grad", "T/m", 1.0)
    assert (eeg.type, eeg.unit) == ("eeg", "V")
    assert misc.type == "misc"


@pytest.mark.parametrize("order", ["<", ">"])
def test_both_orders_of_bytes_are_read(order: str) -> None:
    channels = read_fif_header(write_fif_header(SPEC, order))  # type: ignore[arg-type]
    assert channels[1] == FifChannel("MEG0112", "grad", "T/m", 1.0, 1.0)
    assert [c.type for c in channels] == list(SPEC.ch_types)


@pytest.mark.parametrize("n_bytes", [0, 3, 20, 200, 300])
def test_a_header_that_is_cut_off_is_refused(n_bytes: int) -> None:
    with pytest.raises(SourceError, match="channels where it announces"):
        read_fif_header(write_fif_header(SPEC)[:n_bytes])


def test_noise_is_refused() -> None:
    with pytest.raises(SourceError, match="describes 0 channels"):
        read_fif_header(bytes(range(256)) * 4)
