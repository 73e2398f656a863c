from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from streaming.clock import DECISION, MAX_FILL, THRESHOLD, StreamClock, Stretch
from streaming.errors import SourceError
from streaming.signal import Gap
from tests.examples import examples
from tests.recordings import recordings

SFREQ = 250.0
START = 1000.0


@dataclass
class Run:
    """What a clock made of a stream, sample by sample."""

    t: list[float] = field(default_factory=list)
    segment: list[int] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    stretches: list[Stretch] = field(default_factory=list)
    longest_hold: int = 0


def _run(stamps: NDArray[np.float64], sizes: Sequence[int], sfreq: float = SFREQ) -> Run:
    clock, run, start = StreamClock(sfreq), Run(), 0
    while start < len(stamps):
        size = sizes[len(run.stretches) % len(sizes)]
        _add(run, clock.feed(stamps[start : start + size]), sfreq)
        start += size
        run.longest_hold = max(run.longest_hold, min(start, len(stamps)) - len(run.t))
    _add(run, clock.settle(), sfreq)
    return run


def _add(run: Run, stretches: list[Stretch], sfreq: float) -> None:
    for s in stretches:
        run.stretches.append(s)
        run.t += list(s.t_anchor + (s.first + np.arange(s.n_times)) / sfreq)
        run.segment += [s.segment] * s.n_times
        run.gaps += [s.gap] if s.gap else []


