"""Devices that stamp oddly."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from streaming.clock import Remark, StreamClock
from tests.examples import examples
from tests.streaming.clocks import (
    SFREQ,
    Run,
    add_to,
    has_news,
    run_clock,
    stamped,
    truth_at,
    truth_of,
)


@pytest.mark.parametrize("stamped", ["newest", "oldest"])
def test_repeated_stamps_are_no_loss(stamped: str) -> None:
    truth = truth_at(30)
    of = np.arange(len(truth)) // 10 * 10 + (9 if stamped == "newest" else 0)
    run = run_clock(truth[of], [10])
    assert not has_news(run)
    constant = 0.0 if stamped == "newest" else -0.036  # which nothing can observe
    np.testing.assert_allclose(run.t, truth + constant, atol=1e-3)


@pytest.mark.parametrize("sfreq", [250.0, 512.0, 1000.0])
@pytest.mark.parametrize("decimals", [2, 3])
def test_coarse_stamps_are_no_loss(sfreq: float, decimals: int) -> None:
    truth = truth_at(20, sfreq)
    run = run_clock(np.round(truth, decimals), [8], sfreq)
    assert not has_news(run)
    np.testing.assert_allclose(run.t, truth, atol=0.7 * 10.0**-decimals + 0.5e-3)


def test_samples_one_by_one_at_1_khz() -> None:
    truth = truth_at(12, 1000.0)
    run = run_clock(truth, [1], 1000.0)
    assert not has_news(run)
    assert run.longest_hold == 0
    np.testing.assert_allclose(run.t, truth, atol=1e-6)


@examples(5)
@given(
    block=st.integers(1, 32),
    late=st.floats(0, 0.02),
    is_exact=st.booleans(),
    ppm=st.floats(-100, 100),
    early=st.lists(
        st.tuples(st.integers(1, 6999), st.floats(0.01, 0.05)), min_size=1, max_size=8
    ),
    seed=st.integers(0, 1000),
)
def test_samples_that_are_stamped_early_are_no_loss(
    block: int,
    late: float,
    is_exact: bool,
    ppm: float,
    early: list[tuple[int, float]],
    seed: int,
) -> None:
    truth = truth_of(30, ppm)
    stamps = truth.copy() if is_exact else stamped(truth, block, late, seed)
    for at, by in early:
        stamps[at] -= by
    run = run_clock(stamps, [16])
    assert not has_news(run)
    error = np.array(run.t) - truth
    assert np.abs(error - np.median(error))[20 * 250 :].max() < 0.0025


@examples(5)
@given(
    block=st.integers(1, 32),
    late=st.floats(0, 0.02),
    at=st.integers(12 * 250, 15 * 250),
    by=st.floats(0.01, 0.05),
    seed=st.integers(0, 1000),
)
def test_a_block_that_is_stamped_early_is_no_loss(
    block: int, late: float, at: int, by: float, seed: int
) -> None:
    truth = truth_of(25)
    stamps = stamped(truth, block, late, seed)
    stamps[at // block * block :][:block] -= by
    assert not has_news(run_clock(stamps, [block]))


@examples(5)
@given(block=st.integers(1, 32), late=st.floats(0, 0.02), seed=st.integers(0, 1000))
def test_blocks_that_are_stamped_from_their_arrival_may_overlap(
    block: int, late: float, seed: int
) -> None:
    truth, rng = truth_of(25), np.random.default_rng(seed)
    stamps = truth + np.repeat(rng.uniform(0, late, len(truth)), block)[: len(truth)]
    run = run_clock(stamps, [block])
    assert not has_news(run)
    assert np.abs(np.array(run.t) - truth)[20 * 250 :].max() < 0.0025


def follow_live(
    stamps: NDArray[np.float64], truth: NDArray[np.float64], size: int
) -> tuple[Run, list[Remark]]:
    """Feed timestamps in blocks that arrive as soon as their last sample was taken."""
    clock, run, remarks = StreamClock(SFREQ), Run(), []
    for start in range(0, len(truth), size):
        part = slice(start, start + size)
        add_to(run, clock.feed(stamps[part], float(truth[part][-1])), SFREQ)
        remarks += clock.take_remarks()
    add_to(run, clock.settle(), SFREQ)
    return run, remarks


@pytest.mark.parametrize("size", [1, 8, 50])
@pytest.mark.parametrize("rounded", [np.floor, np.round, np.ceil])
def test_whole_seconds_are_replaced_by_arrivals_once(rounded: np.ufunc, size: int) -> None:
    truth = truth_at(20) + 0.3
    run, remarks = follow_live(rounded(truth), truth, size)
    assert len(run.t) == len(truth)
    assert [(gap.reason, gap.duration) for gap in run.gaps] == [("clock", 0.0)]
    assert [remark.state for remark in remarks] == ["coarse"]
    assert "in steps of 1 s" in remarks[0].detail
    assert np.abs(np.array(run.t) - truth)[-10 * 250 :].max() < 1e-3


@pytest.mark.parametrize("none", [np.nan, np.inf, 0.0, -1.0, 1e300])
@pytest.mark.parametrize("size", [1, 8, 50])
@pytest.mark.parametrize("n_good", [0, 1250])
def test_samples_without_timestamps_are_of_when_they_arrive(
    none: float, size: int, n_good: int
) -> None:
    truth = truth_at(20) + 0.3
    stamps = np.full_like(truth, none)
    stamps[:n_good] = truth[:n_good]
    run, remarks = follow_live(stamps, truth, size)
    assert len(run.t) == len(truth)
    assert [(gap.reason, gap.duration) for gap in run.gaps] == [("clock", 0.0)] * (n_good > 0)
    assert [remark.state for remark in remarks] == ["unstamped"]
    assert "no usable timestamp" in remarks[0].detail
    assert np.abs(np.array(run.t) - truth)[-10 * 250 :].max() < 1e-3


def test_a_few_without_timestamps_before_a_stall_are_of_when_they_arrived() -> None:
    clock = StreamClock(SFREQ)
    assert clock.feed(np.full(3, np.nan), 50.0) == []
    (stretch,) = clock.settle()
    assert stretch.n_times == 3
    assert stretch.t_anchor == pytest.approx(50.0, abs=0.02)


@pytest.mark.parametrize("rounded", [np.floor, np.round])
def test_whole_seconds_in_a_recording_are_no_loss(rounded: np.ufunc) -> None:
    truth = truth_at(40) + 0.3
    run = run_clock(rounded(truth), [8])
    assert [(gap.reason, gap.duration) for gap in run.gaps] == [("clock", 0.0)]
    error = (np.array(run.t) - truth)[-20 * 250 :]
    assert np.ptp(error) < 1e-3


def test_early_stamps_and_other_rates_are_said_once() -> None:
    truth = truth_at(30)
    truth[[2000, 3000, 4000]] -= 0.03
    clock = StreamClock(SFREQ)
    for part in np.split(truth, 750):
        clock.feed(part)
    (early,) = clock.take_remarks()
    assert (early.state, early.detail[:35]) == (
        "backwards",
        "a sample is stamped 30 ms too early",
    )
    clock = StreamClock(SFREQ)
    for part in np.split(truth_at(20, 225), 450):
        clock.feed(part)
    (rate,) = clock.take_remarks()
    assert rate.state == "rate"
    assert rate.detail.startswith("225.0 samples come a second and not 250, as is said")
    assert not clock.take_remarks()
