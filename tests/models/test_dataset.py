from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import mne
import numpy as np
import pytest
from numpy.typing import NDArray

from models.dataset import Dataset, read_dataset
from models.stimuli import Stimulus, StimulusTable
from streaming.chain import Chain, standard_chain
from streaming.errors import RecordingError
from streaming.signal import Chunk, SignalSpec
from streaming.timing import Timing, Trigger
from streaming.window import LockedWindows

SFREQ = 200.0
TABLE = StimulusTable(
    [
        Stimulus("face", "stimulus", "face", stim_file="f.jpg"),
        Stimulus("house", "stimulus", "house"),
        Stimulus("go", "run_start"),
        Stimulus("hold", "pause"),
        Stimulus("on", "resume"),
        Stimulus("beep", "ignore"),
    ]
)
WINDOWS = LockedWindows(0.0, 0.4)
Events = Sequence[tuple[float, str]]
EVENTS: Events = [(10.0 + 0.5 * n, ("face", "house")[n % 2]) for n in range(40)]


def make_chain(spec: SignalSpec, _: object = None) -> Chain:
    return standard_chain(spec.ch_names, spec.sfreq, low=1.0, ch_types=spec.ch_types)


def noise(n_channels: int = 4, duration: float = 32.0, seed: int = 0) -> NDArray[np.float64]:
    shape = (n_channels, round(duration * SFREQ))
    return np.random.default_rng(seed).standard_normal(shape) * 1e-5


def record(
    path: Path,
    events: Events = EVENTS,
    data: NDArray[np.float64] | None = None,
    names: Sequence[str] = (),
    sfreq: float = SFREQ,
    kind: str = "eeg",
) -> Path:
    data = noise() if data is None else data
    names = list(names) or [f"E{n}" for n in range(len(data))]
    raw = mne.io.RawArray(data, mne.create_info(names, sfreq, kind), verbose="ERROR")
    onsets = [t for t, _ in events]
    raw.set_annotations(mne.Annotations(onsets, 0.0, [label for _, label in events]))
    raw.save(path, verbose="ERROR")
    return path


def read(*paths: Path, **options: object) -> Dataset:
    return read_dataset(paths, WINDOWS, TABLE, make_chain, **options)  # type: ignore[arg-type]


def test_windows_are_what_the_chain_gives_live(tmp_path: Path) -> None:
    told: list[float] = []
    dataset = read(record(tmp_path / "a_raw.fif"), progress=told.append)
    spec = SignalSpec(SFREQ, tuple(f"E{n}" for n in range(4)))
    raw = mne.io.read_raw(tmp_path / "a_raw.fif", verbose="ERROR")
    chain = make_chain(spec)
    out = chain.prepare(spec)
    filtered = chain(Chunk(raw.get_data().astype(np.float32), spec)).data
    for n, (t, label) in enumerate(EVENTS):
        first = out.to_samples(t)
        np.testing.assert_array_equal(
            dataset.windows[n], filtered[:, first : first + out.to_samples(0.4)]
        )
        assert dataset.ids[n] == label
    np.testing.assert_allclose(dataset.t, [t for t, _ in EVENTS], atol=0.51 / out.sfreq)
    assert dataset.stim_files[:2] == ("f.jpg", "")
    assert dataset.spec == spec
    assert dataset.spec_out == out
    assert dataset.settling == chain.settling
    assert told == sorted(told)
    assert told[-1] == 1.0


def test_some_windows_are_taken_with_all_that_is_said_of_each(tmp_path: Path) -> None:
    whole = read(record(tmp_path / "a_raw.fif"))
    part = whole.take(np.arange(len(whole)) % 3 == 1)
    np.testing.assert_array_equal(part.windows, whole.windows[1::3])
    np.testing.assert_array_equal(part.t, whole.t[1::3])
    np.testing.assert_array_equal(part.groups, whole.groups[1::3])
    np.testing.assert_array_equal(part.files, whole.files[1::3])
    assert (part.ids, part.stim_files) == (whole.ids[1::3], whole.stim_files[1::3])


def test_windows_begin_where_the_stimuli_did(tmp_path: Path) -> None:
    """Markers that are 50 ms early, moved by the offset or to the pulses of a channel."""
    data = np.concatenate([noise(), np.zeros((1, round(32 * SFREQ)))])
    for t, _ in EVENTS:
        data[4, round((t + 0.05) * SFREQ) :][:5] = 1.0
    names = [*(f"E{n}" for n in range(4)), "TTL"]
    truth = read(record(tmp_path / "a_raw.fif", [(t + 0.05, x) for t, x in EVENTS]))
    path = record(tmp_path / "b_raw.fif", data=data, names=names)
    trigger = Trigger("TTL", 0.5, rising=True)
    for timing in (Timing(0.05), Timing(0.03, trigger=trigger)):
        dataset = read(path, drop=("TTL",), timing=timing)
        np.testing.assert_array_equal(dataset.windows, truth.windows)
        assert dataset.ids == truth.ids


