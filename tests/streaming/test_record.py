from __future__ import annotations

import errno
import os
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pylsl
import pytest
import pyxdf
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from streaming.errors import SessionError
from streaming.outlet import marker_xml, signal_xml
from streaming.record import XdfWriter
from streaming.signal import SignalSpec
from streaming.sources.source import ClockOffset, RawSamples, StreamHeader
from tests.examples import examples

FORMATS = ["float32", "double64", "int8", "int16", "int32", "int64"]


def _xml(name: str, fmt: str, n_channels: int = 2, sfreq: float = 250.0) -> str:
    info = pylsl.StreamInfo(name, "EEG", n_channels, sfreq, fmt, f"id-{name}")
    return str(info.as_xml())


def _load(path: Path, *, synchronize: bool = False) -> dict[str, Any]:
    streams, _ = pyxdf.load_xdf(
        path, synchronize_clocks=synchronize, dejitter_timestamps=False, verbose=False
    )
    return {s["info"]["name"][0]: s for s in streams}


def _data(fmt: str, n_times: int = 700) -> NDArray[np.generic]:
    dtype = np.dtype({"double64": "float64"}.get(fmt, fmt))
    raw = np.random.default_rng(0).bytes(n_times * 2 * dtype.itemsize)
    data: NDArray[np.generic] = np.nan_to_num(np.frombuffer(raw, dtype).reshape(n_times, 2))
    return data


@pytest.mark.parametrize("fmt", FORMATS)
@pytest.mark.parametrize("synchronize", [False, True])
def test_samples_are_read_back_bit_for_bit(tmp_path: Path, fmt: str, synchronize: bool) -> None:
    path = tmp_path / "raw.xdf"
    writer = XdfWriter(path)
    data, stamps = _data(fmt), 1e5 + np.arange(700) / 250.0
    writer(StreamHeader(1, _xml("signal", fmt)))
    for t in stamps[::100]:
        writer(ClockOffset(1, float(t) + 0.25, 0.25))
    for start, stop in [(0, 0), (0, 1), (1, 256), (256, 700)]:  # 1 and 4 bytes of length
        writer(RawSamples(1, stamps[start:stop], data[start:stop]))
        writer.flush()
    writer.close()
    writer.close()
    stream = _load(path, synchronize=synchronize)["signal"]
    assert stream["time_series"].dtype == data.dtype
    np.testing.assert_array_equal(stream["time_series"], data)
    if synchronize:
        np.testing.assert_allclose(stream["time_stamps"], stamps + 0.25, atol=1e-6)
    else:
        np.testing.assert_array_equal(stream["time_stamps"], stamps)
    np.testing.assert_allclose(stream["clock_times"], stamps[::100])
    footer = stream["footer"]["info"]
    assert footer["sample_count"] == ["700"]
    assert float(footer["first_timestamp"][0]) == stamps[0]
    assert float(footer["last_timestamp"][0]) == stamps[-1]


def test_markers_are_read_back(tmp_path: Path) -> None:
    path = tmp_path / "raw.xdf"
    writer = XdfWriter(path)
    labels = ["face", "", "H\u00e4user \U0001f3e0", "x" * 300]
    stamps = np.array([1.0, 1.5, 1.25, 7.0])
    writer(StreamHeader(1, signal_xml(SignalSpec(250.0, ("Cz",)), "eeg")))
    writer(StreamHeader(2, marker_xml("markers")))
    writer(RawSamples(2, stamps, labels))
    writer.close()
    stream = _load(path)["markers"]
    assert [row[0] for row in stream["time_series"]] == labels
    np.testing.assert_array_equal(stream["time_stamps"], stamps)


def test_markers_of_several_channels_are_read_back(tmp_path: Path) -> None:
    path = tmp_path / "raw.xdf"
    writer = XdfWriter(path)
    writer(StreamHeader(1, _xml("markers", "string", 2, 0.0)))
    writer(RawSamples(1, np.array([1.0, 2.0]), ["a", "b", "c", "d"]))
    writer.close()
    assert _load(path)["markers"]["time_series"] == [["a", "b"], ["c", "d"]]


