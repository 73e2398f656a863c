from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import mne
import numpy as np
import pytest
import scipy.io
from numpy.typing import NDArray

from streaming.errors import RecordingError
from streaming.signal import Chunk, Gap, Marker, SourceState
from streaming.sources.opening import open_recording
from streaming.sources.recording import RecordingSource
from streaming.sources.source import ClockOffset, Item, RawSamples, StreamHeader
from tests.recordings import DATA

SFREQ = 100.0
RNG = np.random.default_rng(0)
DATE = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)


def _raw(
    n_times: int = 1000,
    notes: dict[float, str] | None = None,
    date: dt.datetime | None = None,
    first_samp: int = 0,
) -> mne.io.BaseRaw:
    info = mne.create_info(["Cz", "EOG", "STI"], SFREQ, ["eeg", "eog", "stim"])
    data = (1e-5 * RNG.standard_normal((3, n_times))).astype(np.float32)
    raw = mne.io.RawArray(data, info, first_samp=first_samp, verbose="ERROR")
    raw.set_meas_date(date)
    onsets = list(notes or {})
    raw.set_annotations(
        mne.Annotations(onsets, [0.0] * len(onsets), list((notes or {}).values()))
    )
    return raw


def _save(raw: mne.io.BaseRaw, folder: Path) -> Path:
    path = folder / "some_raw.fif"
    raw.save(path, overwrite=True, verbose="ERROR")
    return path


def _read(source: RecordingSource) -> list[Item]:
    items: list[Item] = []
    while (item := source.read()) is not None:
        items.append(item)
    return items


def _samples(items: list[Item]) -> NDArray[np.float32]:
    return np.concatenate([i.data for i in items if isinstance(i, Chunk)], axis=-1)


def test_all_samples_come_once_in_order_as_they_are(tmp_path: Path) -> None:
    raw = _raw(1234)
    source = RecordingSource(_save(raw, tmp_path))
    items = _read(source)
    np.testing.assert_array_equal(_samples(items), raw.get_data().astype(np.float32))
    chunks = [i for i in items if isinstance(i, Chunk)]
    assert [c.first for c in chunks] == list(np.cumsum([0] + [c.n_times for c in chunks[:-1]]))
    assert source.spec.ch_types == ("eeg", "eog", "stim")
    assert isinstance(items[-1], SourceState)
    assert items[-1].state == "ended"
    assert items[-1].t == pytest.approx(12.34)


@pytest.mark.parametrize("date", [None, DATE])
@pytest.mark.parametrize("first_samp", [0, 317])
@pytest.mark.parametrize("crop", [0.0, 2.5])
def test_a_marker_is_at_its_sample_also_in_a_cropped_recording(
    tmp_path: Path, date: dt.datetime | None, first_samp: int, crop: float
) -> None:
    raw = _raw(date=date, first_samp=first_samp)
    raw._data[0] = 0.0
    raw._data[0, [400, 731]] = 1.0  # the truth: where the signal itself jumps
    raw.set_annotations(mne.Annotations([4.0, 7.31], 0.0, ["a", "b"])).crop(crop)
    items = _read(RecordingSource(_save(raw, tmp_path)))
    markers = [i for i in items if isinstance(i, Marker)]
    assert [m.label for m in markers] == ["a", "b"]
    jumps = np.flatnonzero(_samples(items)[0])
    assert [m.sample for m in markers] == list(jumps)
    assert [m.t for m in markers] == pytest.approx(jumps / SFREQ)


@pytest.mark.parametrize("first_samp", [0, 317])
def test_a_part_is_what_lies_between_start_and_stop(tmp_path: Path, first_samp: int) -> None:
    raw = _raw(first_samp=first_samp)
    notes = mne.Annotations([2.0, 3.5, 5.99, 6.0], [3.0, 0.0, 0.0, 1.0], ["a", "b", "c", "d"])
    path = _save(raw.set_annotations(notes), tmp_path)
    items = _read(RecordingSource(path, start=3.0, stop=6.0))
    np.testing.assert_array_equal(
        _samples(items), raw.get_data()[:, 300:600].astype(np.float32)
    )
    markers = [i for i in items if isinstance(i, Marker)]
    assert [(m.label, m.sample) for m in markers] == [("b", 50), ("c", 299)]
    whole = _read(RecordingSource(path, start=0.0, stop=99.0))
    assert _samples(whole).shape[1] == 1000
    for start, stop in [(10.0, 20.0), (3.0, 3.0), (-1.0, 2.0), (5.0, 4.0)]:
        with pytest.raises(RecordingError, match=r"no sample from .* 10\.0 s long"):
            RecordingSource(path, start=start, stop=stop)


