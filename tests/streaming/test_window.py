from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.chain import standard_chain
from streaming.errors import ConfigError
from streaming.signal import Bad, Chunk, Marker, SignalSpec, Window
from streaming.window import (
    LockedWindows,
    SlidingWindows,
    Windower,
    Windowing,
    Withheld,
    windowing_from_json,
)
from tests.examples import examples
from tests.laws import chunks, cuts, noise

SPEC_IN = SignalSpec(500.0, ("Cz", "Pz"))
SPEC = SignalSpec(100.0, ("Cz", "Pz"))
N_TIMES = 300
LOCKED = LockedWindows(-0.1, 0.4, baseline=(-0.1, 0.0))
SLIDING = SlidingWindows(duration=0.5, hop=0.13)
GROWING = LockedWindows(-0.1, 0.4, baseline=(-0.1, 0.0), latencies=(0.1, 0.25, 0.4))

BAD = np.zeros(N_TIMES, np.uint8)
BAD[200] = Bad.SAMPLES
STREAM = [
    Chunk(noise(2, N_TIMES, seed=0), SPEC, 0, first=11, t_anchor=50.0, bad=BAD),
    Chunk(noise(2, N_TIMES, seed=1), SPEC, 1, first=0, t_anchor=60.0),
]


def windower(windowing: Windowing = LOCKED, settling: float = 0.2) -> Windower:
    return Windower(windowing, SPEC_IN, SPEC, settling)


def marker(sample: int, segment: int = 0) -> Marker:
    """Return a marker at a sample of the output's rate, the last of five of the input's."""
    t_anchor = STREAM[segment].t_anchor if segment < len(STREAM) else 70.0
    return Marker("x", t_anchor + sample / SPEC.sfreq, segment, 5 * sample + 4)


def flat(results: Sequence[Window | Withheld]) -> list[tuple[object, ...]]:
    """Return results as values that compare bit for bit."""
    return [
        astuple(r)
        if isinstance(r, Withheld)
        else (
            r.decode_id,
            r.revision,
            r.marker,
            r.chunk.first,
            r.chunk.segment,
            r.chunk.t0,
            r.chunk.data.tobytes(),
        )
        for r in results
    ]


@examples(60)
@given(
    where=cuts(N_TIMES),
    markers=st.lists(st.tuples(st.integers(-10, N_TIMES + 20), st.integers(0, 2)), max_size=9),
    windowing=st.sampled_from([LOCKED, SLIDING, GROWING]),
)
def test_cutting_the_stream_changes_nothing(
    where: list[int], markers: list[tuple[int, int]], windowing: Windowing
) -> None:
    def results(where: Sequence[int]) -> list[tuple[object, ...]]:
        windows = windower(windowing)
        found = [
            r for sample, segment in markers for r in windows.mark(marker(sample, segment))
        ]
        for chunk in chunks(STREAM, where):
            found += windows.feed(chunk)
        return flat(found)

    whole = results([])
    assert results(where) == whole
    assert results(range(1, N_TIMES)) == whole


@examples(20)
@given(where=cuts(4000))
def test_cutting_the_raw_stream_changes_no_window(where: list[int]) -> None:
    """The same through the standard chain, with a gap and a bad sample on the way."""
    chain = standard_chain(SPEC_IN.ch_names, SPEC_IN.sfreq)
    raw = [
        Chunk(noise(2, 4000, seed=seed), SPEC_IN, seed, t_anchor=20.0 * seed) for seed in (0, 1)
    ]
    raw[0].data[1, 2500] = np.nan

    def results(where: Sequence[int]) -> list[tuple[object, ...]]:
        windows = Windower(SLIDING, SPEC_IN, chain.prepare(SPEC_IN), chain.settling)
        return flat([r for chunk in chunks(raw, where) for r in windows.feed(chain(chunk))])

    whole = results([])
    assert {"settling", "bad samples"} <= {value for result in whole for value in result}
    assert results(where) == whole


