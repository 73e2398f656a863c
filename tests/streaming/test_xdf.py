from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import mne
import numpy as np
import pytest
import pyxdf

from streaming.errors import ConfigError, RecordingError, UnitError
from streaming.outlet import describe_signal, marker_xml, signal_xml
from streaming.record import XdfWriter
from streaming.replay import play
from streaming.signal import Chunk, Gap, Marker, SignalSpec, SourceState
from streaming.sources.opening import open_playable, open_recording
from streaming.sources.recording import RecordingSource
from streaming.sources.source import Item, RawSamples, Source, StreamHeader
from streaming.sources.xdf import XdfPlayable, XdfSource
from streaming.sources.xdf_file import read_xdf
from tests.recordings import recordings
from tests.streaming.loopback import receive

SPEC = SignalSpec(100.0, ("Cz", "Pz"))


def _read(source: Source) -> list[Item]:
    items: list[Item] = []
    while (item := source.read(0.0)) is not None:
        items.append(item)
    return items


def _of(items: list[Item], kind: type) -> list[Item]:
    return [item for item in items if isinstance(item, kind)]


def _write(path: Path, stamps: np.ndarray, markers: dict[float, str] | None = None) -> Path:
    """Write a recording of which each sample is its index."""
    writer = XdfWriter(path)
    writer(StreamHeader(1, signal_xml(SPEC, "some")))
    writer(StreamHeader(2, marker_xml("some markers")))
    rows = np.arange(len(stamps), dtype=np.float32)[:, None].repeat(2, axis=1)
    writer(RawSamples(1, stamps, rows))
    for t, label in (markers or {}).items():
        writer(RawSamples(2, np.array([t]), [label]))
    writer.close()
    return path


@pytest.mark.parametrize("name", ["minimal", "clock_resets", "empty_streams", "switch_example"])
def test_every_stream_is_there_as_pyxdf_reads_it(name: str) -> None:
    (path,) = recordings(f"xdf/{name}.xdf")
    truth, _ = pyxdf.load_xdf(path, dejitter_timestamps=False)
    found = XdfPlayable(path)
    blocks = list(found.blocks())
    origin = min(s["time_stamps"].min() for s in truth if len(s["time_stamps"]))
    for n, (stream, d) in enumerate(zip(truth, found.streams, strict=True)):
        info = stream["info"]
        assert (d.name, d.type) == (info["name"][0], info["type"][0])
        assert (d.n_channels, d.sfreq) == (
            int(info["channel_count"][0]),
            float(info["nominal_srate"][0]),
        )
        assert d.channel_format == info["channel_format"][0]
        assert d.source_id
        mine = [block for block in blocks if block.stream == n]
        rows = [row for block in mine for row in block.rows]
        assert len(rows) == len(stream["time_series"])
        if rows:
            np.testing.assert_array_equal(np.array(rows), np.array(stream["time_series"]))
            t = np.concatenate([block.t for block in mine])
            np.testing.assert_allclose(t, stream["time_stamps"] - origin, atol=1e-9)
            assert all(np.ptp(block.t) < 1.0 + 1e-9 for block in mine)


def test_descriptions_are_kept() -> None:
    (path,) = recordings("xdf/switch_example.xdf")
    described = next(s.description for s in read_xdf(path)[0] if s.description.type == "EEG")
    assert described.channels()[:2] == [
        ("F3", "EEG", "microvolts"),
        ("Fz", "EEG", "microvolts"),
    ]
    assert [tag for tag, _ in described.desc] == ["channels", *dict(described.desc)][1:]


def test_what_is_received_is_what_is_in_the_file() -> None:
    (path,) = recordings("xdf/switch_example.xdf")
    playable = open_playable(path, start=20.0, stop=24.0)
    blocks = list(playable.blocks())
    rows = [[r for b in blocks if b.stream == n for r in b.rows] for n in range(3)]
    t = [np.concatenate([b.t for b in blocks if b.stream == n]) for n in range(3)]
    ids = [d.source_id for d in playable.streams]
    assert len(rows[1]) == 1024
    got = receive(
        lambda: play([playable], speed=4.0, wait_for_consumer=20),
        dict(zip(ids, map(len, rows), strict=True)),
    )
    t_0 = got[ids[1]].stamps[0] - t[1][0]
    for n, source_id in enumerate(ids):
        np.testing.assert_array_equal(np.array(got[source_id].rows), np.array(rows[n]))
        np.testing.assert_allclose(got[source_id].stamps - t_0, t[n], atol=1e-9)
    info = got[ids[1]].info
    assert (info.name(), info.source_id()) == ("g.USBamp-1", "gUSBamp_1_UB-2016.05.45")
    assert info.get_channel_labels()[:3] == ["F3", "Fz", "F4"]


