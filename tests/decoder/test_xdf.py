from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from decoder.xdf import copy_anonymised, read_samples, read_streams
from streaming.errors import SessionError
from streaming.outlet import StreamDescription, to_xml
from streaming.record import XdfWriter
from streaming.sources.source import RawSamples, StreamHeader
from streaming.sources.xdf import XdfSource


@pytest.mark.parametrize("late", ["0.125", "Ada"])
def test_what_timestamps_mean_is_kept_and_names_are_not(tmp_path: Path, late: str) -> None:
    channel = ("channel", (("label", "Cz"), ("unit", "uV"), ("type", "EEG"), ("serial", "Ada")))
    desc = (("synchronization", (("offset_mean", late),)), ("channels", (channel,)))
    said = StreamDescription("Ada", "EEG", 1, 100.0, "float32", "Ada", desc)
    writer = XdfWriter(tmp_path / "one.xdf")
    writer(StreamHeader(1, to_xml(said)))
    writer(RawSamples(1, 10 + np.arange(500) / 100, np.ones((500, 1), np.float32)))
    writer.close()
    copy_anonymised(tmp_path / "one.xdf", tmp_path / "copy.xdf")
    assert b"Ada" not in (tmp_path / "copy.xdf").read_bytes()
    first = XdfSource(tmp_path / "copy.xdf").read()
    assert first is not None
    assert first.t0 == pytest.approx(10 - (0.125 if late == "0.125" else 0.0))  # type: ignore[union-attr]


def two_streams(path: Path) -> dict[int, NDArray[Any]]:
    """Record numbers of two types, text between them, in blocks of many sizes."""
    rng = np.random.default_rng(0)
    writer = XdfWriter(path)
    sent: dict[int, list[NDArray[Any]]] = {1: [], 2: []}
    for number, (kind, n_channels) in enumerate((("float32", 3), ("int16", 2)), 1):
        said = StreamDescription("s", "EEG", n_channels, 100.0, kind, "s")
        writer(StreamHeader(number, to_xml(said)))
    said = StreamDescription("m", "Markers", 1, 0.0, "string", "m")
    writer(StreamHeader(3, to_xml(said)))
    for n_times in (1, 255, 256, 300):
        t = np.arange(n_times) / 100
        for number, data in (
            (1, rng.standard_normal((n_times, 3)).astype(np.float32)),
            (2, rng.integers(-9, 9, (n_times, 2)).astype(np.int16)),
        ):
            writer(RawSamples(number, t, data))
            sent[number].append(data)
        writer(RawSamples(3, t[:1], ["label"]))
    writer.close()
    return {number: np.concatenate(parts) for number, parts in sent.items()}


def test_samples_are_read_in_blocks_as_they_were_sent(tmp_path: Path) -> None:
    sent = two_streams(tmp_path / "one.xdf")
    streams = read_streams(tmp_path / "one.xdf")
    assert {n: s.n_channels for n, s in streams.items()} == {1: 3, 2: 2}
    assert (streams[1].type, streams[1].sfreq) == ("EEG", 100.0)
    for number in (1, 2):
        blocks = list(read_samples(tmp_path / "one.xdf", {number: streams[number]}))
        assert {n for n, _ in blocks} == {number}
        got = np.concatenate([rows for _, rows in blocks])
        assert got.dtype == sent[number].dtype
        np.testing.assert_array_equal(got, sent[number])


def test_a_torn_end_is_left_out_wherever_it_is_torn(tmp_path: Path) -> None:
    sent = two_streams(tmp_path / "one.xdf")[1]
    content = (tmp_path / "one.xdf").read_bytes()
    torn = tmp_path / "torn.xdf"
    lengths = set()
    for length in range(len(content) - 1, 0, -97):
        torn.write_bytes(content[:length])
        streams = {n: s for n, s in read_streams(torn).items() if n == 1}
        got = [rows for _, rows in read_samples(torn, streams)]
        n_rows = sum(map(len, got))
        if got:
            np.testing.assert_array_equal(np.concatenate(got), sent[:n_rows])
        lengths.add(n_rows)
    assert lengths == {0, 1, 256, 512, 812}


def test_recordings_of_other_programs_are_refused(tmp_path: Path) -> None:
    two_streams(tmp_path / "one.xdf")
    path = tmp_path / "one.xdf"
    streams = read_streams(path)
    # other programs leave out timestamps that can be computed
    path.write_bytes(path.read_bytes().replace(struct.pack("<Bd", 8, 0.0), bytes(9)))
    with pytest.raises(SessionError, match="not recorded by braincast"):
        list(read_samples(path, streams))