@examples(40)
@given(
    order=st.permutations(range(30, 250, 20)),
    arrival=st.lists(st.integers(0, N_TIMES), min_size=11, max_size=11),
)
def test_when_markers_arrive_changes_no_window(order: list[int], arrival: list[int]) -> None:
    """Before their samples or after, and in any order: only the ids follow the arrival."""
    windows = windower()
    arrivals = sorted(zip(arrival, order, strict=True))
    found = []
    *parts, last = chunks(STREAM[:1], [at for at, _ in arrivals])
    for part, (_, sample) in zip(parts, arrivals, strict=True):
        found += [*windows.feed(part), *windows.mark(marker(sample))]
    found += windows.feed(last)
    other = windower()
    for sample in sorted(order):
        assert other.mark(marker(sample)) == []
    expected = other.feed(STREAM[0])
    by_sample = sorted(found, key=lambda r: r.marker.sample if r.marker else 0)
    anonymous = [replace(r, decode_id="") for r in by_sample]
    assert flat(anonymous) == flat([replace(r, decode_id="") for r in expected])


def test_a_locked_window_holds_the_samples_around_its_marker() -> None:
    windows = windower(LockedWindows(-0.1, 0.4))
    assert windows.mark(marker(100)) == []
    (window,) = windows.feed(STREAM[0])
    assert isinstance(window, Window)
    np.testing.assert_array_equal(window.chunk.data, STREAM[0].data[:, 79:129])  # first=11
    assert window.chunk.data.flags.c_contiguous
    assert window.chunk.data.dtype == np.float32
    assert window.decode_id == "locked/0"
    assert window.marker == marker(100)
    assert window.chunk.t0 == pytest.approx(marker(100).t - 0.1)


def test_the_baseline_is_the_mean_of_its_stretch() -> None:
    windows = windower(LOCKED)
    windows.mark(marker(100))
    (window,) = windows.feed(STREAM[0])
    assert isinstance(window, Window)
    raw = STREAM[0].data[:, 79:129].astype(np.float64)
    expected = raw - raw[:, :10].mean(axis=1, keepdims=True)
    np.testing.assert_allclose(window.chunk.data, expected, atol=1e-8)


def test_a_marker_between_two_samples_takes_the_nearest() -> None:
    windows = windower(LockedWindows(0.0, 0.1))
    for sample in (502, 506, 507):
        windows.mark(Marker("x", 0.0, 0, sample))
    firsts = [r.chunk.first for r in windows.feed(STREAM[0]) if isinstance(r, Window)]
    assert firsts == [100, 100, 101]


def test_a_window_is_decided_with_its_last_sample() -> None:
    windows = windower()
    windows.mark(marker(100))
    before, last, after = chunks(STREAM[:1], [128, 129])
    assert windows.feed(before) == []
    assert len(windows.feed(last)) == 1
    assert windows.feed(after) == []


@pytest.mark.parametrize(
    ("sample", "segment", "reason"),
    [
        (15, 0, "gap"),  # begins before the segment does, at 11
        (305, 0, "gap"),  # ends after it, at 311
        (-500, 1, "gap"),
        (40, 0, "settling"),  # begins at 30, settled from 31
        (41, 0, ""),
        (211, 0, "bad samples"),  # the bad one is at 211
        (171, 0, ""),
        (172, 0, "bad samples"),
        (222, 0, ""),
        (221, 0, "bad samples"),
    ],
)
def test_a_window_says_why_it_is_withheld(sample: int, segment: int, reason: str) -> None:
    windows = windower()
    windows.mark(marker(sample, segment))
    (found,) = [r for chunk in STREAM for r in windows.feed(chunk)]
    assert found.decode_id == "locked/0"
    assert (found.reason if isinstance(found, Withheld) else "") == reason
    if isinstance(found, Withheld):
        assert (found.segment, found.first, found.n_times) == (segment, sample - 10, 50)
        assert found.t_start == pytest.approx(marker(sample, segment).t - 0.1)
        assert found.t_end == pytest.approx(found.t_start + 0.5)


def long_stream() -> Chunk:
    return Chunk(noise(2, 3000), SPEC, 0)


@pytest.mark.parametrize("where", [[], list(range(100, 3000, 100))])
def test_a_marker_whose_samples_are_gone_is_late(where: list[int]) -> None:
    windows = windower()
    for chunk in chunks([long_stream()], where):
        windows.feed(chunk)
    (kept,) = windows.mark(marker(2460))
    (late,) = windows.mark(marker(2459))
    assert isinstance(kept, Window)
    assert isinstance(late, Withheld)
    assert late.reason == "late"