def _stamped(
    truth: NDArray[np.float64], block: int, late: float, seed: int = 0
) -> NDArray[np.float64]:
    """Stamp whole blocks when their last sample arrives, up to `late` seconds late."""
    rng = np.random.default_rng(seed)
    ends = np.minimum(np.arange(len(truth)) // block * block + block, len(truth)) - 1
    delay = rng.uniform(0, late, len(truth))
    stamps = truth[ends] + delay[ends]
    return np.maximum.accumulate(stamps)


def _truth(seconds: float, ppm: float = 0.0) -> NDArray[np.float64]:
    return START + np.arange(round(seconds * SFREQ)) / (SFREQ * (1 + ppm * 1e-6))


@examples(15)
@given(
    block=st.integers(1, 32),
    late=st.floats(0, 0.02),
    ppm=st.floats(-100, 100),
    sizes=st.lists(st.integers(1, 64), min_size=1, max_size=5),
    seed=st.integers(0, 1000),
)
def test_late_blocks_are_no_loss_and_instants_are_right(
    block: int, late: float, ppm: float, sizes: list[int], seed: int
) -> None:
    truth = _truth(40, ppm)
    whole_blocks = [size * block for size in sizes]
    assert _run(_stamped(truth, block, late, seed), whole_blocks).longest_hold == 0
    run = _run(_stamped(truth, block, late, seed), sizes)
    assert not run.gaps
    error = np.array(run.t) - truth
    assert np.abs(error[20 * 250 :]).max() < 0.0025
    assert np.diff(run.t).min() > 0


@examples(15)
@given(ppm=st.floats(-1000, 1000), size=st.integers(1, 50))
def test_exact_timestamps_are_kept(ppm: float, size: int) -> None:
    truth = _truth(60, ppm)
    run = _run(truth, [size])
    assert not run.gaps
    np.testing.assert_allclose(run.t[40 * 250 :], truth[40 * 250 :], atol=1.5e-3)


@examples(15)
@given(size=st.integers(1, 50), lost=st.floats(0.2, 30), at=st.integers(250, 2000))
def test_a_loss_is_found_with_its_place_and_length(size: int, lost: float, at: int) -> None:
    truth = _truth(10)
    truth[at:] += lost
    run = _run(truth, [size])
    ((gap,), (before, after)) = run.gaps, [run.segment.count(s) for s in (0, 1)]
    assert (before, after) == (at, len(truth) - at)
    assert gap.t == pytest.approx(truth[at - 1] + 1 / SFREQ, abs=1e-6)
    assert gap.duration == pytest.approx(lost, abs=1e-6)
    np.testing.assert_allclose(run.t, truth, atol=1e-6)
    assert run.longest_hold <= round(DECISION * SFREQ) + size


@examples(15)
@given(
    block=st.integers(1, 32),
    late=st.floats(0, 0.02),
    ppm=st.floats(-100, 100),
    lost=st.floats(0.2, 30),
    at=st.integers(2500, 4000),
    seed=st.integers(0, 1000),
)
def test_a_loss_is_found_among_late_blocks(
    block: int, late: float, ppm: float, lost: float, at: int, seed: int
) -> None:
    truth = _truth(30, ppm)
    at -= at % block  # whole blocks are lost
    truth[at:] += lost
    run = _run(_stamped(truth, block, late, seed), [16])
    (gap,) = run.gaps
    assert run.segment.count(0) == at
    assert gap.duration == pytest.approx(lost, abs=0.025)
    error = np.array(run.t) - truth
    assert np.abs(error[at + 10 * 250 :]).max() < 0.004


@examples(15)
@given(
    block=st.integers(1, 8),
    late=st.floats(0, 0.02),
    ppm=st.floats(-100, 100),
    lost=st.floats(0.028, 0.2),
    at=st.integers(3000, 4000),
    size=st.integers(1, 16),
    seed=st.integers(0, 1000),
)
def test_a_loss_just_longer_than_the_lateness_is_found_live(
    block: int, late: float, ppm: float, lost: float, at: int, size: int, seed: int
) -> None:
    truth = _truth(20, ppm)
    at -= at % block
    truth[at:] += lost
    run = _run(_stamped(truth, block, late, seed), [size])
    (gap,) = run.gaps
    assert abs(run.segment.count(0) - at) <= block  # a block may be on time by chance
    assert gap.duration == pytest.approx(lost, abs=0.02)
    assert run.longest_hold <= round((2 * DECISION + late) * SFREQ) + size + 2 * block


@examples(15)
@given(
    n_lost=st.integers(3, 25),
    at=st.integers(3500, 4000),
    size=st.integers(1, 50),
    ppm=st.floats(-100, 100),
)
def test_a_short_loss_is_found_where_timestamps_are_exact(
    n_lost: int, at: int, size: int, ppm: float
) -> None:
    truth = np.delete(_truth(21, ppm), slice(at, at + n_lost))
    run = _run(truth, [size])
    (gap,) = run.gaps
    assert gap.duration == pytest.approx(n_lost / SFREQ, abs=1e-3)
    if n_lost <= MAX_FILL * SFREQ:  # so short that the segment goes on
        assert (gap.reason, run.segment.count(0)) == ("filled", len(truth))
        (after,) = [s for s in run.stretches if s.gap is not None]
        assert after.first == at + n_lost
    else:
        assert (gap.reason, run.segment.count(0)) == ("lost", at)


@examples(15)
@given(block=st.integers(1, 8), late=st.floats(0, 0.02), seed=st.integers(0, 1000))
def test_deliveries_that_become_worse_are_no_loss(block: int, late: float, seed: int) -> None:
    truth, exact = _truth(60), 30 * 250
    stamps = np.concatenate([truth[:exact], _stamped(truth[exact:], block, late, seed)])
    assert not _run(np.maximum.accumulate(stamps), [16]).gaps


@examples(15)
@given(block=st.integers(1, 32), mean=st.floats(0.001, 0.015), seed=st.integers(0, 1000))
def test_deliveries_that_are_now_and_then_later_are_no_loss(
    block: int, mean: float, seed: int
) -> None:
    truth, rng = _truth(60), np.random.default_rng(seed)
    delay = np.repeat(rng.exponential(mean, len(truth) // block + 1), block)[: len(truth)]
    # the last second is on time: a late block is no loss because of those that follow it
    delay[-round(SFREQ) :] = 0.0
    stamps = _stamped(truth, block, 0.0) + delay
    assert not _run(np.maximum.accumulate(stamps), [16]).gaps


@examples(15)
@given(
    stall=st.floats(0.05, 3),
    at=st.integers(250, 1500),
    sizes=st.lists(st.integers(1, 300), min_size=1, max_size=4),
)
def test_a_burst_after_a_radio_stall_is_no_loss(
    stall: float, at: int, sizes: list[int]
) -> None:
    truth = _truth(10)
    stamps = truth.copy()
    burst = slice(at, at + round(stall * SFREQ))
    stamps[burst] = truth[burst][-1]  # all that was stored arrives at once
    run = _run(stamps, sizes)
    assert not run.gaps
    np.testing.assert_allclose(run.t, truth, atol=3e-3)  # 2.2 ms if it is at 1 s


def test_a_partial_burst_after_a_stall_is_a_loss_of_what_did_not_come() -> None:
    truth = np.delete(_truth(10), slice(1000, 1100))
    stamps = truth.copy()
    stamps[1000:1050] = truth[1050]
    run = _run(stamps, [10])
    (gap,) = run.gaps
    assert gap.duration == pytest.approx(0.4, abs=0.01)


def test_a_clock_that_is_set_back_starts_a_segment_without_a_loss() -> None:
    stamps = _truth(10)
    stamps[1000:] -= 300.0
    run = _run(stamps, [10])
    (gap,) = run.gaps
    assert gap.duration == 0.0
    assert run.segment.count(0) == 1000
    np.testing.assert_allclose(run.t, stamps, atol=1e-6)


def test_a_clock_that_is_set_back_just_after_a_loss_starts_another_segment() -> None:
    stamps = _truth(10)
    stamps[1000:] += 0.5
    stamps[1100:] -= 3.0
    run = _run(stamps, [10])
    assert [round(g.duration, 3) for g in run.gaps] == [0.5, 0.0]
    np.testing.assert_allclose(run.t, stamps, atol=1e-6)


def test_two_losses_within_the_decision_window_are_two() -> None:
    truth = _truth(10)
    truth[1000:] += 0.5
    truth[1020:] += 0.7
    run = _run(truth, [10])
    assert [round(g.duration, 3) for g in run.gaps] == [0.5, 0.7]
    np.testing.assert_allclose(run.t, truth, atol=1e-6)


def test_samples_are_never_held_for_ever() -> None:
    stamps = _truth(10)
    stamps[1000:] = stamps[1000] + 1.0  # the sender's clock stopped
    assert _run(stamps, [10]).longest_hold <= 5.1 * SFREQ


@examples(15)
@given(st.lists(st.integers(1, 200), min_size=1, max_size=30), st.integers(0, 100))
def test_each_sample_is_given_out_once_in_order(sizes: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    stamps = START + rng.uniform(0, 20, 2000)  # nonsense
    run = _run(stamps, sizes)
    assert len(run.t) == 2000
    expected: dict[int, int] = {}
    for s in run.stretches:
        assert s.n_times > 0
        assert s.first == expected.get(s.segment, 0)
        expected[s.segment] = s.first + s.n_times
    assert list(expected) == list(range(len(expected)))


@examples(15)
@given(
    block=st.integers(1, 32),
    late=st.floats(0, 0.05),
    sizes=st.lists(st.integers(1, 64), min_size=1, max_size=5),
)
def test_the_anchor_moves_by_a_fraction_of_a_sample(
    block: int, late: float, sizes: list[int]
) -> None:
    run = _run(_stamped(_truth(5), block, late), sizes)
    for a, b in pairwise(run.stretches):
        assert abs(b.t_anchor - a.t_anchor) <= 0.5 / SFREQ + 1e-12


def test_missing_timestamps_are_passed_over() -> None:
    truth = _truth(10)
    stamps = truth.copy()
    stamps[100:120] = 0.0
    stamps[500:1500] = np.nan
    run = _run(stamps, [10])
    assert not run.gaps
    np.testing.assert_allclose(run.t, truth, atol=1e-6)


def test_a_stream_without_timestamps_is_refused() -> None:
    with pytest.raises(SourceError, match="must stamp"):
        StreamClock(SFREQ).feed(np.zeros(10))


def test_nothing_in_nothing_out() -> None:
    clock = StreamClock(SFREQ)
    assert clock.feed(np.empty(0)) == clock.settle() == clock.reconnect() == []


def test_a_reconnection_starts_a_segment() -> None:
    clock = StreamClock(SFREQ)
    clock.feed(_truth(1))
    assert clock.reconnect() == []
    (stretch,) = clock.feed(_truth(1) + 5.0)
    assert (stretch.segment, stretch.first) == (1, 0)
    assert stretch.gap is not None
    assert stretch.gap.reason == "reconnect"
    assert stretch.gap.t == pytest.approx(START + 1.0)
    assert stretch.gap.duration == pytest.approx(4.0)


def test_markers_are_placed_by_the_current_segment() -> None:
    clock = StreamClock(SFREQ)
    with pytest.raises(ValueError, match="no sample was seen"):
        clock.locate(START)
    clock.feed(_truth(1))
    assert clock.locate(START + 0.1001) == (0, 25)
    assert clock.locate(START - 0.1) == (0, -25)
    assert clock.locate(START + 2.0) == (0, 500)


def test_a_jump_is_held_until_decided() -> None:
    clock = StreamClock(SFREQ)
    clock.feed(_truth(1))
    assert clock.feed(START + 1.0 + THRESHOLD + 0.01 + np.arange(10) / SFREQ) == []
    assert clock.undecided
    (stretch,) = clock.settle()
    assert stretch.segment == 1
    assert not clock.undecided


def test_a_last_sample_that_is_late_is_no_loss() -> None:
    clock = StreamClock(SFREQ)
    for stamps in _truth(20).reshape(-1, 10):
        clock.feed(stamps)
    assert clock.feed(np.array([START + 20.05])) == []
    (stretch,) = clock.settle()
    assert (stretch.segment, stretch.first, stretch.gap) == (0, 5000, None)


@pytest.mark.parametrize("run", range(6))
def test_a_real_wireless_amplifier_loses_nothing(run: int) -> None:
    with recordings("muse/original/data_*.csv")[run].open() as file:
        stamps = np.array([float(row["timestamps"]) for row in csv.DictReader(file)])
    found = _run(stamps, [12], sfreq=256.0)
    assert not found.gaps
    assert len(found.t) == len(stamps)


@pytest.mark.parametrize("block", [10, 250])
@pytest.mark.parametrize("ppm", [-4000, 4000])
def test_a_rate_that_is_not_as_said_is_followed_also_in_long_blocks(
    block: int, ppm: float
) -> None:
    truth = _truth(60, ppm)
    run = _run(truth, [block])
    error = np.abs(np.array(run.t) - truth)
    assert error.max() < 0.03
    assert error[truth > START + 30].max() < 0.005
    assert not run.gaps


@pytest.mark.parametrize("block", [10, 250])
@pytest.mark.parametrize("ppm", [-24000, 24000])
def test_a_rate_that_is_far_off_never_gives_instants_that_are(block: int, ppm: float) -> None:
    truth = _truth(60, ppm)
    error = np.abs(np.array(_run(truth, [block]).t) - truth)
    assert error.max() < (THRESHOLD + 1e-3 if block == 10 else 0.25)
    if block == 10:  # learned
        assert error[truth > START + 30].max() < 0.002


@dataclass
class Live:
    """A stream as it comes: when samples were taken, stamped, and received."""

    truth: NDArray[np.float64]
    stamps: NDArray[np.float64]
    received: NDArray[np.float64]
    block: int


def _live(
    seconds: float, block: int, late: float, ppm: float, seed: int, lost: slice | None = None
) -> Live:
    """Blocks arrive up to `late` seconds late, and are received within a millisecond."""
    truth = _truth(seconds, ppm)
    if lost is not None:
        truth = np.delete(truth, lost)
    stamps = _stamped(truth, block, late, seed)
    network = np.random.default_rng(seed).exponential(0.2e-3, len(stamps))
    return Live(truth, stamps, stamps + network, block)


def _run_live(live: Live) -> Run:
    clock, run = StreamClock(SFREQ), Run()
    for start in range(0, len(live.stamps), live.block):
        part = slice(start, start + live.block)
        _add(run, clock.feed(live.stamps[part], live.received[part][-1]), SFREQ)
    _add(run, clock.settle(), SFREQ)
    return run


def _error(run: Run, truth: NDArray[np.float64], n_settled: int) -> NDArray[np.float64]:
    """Return errors without the constant delay, which nothing can observe."""
    error = np.array(run.t) - truth
    return np.abs(error - np.median(error[n_settled // 2 : n_settled]))


@examples(10)
@given(
    block=st.integers(1, 32),
    late=st.floats(0, 0.02),
    ppm=st.floats(-100, 100),
    n_lost=st.integers(50, 4000),
    seed=st.integers(0, 1000),
)
def test_instants_are_right_again_soon_after_a_loss(
    block: int, late: float, ppm: float, n_lost: int, seed: int
) -> None:
    at = 60 * 250 // block * block
    live = _live(90, block, late, ppm, seed, slice(at, at + n_lost))
    run = _run_live(live)
    (gap,) = run.gaps
    assert gap.reason == "lost"
    error = _error(run, live.truth, at)
    if block <= 16:  # with fewer blocks a second, the number of lost samples is not sure yet
        assert np.percentile(error[at + 250 : at + 5 * 250], 90) < 1e-3
    assert error[at + 11 * 250 :].max() < 2e-3


@examples(10)
@given(
    block=st.integers(1, 32),
    late=st.floats(0, 0.02),
    step=st.one_of(st.floats(0.05, 3), st.floats(-3, -0.15)),
    seed=st.integers(0, 1000),
)
def test_a_clock_that_is_set_is_no_loss_where_arrivals_tell(
    block: int, late: float, step: float, seed: int
) -> None:
    at = 60 * 250 // block * block
    live = _live(75, block, late, 50.0, seed)
    live.stamps[at:] += step
    run = _run_live(live)
    (gap,) = run.gaps
    assert (gap.reason, gap.duration) == ("clock", 0.0)
    live.truth[at:] += step
    error = _error(run, live.truth, at)
    assert np.percentile(error[at + 250 : at + 5 * 250], 95) < 1.5e-3


def test_a_clock_that_is_set_while_samples_are_lost() -> None:
    live = _live(40, 10, 0.0, 0.0, 0, slice(5000, 5250))
    live.stamps[5000:] += 0.5
    (gap,) = _run_live(live).gaps
    assert gap.reason == "clock"
    assert gap.duration == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("step", [0.01, 0.018])
def test_a_clock_that_is_set_by_little_is_followed(step: float) -> None:
    live = _live(60, 10, 0.0, 0.0, 0)
    live.stamps[10_000:] += step
    run = _run_live(live)
    assert not run.gaps
    live.truth[10_000:] += step
    assert _error(run, live.truth, 10_000)[10_000 + 375 :].max() < 1e-3


def test_a_recording_that_is_sent_faster_loses_what_it_lost() -> None:
    """Timestamps run ahead of arrivals, which then tell nothing of steps."""
    live = _live(40, 10, 0.0, 0.0, 0, slice(5000, 5250))
    live.received[:] = START + (live.stamps - START) / 4
    (gap,) = _run_live(live).gaps
    assert (gap.reason, round(gap.duration, 3)) == ("lost", 1.0)


@examples(10)
@given(
    block=st.integers(1, 20),
    late=st.floats(0.008, 0.02),
    n_lost=st.integers(2, 3),
    ppm=st.floats(-100, 100),
    seed=st.integers(0, 1000),
)
def test_a_loss_that_hides_among_late_blocks_is_found_within_30_s(
    block: int, late: float, n_lost: int, ppm: float, seed: int
) -> None:
    at = 60 * 250 // block * block
    live = _live(92, block, late, ppm, seed, slice(at, at + n_lost))
    run = _run_live(live)
    revised = [s.revision for s in run.stretches if s.revision is not None]
    filled = [round(g.duration * SFREQ) for g in run.gaps]
    assert sum(r.n_times for r in revised) + sum(filled) == n_lost
    for revision in revised:
        assert revision.first <= at + 250
        assert revision.stop > at - 250
    assert set(run.segment) == {0}
    error = _error(run, live.truth, at)
    assert error[-500:].max() < 2e-3


@examples(10)
@given(
    block=st.integers(1, 32),
    mean=st.floats(0.001, 0.015),
    ppm=st.floats(-100, 100),
    seed=st.integers(0, 1000),
)
def test_late_blocks_are_never_found_to_be_a_loss_later(
    block: int, mean: float, ppm: float, seed: int
) -> None:
    truth, rng = _truth(120, ppm), np.random.default_rng(seed)
    delay = np.repeat(rng.exponential(mean, len(truth) // block + 1), block)
    stamps = _stamped(truth, block, 0.0) + delay[: len(truth)]
    run = _run(np.maximum.accumulate(stamps), [block])
    assert not [s for s in run.stretches if s.revision is not None]


@pytest.mark.parametrize("cut", [250, 83])
def test_a_late_block_of_a_second_is_no_loss(cut: int) -> None:
    """Alone it is longer than a decision takes."""
    truth, rng = _truth(90, 5.0), np.random.default_rng(0)
    late = np.repeat(rng.uniform(0, 0.02, 90), 250)
    run = _run(truth + late, [cut])
    assert not run.gaps
    assert not [s for s in run.stretches if s.revision is not None]
