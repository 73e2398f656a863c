from __future__ import annotations

import csv
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.clock import THRESHOLD, StreamClock
from streaming.errors import SourceError
from tests.examples import examples
from tests.recordings import recordings
from tests.streaming.clocks import (
    SFREQ,
    START,
    run_clock,
    stamped,
    truth_of,
)


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
    truth = truth_of(40, ppm)
    whole_blocks = [size * block for size in sizes]
    assert run_clock(stamped(truth, block, late, seed), whole_blocks).longest_hold == 0
    run = run_clock(stamped(truth, block, late, seed), sizes)
    assert not run.gaps
    error = np.array(run.t) - truth
    assert np.abs(error[20 * 250 :]).max() < 0.0025
    assert np.diff(run.t).min() > 0


@examples(15)
@given(ppm=st.floats(-1000, 1000), size=st.integers(1, 50))
def test_exact_timestamps_are_kept(ppm: float, size: int) -> None:
    truth = truth_of(60, ppm)
    run = run_clock(truth, [size])
    assert not run.gaps
    np.testing.assert_allclose(run.t[40 * 250 :], truth[40 * 250 :], atol=1.5e-3)


@examples(15)
@given(block=st.integers(1, 8), late=st.floats(0, 0.02), seed=st.integers(0, 1000))
def test_deliveries_that_become_worse_are_no_loss(block: int, late: float, seed: int) -> None:
    truth, exact = truth_of(60), 30 * 250
    stamps = np.concatenate([truth[:exact], stamped(truth[exact:], block, late, seed)])
    assert not run_clock(np.maximum.accumulate(stamps), [16]).gaps


@examples(15)
@given(block=st.integers(1, 32), mean=st.floats(0.001, 0.015), seed=st.integers(0, 1000))
def test_deliveries_that_are_now_and_then_later_are_no_loss(
    block: int, mean: float, seed: int
) -> None:
    truth, rng = truth_of(60), np.random.default_rng(seed)
    delay = np.repeat(rng.exponential(mean, len(truth) // block + 1), block)[: len(truth)]
    # the last second is on time: a late block is no loss because of those that follow it
    delay[-round(SFREQ) :] = 0.0
    stamps = stamped(truth, block, 0.0) + delay
    assert not run_clock(np.maximum.accumulate(stamps), [16]).gaps


def test_samples_are_never_held_for_ever() -> None:
    stamps = truth_of(10)
    stamps[1000:] = stamps[1000] + 1.0  # the sender's clock stopped
    assert run_clock(stamps, [10]).longest_hold <= 5.1 * SFREQ


@examples(15)
@given(st.lists(st.integers(1, 200), min_size=1, max_size=30), st.integers(0, 100))
def test_each_sample_is_given_out_once_in_order(sizes: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    stamps = START + rng.uniform(0, 20, 2000)  # nonsense
    run = run_clock(stamps, sizes)
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
    run = run_clock(stamped(truth_of(5), block, late), sizes)
    for a, b in pairwise(run.stretches):
        assert abs(b.t_anchor - a.t_anchor) <= 0.5 / SFREQ + 1e-12


def test_missing_timestamps_are_passed_over() -> None:
    truth = truth_of(10)
    stamps = truth.copy()
    stamps[100:120] = 0.0
    stamps[500:1500] = np.nan
    run = run_clock(stamps, [10])
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
    clock.feed(truth_of(1))
    assert clock.reconnect() == []
    (stretch,) = clock.feed(truth_of(1) + 5.0)
    assert (stretch.segment, stretch.first) == (1, 0)
    assert stretch.gap is not None
    assert stretch.gap.reason == "reconnect"
    assert stretch.gap.t == pytest.approx(START + 1.0)
    assert stretch.gap.duration == pytest.approx(4.0)


def test_markers_are_placed_by_the_current_segment() -> None:
    clock = StreamClock(SFREQ)
    with pytest.raises(ValueError, match="no sample was seen"):
        clock.locate(START)
    clock.feed(truth_of(1))
    assert clock.locate(START + 0.1001) == (0, 25)
    assert clock.locate(START - 0.1) == (0, -25)
    assert clock.locate(START + 2.0) == (0, 500)


def test_a_jump_is_held_until_decided() -> None:
    clock = StreamClock(SFREQ)
    clock.feed(truth_of(1))
    assert clock.feed(START + 1.0 + THRESHOLD + 0.01 + np.arange(10) / SFREQ) == []
    assert clock.undecided
    (stretch,) = clock.settle()
    assert stretch.segment == 1
    assert not clock.undecided


def test_a_last_sample_that_is_late_is_no_loss() -> None:
    clock = StreamClock(SFREQ)
    for stamps in truth_of(20).reshape(-1, 10):
        clock.feed(stamps)
    assert clock.feed(np.array([START + 20.05])) == []
    (stretch,) = clock.settle()
    assert (stretch.segment, stretch.first, stretch.gap) == (0, 5000, None)


@pytest.mark.parametrize("run", range(6))
def test_a_real_wireless_amplifier_loses_nothing(run: int) -> None:
    with recordings("muse/original/data_*.csv")[run].open() as file:
        stamps = np.array([float(row["timestamps"]) for row in csv.DictReader(file)])
    found = run_clock(stamps, [12], sfreq=256.0)
    assert not found.gaps
    assert len(found.t) == len(stamps)