def test_a_marker_of_a_segment_that_is_over_is_late() -> None:
    windows = windower()
    for chunk in STREAM:
        windows.feed(chunk)
    (found,) = windows.mark(marker(100, 0))
    assert isinstance(found, Withheld)
    assert found.reason == "late"


def test_a_marker_may_wait_for_a_segment_to_come() -> None:
    windows = windower()
    windows.feed(STREAM[0])
    assert windows.mark(marker(100, 1)) == []
    (found,) = windows.feed(STREAM[1])
    assert isinstance(found, Window)
    assert found.chunk.segment == 1


def test_a_chunk_longer_than_the_history_loses_no_window() -> None:
    windows = windower()
    samples = list(range(100, 2900, 7))
    for sample in samples:
        windows.mark(marker(sample))
    found = windows.feed(long_stream())
    assert [r.chunk.first + 10 for r in found if isinstance(r, Window)] == samples


def test_markers_that_wait_are_bounded() -> None:
    windows = windower()
    found = [windows.mark(marker(sample)) for sample in range(5000)]
    assert found[4095] == []
    (withheld,) = found[4096]
    assert isinstance(withheld, Withheld)
    assert (withheld.reason, withheld.decode_id) == ("gap", "locked/4096")


def test_sliding_windows_follow_the_index_in_the_segment() -> None:
    windows = windower(SLIDING)
    found = [r for chunk in STREAM for r in windows.feed(chunk)]
    assert [r.decode_id for r in found] == [f"sliding/{n}" for n in range(len(found))]
    starts = [
        (r.segment, r.first) if isinstance(r, Withheld) else (r.chunk.segment, r.chunk.first)
        for r in found
    ]
    assert starts == [(0, n) for n in range(13, 311 - 49, 13)] + [
        (1, n) for n in range(0, 300 - 49, 13)
    ]
    reasons = [r.reason for r in found if isinstance(r, Withheld)]
    assert reasons == ["settling"] * 2 + ["bad samples"] * 4 + ["settling"] * 2


def test_sliding_windows_need_no_marker() -> None:
    windows = windower(SLIDING)
    assert windows.mark(marker(100)) == []