def test_a_recording_of_eeglab_is_in_volts_with_its_events(tmp_path: Path) -> None:
    data = (10 * RNG.standard_normal((2, 500))).astype(np.float32)
    kinds = [("labels", object), ("type", object)]
    event_kinds = [("type", object), ("latency", object), ("duration", object)]
    content = {
        "setname": "a",
        "nbchan": 2.0,
        "pnts": 500.0,
        "trials": 1.0,
        "srate": 100.0,
        "xmin": 0.0,
        "xmax": 4.99,
        "data": data,
        "chaninfo": {"nosedir": "+X"},
        "chanlocs": np.array([("Cz", "EEG"), ("Pz", "EEG")], dtype=kinds),
        "event": np.array([("face", 101.0, 0.0), ("house", 301.0, 0.0)], dtype=event_kinds),
        **{key: [] for key in ("icawinv", "icaweights", "icasphere", "epoch", "urevent")},
    }
    scipy.io.savemat(tmp_path / "a.set", {"EEG": content}, appendmat=False)
    source = RecordingSource(tmp_path / "a.set")
    items = _read(source)
    assert source.spec.ch_names == ("Cz", "Pz")
    np.testing.assert_allclose(_samples(items), 1e-6 * data, rtol=1e-6)
    markers = [(i.label, i.sample) for i in items if isinstance(i, Marker)]
    assert markers == [("face", 100), ("house", 300)]


def test_a_split_recording_is_read_to_its_end(tmp_path: Path) -> None:
    raw = _raw(300_000, {2500.0: "late"})
    path = tmp_path / "some_raw.fif"
    raw.save(path, split_size="2MB", verbose="ERROR")
    assert len(list(tmp_path.glob("*.fif"))) > 1
    items = _read(RecordingSource(path))
    np.testing.assert_array_equal(_samples(items), raw.get_data().astype(np.float32))
    assert [i.sample for i in items if isinstance(i, Marker)] == [250_000]


@pytest.mark.parametrize("naming", ["neuromag", "bids"])
def test_a_later_part_is_refused_for_its_samples_would_be_there_twice(
    tmp_path: Path, naming: str
) -> None:
    _raw(300_000, {}).save(
        tmp_path / "some_raw.fif", split_size="2MB", split_naming=naming, verbose="ERROR"
    )
    ends = {"neuromag": ("", "-1"), "bids": ("_split-01", "_split-02")}[naming]
    first, second = (
        tmp_path / (f"some_raw{end}.fif" if naming == "neuromag" else f"some{end}_raw.fif")
        for end in ends
    )
    assert RecordingSource(first).n_times == 300_000
    with pytest.raises(
        RecordingError, match=f"is a part of {first.name}.*name {first.name} alone"
    ):
        RecordingSource(second)
    first.unlink()  # alone it is a recording
    assert 0 < RecordingSource(second).n_times < 300_000


def test_one_whose_name_ends_as_a_part_is_none_for_that(tmp_path: Path) -> None:
    for name in ("day_raw.fif", "day_raw-2.fif"):
        _raw(300, {}).save(tmp_path / name, verbose="ERROR")
    assert RecordingSource(tmp_path / "day_raw-2.fif").n_times == 300


def test_a_marker_comes_before_the_chunk_with_its_sample(tmp_path: Path) -> None:
    source = RecordingSource(_save(_raw(notes={0.0: "a", 3.21: "b", 9.99: "c"}), tmp_path))
    assert source.labels == ("a", "b", "c")
    n_read, seen = 0, []
    for item in _read(source):
        if isinstance(item, Marker):
            assert n_read <= item.sample
            seen.append(item.label)
        elif isinstance(item, Chunk):
            n_read += item.n_times
    assert seen == ["a", "b", "c"]


def test_only_the_words_bad_and_edge_are_no_markers(tmp_path: Path) -> None:
    notes = {1.0: "badger", 2.0: "BAD", 3.0: "bad_muscle", 4.0: "Edgeware", 5.0: "EDGE 1"}
    assert RecordingSource(_save(_raw(notes=notes), tmp_path)).labels == ("badger", "Edgeware")


def test_a_boundary_ends_the_segment_and_is_no_marker(tmp_path: Path) -> None:
    raw = _raw(300, {1.0: "a", 2.0: "BAD_blink"})
    raw.append(_raw(300, {1.0: "b", 1.5: "bad blink"}))
    assert {"BAD boundary", "EDGE boundary"} < set(raw.annotations.description)
    items = _read(RecordingSource(_save(raw, tmp_path)))
    gaps = [i for i in items if isinstance(i, Gap)]
    assert [(g.t, g.duration, g.reason) for g in gaps] == [(3.0, 0.0, "lost")]
    markers = [i for i in items if isinstance(i, Marker)]
    assert [(m.label, m.segment, m.sample) for m in markers] == [("a", 0, 100), ("b", 1, 100)]
    after = next(i for i in items if isinstance(i, Chunk) and i.segment == 1)
    assert after.first == 0
    assert after.t0 == pytest.approx(3.0)


def test_what_was_not_acquired_is_a_gap_with_its_duration(tmp_path: Path) -> None:
    raw = _raw(600)
    raw.set_annotations(mne.Annotations([2.0, 2.5], [1.5, 0.0], ["BAD_ACQ_SKIP", "x"]))
    items = _read(RecordingSource(_save(raw, tmp_path)))
    assert [(g.t, g.duration) for g in items if isinstance(g, Gap)] == [(2.0, 1.5)]
    assert _samples(items).shape[1] == 600 - 150
    (marker,) = (i for i in items if isinstance(i, Marker))
    assert (marker.segment, marker.sample) == (1, -100)