def test_a_single_run_is_cut_into_blocks(tmp_path: Path) -> None:
    groups = read(record(tmp_path / "a_raw.fif")).groups
    assert (np.diff(groups) >= 0).all()
    np.testing.assert_array_equal(np.bincount(groups), [8] * 5)


def test_each_file_is_a_run_and_so_is_each_run_start(tmp_path: Path) -> None:
    a = record(tmp_path / "a_raw.fif")
    b = record(tmp_path / "b_raw.fif", sorted([*EVENTS, (20.2, "go")]))
    dataset = read(a, b)
    np.testing.assert_array_equal(dataset.files, [0] * 40 + [1] * 40)
    np.testing.assert_array_equal(np.bincount(dataset.groups), [40, 21, 19])
    assert len(set(dataset.hashes)) == 1  # same samples, same stimuli
    np.testing.assert_array_equal(dataset.windows[:40], dataset.windows[40:])


def test_pauses_and_settling_are_left_out(tmp_path: Path) -> None:
    events = sorted([*EVENTS, (0.5, "face"), (20.2, "hold"), (25.2, "on"), (11.1, "beep")])
    dataset = read(record(tmp_path / "a_raw.fif", events))
    assert len(dataset) == 30
    assert dataset.withheld == {"settling": 1}
    assert not ((dataset.t > 20.2) & (dataset.t < 25.2)).any()


def test_the_label_does_not_change_a_window(tmp_path: Path) -> None:
    swapped = [(t, "face" if label == "house" else "house") for t, label in EVENTS]
    one = read(record(tmp_path / "a_raw.fif"))
    other = read(record(tmp_path / "b_raw.fif", swapped))
    np.testing.assert_array_equal(one.windows, other.windows)
    assert one.hashes != other.hashes


def test_dead_channels_are_left_out(tmp_path: Path) -> None:
    data = noise(6)
    data[1] = 3e-3
    data[4] = data[2]
    bad_in_b = noise(6, seed=1)
    bad_in_b[5] = 0
    paths = (
        record(tmp_path / "a_raw.fif", data=data),
        record(tmp_path / "b_raw.fif", data=bad_in_b),
    )
    dataset = read(*paths, drop=["E0"])
    assert dataset.dropped == {
        "E0": "named by the user",
        "E1": "it is flat",
        "E4": "it is a copy of E2",
        "E5": "it is flat",
    }
    assert dataset.spec.ch_names == ("E2", "E3")
    assert dataset.windows.shape[1] == 2


def test_channels_are_picked_by_type(tmp_path: Path) -> None:
    meg = record(tmp_path / "meg_raw.fif", kind="mag")
    assert read(meg, picks="meg").spec.ch_types == ("mag",) * 4
    with pytest.raises(RecordingError, match=r"has no eeg channel, .* of type mag"):
        read(meg)
    with pytest.raises(RecordingError, match="picks='ecog' is unknown"):
        read(meg, picks="ecog")


def test_recordings_without_the_events_are_refused(tmp_path: Path) -> None:
    path = record(tmp_path / "a_raw.fif", [(5.0, "left"), (6.0, "left"), (7.0, "beep")])
    with pytest.raises(RecordingError, match=r"none of the events face, house; .* left \(2\)"):
        read(path)
    path = record(tmp_path / "b_raw.fif", [])
    with pytest.raises(RecordingError, match="its events are: none"):
        read(path)
    path = record(tmp_path / "c_raw.fif", [(0.1, "face")])
    with pytest.raises(RecordingError, match=r"gives no window .* \(1 settling\); record at"):
        read(path)
    with pytest.raises(RecordingError, match="no recording was named"):
        read()


def test_recordings_that_differ_are_refused(tmp_path: Path) -> None:
    a = record(tmp_path / "a_raw.fif")
    slow = record(tmp_path / "b_raw.fif", sfreq=100.0, data=noise(4, 64.0))
    with pytest.raises(RecordingError, match=r"is sampled at 100 Hz but .* at 200 Hz"):
        read(a, slow)
    other = record(tmp_path / "c_raw.fif", names=["E0", "E1", "E2", "Cz"])
    with pytest.raises(RecordingError, match="first has Cz, only the second E3; drop those"):
        read(a, other)
    with pytest.raises(
        RecordingError, match="has no channel 'AUX' to drop; its channels are E0"
    ):
        read(a, drop=["AUX"])


def test_the_order_of_channels_does_not_matter(tmp_path: Path) -> None:
    data = noise()
    a = record(tmp_path / "a_raw.fif", data=data)
    b = record(tmp_path / "b_raw.fif", data=data[::-1], names=["E3", "E2", "E1", "E0"])
    dataset = read(a, b)
    np.testing.assert_array_equal(dataset.windows[:40], dataset.windows[40:])


def test_a_recording_of_dead_channels_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="every eeg channel is flat or left out"):
        read(record(tmp_path / "a_raw.fif", data=noise() * 0))
