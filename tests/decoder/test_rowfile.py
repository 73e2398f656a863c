from __future__ import annotations

from pathlib import Path

import mne
import numpy as np
import pytest

from decoder import rowfile
from decoder.rowfile import RowWriter
from decoder.rowraw import rows_as_raw

DATA = np.random.default_rng(0).standard_normal((3, 500)).astype(np.float32)


def test_what_is_written_anywhere_is_read_there_and_the_rest_is_zero(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with RowWriter(tmp_path / "rows", 3) as writer:
        writer.append(DATA[:, :100])
        writer.append(DATA[:, 100:200])
        writer.put(300, DATA[:, 300:])
        writer.put(250, DATA[:, 250:260])
    rows = writer.close()
    expected = DATA.copy()
    expected[:, 200:250] = expected[:, 260:300] = 0
    assert rows.n_rows == 500
    np.testing.assert_array_equal(rows.read(0, 500), expected)
    np.testing.assert_array_equal(rows.read(-5, 7), expected[:, :7])
    np.testing.assert_array_equal(rows.read(490, 999), expected[:, 490:])
    assert rows.read(600, 700).shape == (3, 0)
    monkeypatch.setattr(rowfile, "_BLOCK", 100)
    blocks = list(rows.blocks(10, 480))
    assert [first for first, _ in blocks][:3] == [10, 43, 76]
    np.testing.assert_array_equal(
        np.concatenate([b for _, b in blocks], 1), expected[:, 10:480]
    )


def test_mne_reads_what_it_needs(tmp_path: Path) -> None:
    with RowWriter(tmp_path / "rows", 3) as writer:
        writer.append(DATA)
    raw = rows_as_raw(writer.close(), mne.create_info(["a", "b", "c"], 100.0, "mag"))
    np.testing.assert_array_equal(raw.get_data(), DATA)
    np.testing.assert_array_equal(raw.copy().get_data([2, 0], 130, 177), DATA[[2, 0], 130:177])
    raw.save(tmp_path / "one_raw.fif", verbose="error")
    again = mne.io.read_raw_fif(tmp_path / "one_raw.fif", verbose="error")
    np.testing.assert_allclose(again.get_data(), DATA, rtol=1e-7)