def test_the_tap_gets_every_row_before_its_chunk(tmp_path: Path) -> None:
    seen: list[StreamHeader | RawSamples | ClockOffset] = []
    raw = _raw(notes={1.0: "a"})
    source = RecordingSource(_save(raw, tmp_path), tap=seen.append)
    n_read = 0
    while (item := source.read()) is not None:
        n_read += item.n_times if isinstance(item, Chunk) else 0
        rows = [s for s in seen if isinstance(s, RawSamples) and s.stream_id == 1]
        assert sum(len(r.timestamps) for r in rows) >= n_read
    headers = [s for s in seen if isinstance(s, StreamHeader)]
    assert [h.stream_id for h in headers] == [1, 2]
    assert "<label>Cz</label>" in headers[0].info_xml
    np.testing.assert_array_equal(
        np.concatenate([r.data for r in rows]).T, raw.get_data().astype(np.float32)
    )
    assert [s.data for s in seen if isinstance(s, RawSamples) and s.stream_id == 2] == [["a"]]


def _missing(folder: Path) -> Path:
    return folder / "none_raw.fif"


def _empty(folder: Path) -> Path:
    path = folder / "empty_raw.fif"
    path.touch()
    return path


def _noise(suffix: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = folder / f"noise{suffix}"
        path.write_bytes(np.random.default_rng(1).bytes(5000))
        return path

    return make


def _no_signal(folder: Path) -> Path:
    return _save(_raw().pick(["STI"]), folder)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (_missing, "there is no recording"),
        (_empty, "empty"),
        (_noise("_raw.fif"), "cannot be read"),
        (_noise(".edf"), "cannot be read"),
        (_noise(".bdf"), "cannot be read"),
        (_noise(".vhdr"), "cannot be read"),
        (_noise(".set"), "cannot be read"),
        (_noise(".cnt"), "cannot be read"),
        (_noise(".sqd"), "cannot be read"),
        (_noise(".foo"), "a format that MNE does not read"),
        (_noise(""), "a format that MNE does not read"),
        (_noise(".xdf"), "cannot be read"),
        (_no_signal, "no signal"),
    ],
)
def test_a_bad_file_is_one_line_with_a_fix(
    tmp_path: Path, make: Callable[[Path], Path], said: str
) -> None:
    path = make(tmp_path)
    with pytest.raises(RecordingError) as error:
        open_recording(path)
    message = str(error.value)
    assert said in message
    assert str(path) in message
    assert "\n" not in message


@pytest.mark.parametrize("name", ["fif", "test.edf", "test.bdf"])
@pytest.mark.parametrize("share", [0.01, 0.3, 0.6, 0.99])
def test_a_recording_that_was_cut_off_is_refused_or_read_as_far_as_it_goes(
    tmp_path: Path, name: str, share: float
) -> None:
    path = _save(_raw(5000), tmp_path) if name == "fif" else DATA / "formats" / name
    if not path.exists():
        pytest.skip(f"{path} is not here")
    content = path.read_bytes()
    cut = tmp_path / f"cut_{path.name}"
    cut.write_bytes(content[: round(share * len(content))])
    try:
        got, refused = _samples(_read(RecordingSource(cut))), None
    except RecordingError as error:
        got, refused = np.empty((0, 0), np.float32), str(error)
    if refused is not None:
        assert str(cut) in refused
        assert "\n" not in refused
    else:
        whole = _samples(_read(RecordingSource(path)))
        np.testing.assert_array_equal(got, whole[:, : got.shape[1]])


def test_a_folder_that_is_no_recording_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="does not read"):
        RecordingSource(tmp_path)


@pytest.mark.parametrize(
    "name", ["test.edf", "test.bdf", "test.vhdr", "ctf_comp_raw.fif", "kit.sqd"]
)
def test_formats_read_the_same_as_with_mne(name: str) -> None:
    path = DATA / "formats" / name
    if not path.exists():
        pytest.skip(f"{path} is not here")
    raw = mne.io.read_raw(path, preload=True, verbose="ERROR")
    items = _read(RecordingSource(path))
    np.testing.assert_array_equal(_samples(items), raw.get_data().astype(np.float32))


def test_no_window_over_what_somebody_marked_as_bad_is_used(tmp_path: Path) -> None:
    raw = _raw(1000)
    raw.set_annotations(mne.Annotations([2.0, 5.0], [1.5, 0.5], ["BAD_muscle", "badger"]))
    items = _read(RecordingSource(_save(raw, tmp_path)))
    bad = np.concatenate(
        [np.zeros(i.n_times) if i.bad is None else i.bad for i in items if isinstance(i, Chunk)]
    )
    np.testing.assert_array_equal(np.flatnonzero(bad), np.arange(200, 350))
    assert [i.label for i in items if isinstance(i, Marker)] == ["badger"]