def _session(path: Path) -> list[int]:
    """Write a session and return the size of the file after each flush."""
    writer, sizes = XdfWriter(path), []
    data, stamps = _data("float32", 600), 1e3 + np.arange(600) / 250.0
    writer(StreamHeader(1, _xml("signal", "float32")))
    writer(StreamHeader(2, marker_xml("markers")))
    for start in range(0, 600, 20):
        part = slice(start, start + 20)
        writer(RawSamples(1, stamps[part], data[part]))
        writer(RawSamples(2, stamps[start : start + 1], [f"m{start}"]))
        writer(ClockOffset(1, float(stamps[start]), 0.0))
        writer.flush()
        sizes.append(path.stat().st_size)
    writer.close()
    return sizes


def test_every_flush_leaves_a_readable_file(tmp_path: Path) -> None:
    sizes = _session(tmp_path / "raw.xdf")
    content = (tmp_path / "raw.xdf").read_bytes()
    data = _data("float32", 600)
    for n, size in enumerate(sizes, 1):
        (tmp_path / "cut.xdf").write_bytes(content[:size])
        streams = _load(tmp_path / "cut.xdf")
        np.testing.assert_array_equal(streams["signal"]["time_series"], data[: 20 * n])
        assert len(streams["markers"]["time_series"]) == n


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[int]]:
    path = tmp_path_factory.mktemp("session") / "raw.xdf"
    return path, _session(path)


@examples(100)
@given(share=st.floats(0, 1))
def test_a_file_cut_anywhere_keeps_what_was_flushed(
    session: tuple[Path, list[int]], share: float
) -> None:
    path, sizes = session
    content = path.read_bytes()
    cut = round(sizes[0] + share * (len(content) - sizes[0]))
    torn = path.with_name("torn.xdf")
    torn.write_bytes(content[:cut])
    try:
        streams = _load(torn)
    except struct.error:  # pyxdf itself gives up on a cut through a chunk's tag or an offset
        torn.write_bytes(content[: max(size for size in sizes if size <= cut)])
        streams = _load(torn)
    n_whole = 20 * sum(size <= cut for size in sizes)
    data = _data("float32", 600)
    np.testing.assert_array_equal(streams["signal"]["time_series"][:n_whole], data[:n_whole])


KILLED = """
import sys
import numpy as np
sys.path.insert(0, ".")
from streaming.record import XdfWriter
from streaming.sources.source import RawSamples, StreamHeader
from tests.streaming.test_record import _xml
writer = XdfWriter(sys.argv[1])
writer(StreamHeader(1, _xml("signal", "int64")))
n = 0
while True:
    rows = np.arange(n, n + 50)
    writer(RawSamples(1, rows / 250.0 + 1.0, np.stack([rows, -rows], axis=1)))
    writer.flush()
    n += 50
    if n == 5000:
        print("far", flush=True)
"""


def test_a_killed_process_leaves_a_readable_file(tmp_path: Path) -> None:
    path = tmp_path / "raw.xdf"
    command = [sys.executable, "-c", KILLED, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "far\n"
        process.kill()
    rows = _load(path)["signal"]["time_series"]
    assert len(rows) >= 5000
    np.testing.assert_array_equal(rows[:, 0], np.arange(len(rows)))
    np.testing.assert_array_equal(rows[:, 1], -rows[:, 0])


def test_a_recording_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "raw.xdf"
    path.write_bytes(b"precious")
    with pytest.raises(SessionError, match="never overwritten"):
        XdfWriter(path)
    assert path.read_bytes() == b"precious"


def test_a_folder_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(SessionError, match="cannot record"):
        XdfWriter(tmp_path / "none" / "raw.xdf")


def test_a_full_disk_is_said_once_and_the_file_stays_readable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "raw.xdf"
    writer = XdfWriter(path)
    data, stamps = _data("float32"), 1.0 + np.arange(700) / 250.0
    writer(StreamHeader(1, _xml("signal", "float32")))
    writer(RawSamples(1, stamps[:100], data[:100]))
    writer.flush()
    write, calls = os.write, []

    def full(fd: int, part: memoryview) -> int:
        calls.append(len(part))
        if len(calls) > 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(fd, part[:50])

    monkeypatch.setattr(os, "write", full)
    writer(RawSamples(1, stamps[100:], data[100:]))
    with pytest.raises(SessionError, match="No space left"):
        writer.flush()
    writer(RawSamples(1, stamps, data))
    writer.flush()
    writer.close()
    np.testing.assert_array_equal(_load(path)["signal"]["time_series"], data[:100])