def test_a_source_is_the_signal_in_volts_with_its_markers() -> None:
    (path,) = recordings("xdf/switch_example.xdf")
    truth = {
        s["info"]["name"][0]: s for s in pyxdf.load_xdf(path, dejitter_timestamps=False)[0]
    }
    source = open_recording(path)
    items = _read(source)
    data = np.concatenate([i.data for i in items if isinstance(i, Chunk)], axis=1)
    signal = truth["g.USBamp-1"]
    np.testing.assert_allclose(data.T, signal["time_series"] * 1e-6, rtol=1e-6)
    assert not _of(items, Gap)
    labels = [
        row[0]
        for name in ("PythonResponse", "UnityMarkerStream")
        for row in truth[name]["time_series"]
    ]
    markers = [i for i in items if isinstance(i, Marker)]
    assert sorted(m.label for m in markers) == sorted(labels)
    off = [
        m.t - signal["time_stamps"][m.sample]
        for m in markers
        if 0 <= m.sample < len(signal["time_stamps"])
    ]
    assert np.abs(off).max() < 0.004  # a sample
    assert isinstance(items[-1], SourceState)
    assert items[-1].state == "ended"


def test_a_hole_in_the_timestamps_is_a_gap_and_a_pause(tmp_path: Path) -> None:
    stamps = 50.0 + np.arange(400) / 100.0
    stamps[200:] += 3.0
    path = _write(tmp_path / "a.xdf", stamps, {51.0: "a", 56.0: "b"})
    items = _read(XdfSource(path))
    (gap,) = [i for i in items if isinstance(i, Gap)]
    assert (gap.t, gap.duration) == pytest.approx((52.0, 3.0), abs=0.02)
    markers = [i for i in items if isinstance(i, Marker)]
    assert [(m.label, m.segment, m.sample) for m in markers] == [("a", 0, 100), ("b", 1, 100)]
    data = np.concatenate([i.data for i in items if isinstance(i, Chunk)], axis=1)
    np.testing.assert_array_equal(data[0], np.arange(400))
    t = np.concatenate([block.t for block in XdfPlayable(path).blocks() if block.stream == 0])
    np.testing.assert_allclose(t, stamps - 50.0, atol=1e-9)