@pytest.mark.parametrize("windowing", [LOCKED, LockedWindows(0.0, 1.0), SLIDING, GROWING])
def test_windowing_survives_being_written_down(windowing: Windowing) -> None:
    assert windowing_from_json(windowing.to_json()) == windowing


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({"windows": "locked", "tmin": 0.5, "tmax": 0.5}, "tmin < tmax"),
        (
            {"windows": "locked", "tmin": 0, "tmax": 1, "baseline": [-0.1, 0]},
            "within the window",
        ),
        ({"windows": "locked", "tmin": 0}, "missing.*tmax"),
        ({"windows": "locked", "tmin": 0, "tmax": 1, "latencies": [0.5, 0.8]}, "to tmax=1 s"),
        ({"windows": "locked", "tmin": 0, "tmax": 1, "latencies": [0.5, 0.5, 1]}, "must grow"),
        (
            {
                "windows": "locked",
                "tmin": -0.5,
                "tmax": 1,
                "baseline": [-0.5, 0],
                "latencies": [-0.1, 1],
            },
            "above 0 s",
        ),
        ({"windows": "sliding", "duration": 0, "hop": 1}, "above 0 s"),
        ({"windows": "hopping"}, "'hopping' is none of locked, sliding"),
    ],
)
def test_windows_that_cannot_be_are_refused(values: dict[str, object], match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        windowing_from_json(values)


def test_a_window_shorter_than_a_sample_is_refused() -> None:
    with pytest.raises(ConfigError, match="no sample at 100 Hz"):
        windower(SlidingWindows(duration=0.001, hop=0.1))


def test_what_was_filled_in_lowers_the_quality_of_the_windows_over_it() -> None:
    bad = np.zeros(N_TIMES, np.uint8)
    bad[200:202] = Bad.FILLED
    chunk = Chunk(noise(2, N_TIMES, seed=0), SPEC, 0, first=0, t_anchor=50.0, bad=bad)
    windows = [w for w in windower(SLIDING).feed(chunk) if isinstance(w, Window)]
    quality = {(w.chunk.first <= 200 and w.chunk.first + 50 > 201): w.quality for w in windows}
    assert quality == {True: 1 - 2 / 50, False: 1.0}


def test_chunks_that_say_nothing_is_bad_are_as_those_that_say_so_of_each_sample() -> None:
    """What is wrong is only kept where something is; see `Windower._note_bad`."""
    rng = np.random.default_rng(0)
    sparse, full = windower(SLIDING), windower(SLIDING)
    n_withheld, at = 0, 0
    while at < 40_000:
        n_times = int(rng.integers(1, 90))
        bad = np.zeros(n_times, np.uint8)
        if rng.random() < 0.1:
            bad[rng.integers(n_times)] = rng.choice([Bad.FILLED, Bad.SAMPLES, Bad.ARTIFACT])
        if rng.random() < 0.02:
            n_times = 1500  # longer than what is kept
            bad = np.zeros(n_times, np.uint8)
        data = noise(2, n_times, seed=at)
        chunk = Chunk(data, SPEC, at // 20_000, at, 50.0, bad)
        said = full.feed(chunk)
        found = sparse.feed(chunk if bad.any() else replace(chunk, bad=None))
        assert flat(found) == flat(said)
        n_withheld += sum(isinstance(w, Withheld) and w.reason != "settling" for w in said)
        at += n_times
    assert n_withheld > 100


def test_a_late_marker_gets_its_window_from_before_the_first_that_is_bad() -> None:
    windows = windower(LOCKED)
    at, bad = 1000, np.zeros(10, np.uint8)
    bad[3] = Bad.SAMPLES
    windows.feed(Chunk(noise(2, at, seed=0), SPEC, 0, 0, 50.0))
    windows.feed(Chunk(noise(2, 10, seed=1), SPEC, 0, at, 50.0, bad))
    for sample in (at - 200, at - 40):  # long before, and just
        (window,) = windows.mark(marker(sample))
        assert isinstance(window, Window)
        assert window.quality == 1.0


def test_windows_of_growing_length_begin_at_one_sample_under_one_id() -> None:
    whole, growing = windower(LOCKED), windower(GROWING)
    samples = [100, 110, 190]
    for sample in samples:
        whole.mark(marker(sample))
        growing.mark(marker(sample))
    full = [r for r in whole.feed(STREAM[0]) if isinstance(r, Window)]
    found = growing.feed(STREAM[0])
    assert growing.n_triggers == 3
    for expected in full:
        own = [r for r in found if r.decode_id == expected.decode_id]
        assert [r.revision for r in own] == [0, 1, 2]
        for part, n_times in zip(own, (20, 35, 50), strict=True):
            assert isinstance(part, Window)
            assert part.chunk.first == expected.chunk.first
            np.testing.assert_array_equal(part.chunk.data, expected.chunk.data[:, :n_times])
            assert part.marker == expected.marker


def test_each_length_is_decided_with_its_last_sample_and_none_sees_a_later_one() -> None:
    windows = windower(GROWING)
    windows.mark(marker(100))
    *parts, last = chunks(STREAM[:1], [98, 99, 113, 114, 128, 129])
    found = [[r.revision for r in windows.feed(part)] for part in parts]
    assert found == [[], [0], [], [1], [], [2]]
    assert windows.feed(last) == []


def test_where_a_length_is_withheld_each_longer_one_is_too() -> None:
    windows = windower(GROWING)
    windows.mark(marker(190))  # the bad sample is at 211, the window from 180
    windows.mark(marker(290))  # the segment ends at 311
    found = [r for chunk in STREAM for r in windows.feed(chunk)]
    reasons = {
        (r.decode_id, r.revision): r.reason if isinstance(r, Withheld) else "" for r in found
    }
    assert [reasons["locked/0", n] for n in range(3)] == ["", "bad samples", "bad samples"]
    assert [reasons["locked/1", n] for n in range(3)] == ["", "gap", "gap"]
    late = windows.mark(marker(100, 0))
    assert [(r.revision, r.reason) for r in late if isinstance(r, Withheld)] == [
        (n, "late") for n in range(3)
    ]
