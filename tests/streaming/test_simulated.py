from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import mne
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import butter, sosfiltfilt, welch
from scipy.stats import binom

from streaming.errors import ConfigError
from streaming.signal import Chunk, Marker, SourceState
from streaming.sources.background import Background
from streaming.sources.headmodel import Dipoles, lead_field, spread_channels
from streaming.sources.participant import Participant, _across, respond
from streaming.sources.shown import _vigilance
from streaming.sources.simulated import (
    SimulatedSettings,
    SimulatedSource,
    Snr,
    simulate_recording,
)
from streaming.sources.source import Item

CONCEPTS = tuple(f"thing-{n}" for n in range(40))
EMBEDDINGS = np.random.default_rng(0).standard_normal((40, 16)).astype(np.float32)
SMALL = SimulatedSettings(n_channels=8, sfreq=125.0)


class FakeClock:
    """A clock that moves only when someone sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def read_all(source: SimulatedSource) -> list[Item]:
    items = []
    while (item := source.read(0)) is not None:
        items.append(item)
    return items


def markers(items: list[Item]) -> list[Marker]:
    return [i for i in items if isinstance(i, Marker)]


def signal(items: list[Item]) -> NDArray[np.float32]:
    return np.concatenate([i.data for i in items if isinstance(i, Chunk)], axis=1)


@pytest.mark.parametrize("chunk_size", [1, 7, 25, 100_000])
def test_the_size_of_chunks_changes_nothing(chunk_size: int) -> None:
    one = read_all(SimulatedSource(CONCEPTS, EMBEDDINGS, SMALL, n_trials=5))
    other = read_all(
        SimulatedSource(CONCEPTS, EMBEDDINGS, SMALL, n_trials=5, chunk_size=chunk_size)
    )
    np.testing.assert_array_equal(signal(one), signal(other))
    assert markers(one) == markers(other)


def test_the_clock_changes_when_samples_come_and_not_what_they_are() -> None:
    clock = FakeClock()
    source = SimulatedSource(
        CONCEPTS, EMBEDDINGS, SMALL, n_trials=3, clock=clock, sleep=clock.sleep
    )
    items: list[Item] = []
    while True:
        item = source.read(0.013)
        if item is None:
            continue
        due = item.t_end if isinstance(item, Chunk) else item.t
        assert due <= clock.now + 1e-9 < due + 0.013 + 1e-9
        items.append(item)
        if isinstance(item, SourceState) and item.state == "ended":
            break
    assert isinstance(items[0], SourceState)
    assert items[0].t == 1000.0
    fast = read_all(SimulatedSource(CONCEPTS, EMBEDDINGS, SMALL, n_trials=3))
    np.testing.assert_array_equal(signal(items), signal(fast))


def test_a_marker_comes_at_its_onset_and_before_the_response() -> None:
    source = SimulatedSource(CONCEPTS, EMBEDDINGS, SMALL, n_trials=20, chunk_size=7)
    n_read = 0
    for item in read_all(source):
        if isinstance(item, Chunk):
            n_read += item.n_times
        if isinstance(item, Marker):
            assert n_read <= item.sample < n_read + 7
            assert item.t == item.sample / SMALL.sfreq


def test_what_tells_stimuli_apart_starts_at_the_marker_sample() -> None:
    easy, none = (
        read_all(SimulatedSource(CONCEPTS, EMBEDDINGS, replace(SMALL, snr=snr), n_trials=1))
        for snr in ("easy", "none")
    )
    difference = signal(easy).astype(float) - signal(none)  # the background is the same
    onset = markers(easy)[0].sample
    assert (difference[:, :onset] == 0).all()
    assert np.abs(difference[:, onset + 10 : onset + 75]).max() > 3e-6  # 80 to 600 ms
    assert np.abs(difference[:, onset + 150 :]).max() < 1e-7  # 1.2 s


def test_a_session_seed_changes_order_and_noise_and_a_subject_seed_the_person() -> None:
    def order(settings: SimulatedSettings) -> list[str]:
        items = read_all(SimulatedSource(CONCEPTS, EMBEDDINGS, settings, n_trials=40))
        return [m.label for m in markers(items)]

    assert order(SMALL) != order(replace(SMALL, session_seed=2))
    assert order(SMALL) == order(replace(SMALL, n_channels=4))
    ch_names = spread_channels(8)
    one, same, other = (
        Participant.draw(CONCEPTS, EMBEDDINGS, ch_names, "easy", seed) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one.topographies, same.topographies)
    assert not np.allclose(one.topographies, other.topographies)
    assert not np.allclose(one.own, other.own)


def test_a_larger_cap_is_worn_by_the_same_person() -> None:
    few, many = spread_channels(8), spread_channels(32)
    a, b = (Participant.draw(CONCEPTS, EMBEDDINGS, c, "easy", 1) for c in (few, many))
    rows = [many.index(name) for name in few]
    np.testing.assert_array_equal(a.topographies, b.topographies[rows])
    np.testing.assert_array_equal(a.shared, b.shared)


def test_what_a_concept_has_of_its_own_does_not_depend_on_the_others() -> None:
    ch_names = spread_channels(4)
    all_of_them = Participant.draw(CONCEPTS, EMBEDDINGS, ch_names, "easy", 1)
    some = Participant.draw(CONCEPTS[5:9], EMBEDDINGS[5:9], ch_names, "easy", 1)
    np.testing.assert_array_equal(some.own, all_of_them.own[5:9])


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_at_most_half_of_what_stimuli_evoke_follows_the_embedding(seed: int) -> None:
    # Many concepts: what they have of their own is drawn, so its variance scatters.
    concepts = [f"thing-{n}" for n in range(200)]
    embeddings = np.random.default_rng(seed).standard_normal((200, 32)).astype(np.float32)
    p = Participant.draw(concepts, embeddings, spread_channels(32), "easy", seed)
    times = np.arange(0, 1.2, 0.01)

    def variance(part: Participant) -> float:
        responses = [part.topographies @ respond(part, n, 1.0, times) for n in range(200)]
        return float(np.var(responses, axis=0).sum())

    nothing = np.zeros_like(p.own)
    shared = variance(replace(p, own=nothing))
    own = variance(replace(p, shared=nothing))
    assert 0.4 < shared / (shared + own) <= 0.5


def test_no_information_means_the_same_response_to_all() -> None:
    p = Participant.draw(CONCEPTS, EMBEDDINGS, spread_channels(4), "none", 1)
    times = np.arange(0, 1.2, 0.01)
    first = respond(p, 0, 1.0, times)
    assert np.abs(first).max() > 0
    for concept in range(1, len(CONCEPTS)):
        np.testing.assert_array_equal(respond(p, concept, 1.0, times), first)


def test_the_response_moves_from_the_back_of_the_head_forward() -> None:
    ch_names = spread_channels(64)
    p = Participant.draw(CONCEPTS, EMBEDDINGS, ch_names, "easy", 1)
    early, late = p.latencies < 0.13, p.latencies > 0.3
    assert 0.05 < p.latencies.min() < 0.12
    assert 0.5 < p.latencies.max() < 0.8
    occipital = [ch_names.index(name) for name in ("O1", "Oz", "O2", "Iz")]
    power = (p.topographies**2 / (p.topographies**2).sum(axis=0))[occipital].sum(axis=0)
    assert power[early].mean() > 1.5 * power[late].mean()


def background(seconds: float) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    ch_names = spread_channels(32)
    person, session = np.random.default_rng(1), np.random.default_rng(2)
    make = Background(ch_names, 250.0, person, session)
    return np.concatenate([make(500) for _ in range(int(seconds / 2))], axis=1), ch_names


def test_the_background_looks_like_eeg() -> None:
    data, ch_names = background(120)
    assert 1e-3 < np.abs(data.mean(axis=1)).max() < 0.1  # an offset of millivolts
    sos = butter(4, (1, 40), "bandpass", output="sos", fs=250)
    rms = sosfiltfilt(sos, data).std(axis=1)
    assert 5e-6 < rms.min() < rms.max() < 50e-6
    freqs, power = welch(data - data.mean(axis=1, keepdims=True), 250, nperseg=1000)
    mean = power.mean(axis=0)
    around = [mean[freqs == f][0] for f in (48.0, 50.0, 52.0)]
    assert around[1] > 10 * max(around[0], around[2])
    central = power[ch_names.index("Cz")]
    band = ((freqs >= 2) & (freqs <= 7)) | ((freqs >= 15) & (freqs <= 35))
    slope = np.polyfit(np.log(freqs[band]), np.log(central[band]), 1)[0]
    assert -1.6 < slope < -0.8
    alpha = power[ch_names.index("Oz")]
    peak = alpha[(freqs >= 8) & (freqs <= 12)].max()
    assert peak > 3 * alpha[freqs == 15.0][0]


def test_neighbours_agree_and_blinks_are_frontal() -> None:
    data, ch_names = background(120)
    data = sosfiltfilt(butter(4, (1, 40), "bandpass", output="sos", fs=250), data)
    r = np.corrcoef(data)
    index = ch_names.index
    assert r[index("C3"), index("CP1")] > 0.6
    assert abs(r[index("C3"), index("P8")]) < 0.6
    peaks = np.abs(data).max(axis=1)
    assert peaks[index("Fp1")] > 80e-6
    assert peaks[index("Fp1")] > 2 * peaks[index("Cz")]


def decoded(snr: Snr) -> tuple[int, int]:
    """Fit ridge to one session of ten concepts and return hits and trials in another."""
    settings = SimulatedSettings(n_channels=16, sfreq=125.0, subject_seed=3)
    concepts, embeddings = CONCEPTS[:10], EMBEDDINGS[:10]

    def session(seed: int) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
        s = replace(settings, snr=snr, session_seed=seed)
        raw = simulate_recording(concepts, embeddings, s, n_trials=300)
        sos = butter(2, (0.5, 20), "bandpass", output="sos", fs=125)
        data = sosfiltfilt(sos, raw.get_data())
        onsets = np.rint(raw.annotations.onset * 125).astype(int)
        pooled = [data[:, n : n + 100].reshape(16, 20, 5).mean(axis=2) for n in onsets]
        labels = [concepts.index(str(label)) for label in raw.annotations.description]
        return np.array(pooled).reshape(300, -1), np.array(labels)

    (x, y), (x_test, y_test) = session(1), session(2)
    mean, scale = x.mean(axis=0), x.std(axis=0)
    x, x_test = (x - mean) / scale, (x_test - mean) / scale
    weights = x.T @ np.linalg.solve(x @ x.T + 300 * np.eye(300), np.eye(10)[y] - 0.1)
    return int(((x_test @ weights).argmax(axis=1) == y_test).sum()), 300


def test_easy_can_be_decoded_in_a_later_session() -> None:
    hits, n = decoded("easy")
    assert hits / n > 0.3


def test_none_cannot_be_decoded() -> None:
    hits, n = decoded("none")
    low, high = binom.interval(0.99, n, 0.1)
    assert low <= hits <= high


def test_fatigue_takes_some_of_the_response_and_gives_part_of_it_back() -> None:
    minutes = np.array([_vigilance(60.0 * n) for n in range(240)])
    assert minutes[0] == 1
    assert 0.79 < minutes.min() < minutes.max() == 1
    assert minutes[3] < minutes[6] < minutes[0]


def test_drift_turns_what_the_electrodes_see_and_keeps_its_size() -> None:
    source = SimulatedSource(CONCEPTS, EMBEDDINGS, replace(SMALL, n_channels=32, drift=9.0))
    part = source._participant
    np.testing.assert_allclose(source._topographies(0), part.topographies)
    half = source._topographies(round(5 * 60 * 125.0))  # 45 degrees
    np.testing.assert_allclose(half, np.sqrt(0.5) * (part.topographies + part.turned))
    whole = source._topographies(round(10 * 60 * 125.0))
    np.testing.assert_allclose(whole, part.turned, atol=1e-12)
    sizes = [np.linalg.norm(seen) for seen in (part.topographies, half, part.turned)]
    assert max(sizes) < 1.15 * min(sizes)


def test_a_moment_turns_at_a_right_angle() -> None:
    moments = np.random.default_rng(0).standard_normal((20, 3))
    across = _across(moments, np.random.default_rng(1))
    np.testing.assert_allclose((across * moments).sum(axis=1), 0.0, atol=1e-12)


def test_pools_get_equally_many_trials_and_are_used_up_in_turn() -> None:
    pools = [CONCEPTS[:10], CONCEPTS[10:15]]
    source = SimulatedSource(CONCEPTS, EMBEDDINGS, SMALL, shown=pools, n_trials=40)
    labels = [m.label for m in markers(read_all(source))]
    for pool in pools:
        mine = [label for label in labels if label in pool]
        assert len(mine) == 20
        for start in range(0, 20, len(pool)):
            assert sorted(mine[start : start + len(pool)]) == sorted(pool)


def test_onsets_follow_the_soa() -> None:
    items = read_all(SimulatedSource(CONCEPTS, EMBEDDINGS, SMALL, n_trials=60))
    gaps = np.diff([m.sample for m in markers(items)]) / SMALL.sfreq
    assert 0.69 < gaps.min() < gaps.max() < 0.91
    assert gaps.std() > 0.03


def test_a_recording_is_a_session_in_volts_with_places_of_electrodes() -> None:
    settings = replace(SMALL, session_seed=7)
    raw = simulate_recording(CONCEPTS, EMBEDDINGS, settings, n_trials=5)
    items = read_all(SimulatedSource(CONCEPTS, EMBEDDINGS, settings, n_trials=5))
    np.testing.assert_array_equal(raw.get_data().astype(np.float32), signal(items))
    assert raw.annotations.description.tolist() == [m.label for m in markers(items)]
    events, _ = mne.events_from_annotations(raw, verbose="error")
    assert events[:, 0].tolist() == [m.sample for m in markers(items)]
    assert raw.get_montage() is not None


def test_a_session_without_an_end_goes_on_and_can_be_closed() -> None:
    source = SimulatedSource(CONCEPTS, EMBEDDINGS, SMALL)
    for _ in range(500):
        assert source.read(0) is not None
    source.close()
    source.close()
    assert source.read(0) is None


def test_caps_are_nested_and_of_known_names() -> None:
    biosemi = mne.channels.make_standard_montage("biosemi32").ch_names
    assert set(spread_channels(32)) == set(biosemi)
    caps = [set(spread_channels(n)) for n in (4, 8, 32, 40, 64, 306)]
    assert [len(cap) for cap in caps] == [4, 8, 32, 40, 64, 306]
    assert all(small < large for small, large in pairwise(caps))


def test_a_dipole_is_seen_best_where_it_points() -> None:
    ch_names = spread_channels(64)
    up = Dipoles(np.array([[0.0, 0.0, 0.7]]), np.array([[0.0, 0.0, 1.0]]))
    field = lead_field(up, ch_names)[:, 0]
    assert ch_names[field.argmax()] in {"Cz", "FCz", "CPz"}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"snr": "hard"}, "easy, realistic, none, got 'hard'"),
        ({"subject_seed": -1}, "subject_seed must be 0 or more, got -1"),
        ({"sfreq": 100.0}, "from 125 to 20000 Hz, got 100"),
        ({"drift": -1.0}, "drift must be from 0 to 180 degrees a minute, got -1"),
        ({"lead": -1.0}, "lead must be from 0 to 3600 s, got -1"),
        ({"soa": 0.0}, "soa must be from 0.2 to 60 s, got 0"),
        ({"n_channels": 3}, "from 4 to 335, got 3"),
    ],
)
def test_wrong_settings_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        SimulatedSettings(**wrong)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SimulatedSource(["a"], EMBEDDINGS[:1], SMALL), "two ids"),
        (lambda: SimulatedSource(["a", "a"], EMBEDDINGS[:2], SMALL), "all different"),
        (lambda: SimulatedSource(CONCEPTS, EMBEDDINGS[:3], SMALL), r"n_concepts=40.*\(3, 16\)"),
        (lambda: SimulatedSource(CONCEPTS, EMBEDDINGS, SMALL, shown=[["x"]]), "concepts: x"),
        (lambda: SimulatedSource(CONCEPTS, EMBEDDINGS, SMALL, shown=[[]]), "empty pool"),
        (lambda: SimulatedSource(CONCEPTS, EMBEDDINGS, SMALL, n_trials=0), "got 0"),
        (lambda: SimulatedSource(CONCEPTS, EMBEDDINGS, SMALL, chunk_size=0), "got 0"),
        (lambda: SimulatedSource(CONCEPTS, EMBEDDINGS * np.nan, SMALL), "finite"),
        (lambda: SimulatedSource(CONCEPTS, EMBEDDINGS * 0, SMALL), "same"),
    ],
)
def test_wrong_arguments_are_refused(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()