def test_a_recording_of_ours_reads_the_same_as_what_it_was_made_from(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    raw = mne.io.RawArray(
        1e-5 * rng.standard_normal((2, 1000)),
        mne.create_info(["Cz", "Pz"], 100.0, "eeg"),
        verbose="ERROR",
    )
    raw.set_annotations(mne.Annotations([1.0, 7.77], 0.0, ["a", "b"]))
    raw.save(tmp_path / "one_raw.fif", verbose="ERROR")
    writer = XdfWriter(tmp_path / "raw.xdf")
    truth = _read(RecordingSource(tmp_path / "one_raw.fif", tap=writer))
    writer.close()
    source = open_recording(tmp_path / "raw.xdf")
    items = _read(source)
    assert source.spec == SPEC
    whole = [
        np.concatenate([i.data for i in each if isinstance(i, Chunk)], axis=1)
        for each in (truth, items)
    ]
    np.testing.assert_array_equal(whole[0], whole[1])
    places = [
        [(m.label, m.segment, m.sample) for m in each if isinstance(m, Marker)]
        for each in (truth, items)
    ]
    assert places[0] == places[1]


@pytest.mark.parametrize(
    ("said", "session"),
    [
        (None, ""),
        (b"<info></info>", ""),
        (b"<info><session>S</session></info>", "S"),
        (b"<info><session><a>1</a></session></info>", ""),
        (b"<info><session>S</session><session>T</session></info>", ""),
    ],
)
def test_the_header_of_a_file_may_name_its_session(
    said: bytes | None, session: str, tmp_path: Path
) -> None:
    path = _write(tmp_path / "raw.xdf", np.arange(100) / 100)
    content = path.read_bytes()
    after = 4 + 2 + content[5]  # the magic word, and a chunk with its length
    header = b"" if said is None else bytes([1, 2 + len(said), 1, 0]) + said
    path.write_bytes(content[:4] + header + content[after:])
    streams, found = read_xdf(path)
    assert found == session
    assert [len(stream.t) for stream in streams] == [100, 0]


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf, 1e300, -1e300, 1.7e9])
def test_what_bears_no_time_of_the_signal_is_left_out_and_said(
    odd: float, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stamps = 50.0 + np.arange(400) / 100.0
    stamps[[100, 399]] = odd
    path = _write(tmp_path / "a.xdf", stamps, {51.5: "a", odd: "b"})
    found = XdfPlayable(path)
    assert found.duration == pytest.approx(3.98)
    assert [len(b.t) for b in found.blocks() if b.stream == 1] == [1]
    assert sum(len(b.t) for b in found.blocks() if b.stream == 0) == 398
    assert "2 of 400 samples of 'some' are left out" in caplog.text
    assert "1 of 2 samples of 'some markers' are left out" in caplog.text
    items = _read(XdfSource(path))
    (marker,) = [i for i in items if isinstance(i, Marker)]
    assert (marker.label, marker.sample) == ("a", 150)
    assert sum(i.data.shape[1] for i in items if isinstance(i, Chunk)) == 400


def test_a_recording_that_ends_within_a_chunk_is_read_up_to_there(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stamps = 50.0 + np.arange(400) / 100.0
    path = _write(tmp_path / "a.xdf", stamps, {51.5: "a"})
    whole = path.read_bytes()
    for n in range(len(whole) - 1, len(whole) - 40, -1):
        path.write_bytes(whole[:n])
        (signal, _), _ = read_xdf(path)
        assert len(signal.t) == 400
    assert all(record.exc_info is None for record in caplog.records)


def test_what_cannot_be_used_is_one_line(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.xdf", np.arange(1, 101) / 100.0)
    empty = _write(tmp_path / "b.xdf", np.empty(0))
    cases: list[tuple[type[Exception], str, Callable[[], object]]] = [
        (ConfigError, "keep the names", lambda: open_playable(path, name="x")),
        (RecordingError, "no sample from 5", lambda: open_playable(path, start=5.0)),
        (RecordingError, "there is no recording", lambda: read_xdf(tmp_path / "none.xdf")),
        (RecordingError, "no samples in any", lambda: read_xdf(empty)),
    ]
    for error, said, call in cases:
        with pytest.raises(error) as caught:
            call()
        assert said in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_recording_needs_a_unit_and_one_signal() -> None:
    (path,) = recordings("xdf/clock_resets.xdf")
    with pytest.raises(UnitError, match="no unit"):
        XdfSource(path)
    assert XdfSource(path, unit="uV").spec.sfreq == 100.0


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9, 0.999])
def test_a_recording_that_was_cut_off_is_read_as_far_as_it_goes(
    tmp_path: Path, share: float
) -> None:
    (path,) = recordings("xdf/switch_example.xdf")
    content = path.read_bytes()
    cut = tmp_path / "cut.xdf"
    cut.write_bytes(content[: round(share * len(content))])
    rows = next(s.rows for s in read_xdf(cut)[0] if s.description.type == "EEG")
    whole = next(s.rows for s in read_xdf(path)[0] if s.description.type == "EEG")
    assert len(rows) > 0.9 * share * len(whole)
    np.testing.assert_array_equal(np.asarray(rows), np.asarray(whole)[: len(rows)])


def test_the_first_channels_of_a_description() -> None:
    d = describe_signal(SPEC, "some").first_channels(1)
    assert d.channels() == [("Cz", "EEG", "V")]
    assert d.n_channels == 1


def test_several_signals_are_joined_and_chosen_by_name(tmp_path: Path) -> None:
    path, n = tmp_path / "two.xdf", np.arange(2000)
    writer = XdfWriter(path)
    for number, (name, label, start) in enumerate(
        [("left", "Cz", 0.0), ("right", "Pz", 0.0015), ("third", "Oz", 0.0)], 1
    ):
        spec = SignalSpec(250.0, (label,))
        writer(StreamHeader(number, signal_xml(spec, name)))
        t = 10 + start + n / 250.0
        wave = np.sin(2 * np.pi * 5 * t)[:, None].astype(np.float32)
        writer(RawSamples(number, t, wave))
    writer(StreamHeader(4, marker_xml("m")))
    writer(RawSamples(4, np.array([14.0]), ["here"]))
    writer.close()
    with pytest.raises(RecordingError, match=r"has 3 signals, .* said with --stream"):
        XdfSource(path)
    with pytest.raises(RecordingError, match="0 signals called 'x'"):
        XdfSource(path, streams=["left", "x"])
    source = XdfSource(path, streams=["right", "left"])
    assert source.spec.ch_names == ("Pz", "Cz")
    assert source.info["ch_names"] == ["Pz", "Cz"]
    items = []
    while (item := source.read()) is not None:
        items.append(item)
    chunks = [item for item in items if isinstance(item, Chunk)]
    data = np.concatenate([chunk.data for chunk in chunks], axis=1)
    assert data.shape[1] > 1990
    np.testing.assert_allclose(data[0, 300:], data[1, 300:], atol=2e-3)
    (marker,) = (item for item in items if isinstance(item, Marker))
    assert abs(marker.sample + round((chunks[0].t0 - 10) * 250) - 1000) <= 1
    assert [i.state for i in items if isinstance(i, SourceState)] == ["ended"]
