"""Devices that say another rate than they have."""

from __future__ import annotations

import numpy as np
import pytest

from streaming.clock import THRESHOLD
from tests.streaming.clocks import (
    SFREQ,
    START,
    has_news,
    run_clock,
    stamped,
    truth_at,
    truth_of,
)


@pytest.mark.parametrize("block", [10, 250])
@pytest.mark.parametrize("ppm", [-4000, 4000])
def test_a_rate_that_is_not_as_said_is_followed_also_in_long_blocks(
    block: int, ppm: float
) -> None:
    truth = truth_of(60, ppm)
    run = run_clock(truth, [block])
    error = np.abs(np.array(run.t) - truth)
    assert error.max() < 0.03
    assert error[truth > START + 30].max() < 0.005
    assert not run.gaps


@pytest.mark.parametrize("block", [10, 250])
@pytest.mark.parametrize("ppm", [-24000, 24000])
def test_a_rate_that_is_far_off_never_gives_instants_that_are(block: int, ppm: float) -> None:
    truth = truth_of(60, ppm)
    error = np.abs(np.array(run_clock(truth, [block]).t) - truth)
    assert error.max() < (THRESHOLD + 1e-3 if block == 10 else 0.25)
    if block == 10:  # learned
        assert error[truth > START + 30].max() < 0.002


@pytest.mark.parametrize("late", [0.0, 0.02])
@pytest.mark.parametrize("ppm", [-24_000, -10_000, 10_000, 24_000])
def test_a_rate_that_is_off_by_percents_is_learned_within_seconds(
    ppm: int, late: float
) -> None:
    truth, rng = truth_at(40, SFREQ * (1 + ppm * 1e-6)), np.random.default_rng(0)
    newest = np.minimum(np.arange(len(truth)) // 8 * 8 + 7, len(truth) - 1)
    stamps = truth[newest] + np.repeat(rng.uniform(0, late, len(truth)), 8)[: len(truth)]
    run = run_clock(np.maximum.accumulate(stamps), [8])
    assert not has_news(run)
    error = np.abs(np.array(run.t) - truth)
    assert error.max() < 0.1
    assert error[truth > START + 20].max() < 0.003


@pytest.mark.parametrize("late", [0.0, 0.02])
@pytest.mark.parametrize("block", [1, 8])
@pytest.mark.parametrize("factor", [0.5, 0.8, 0.9, 0.97])
def test_a_rate_that_is_lower_than_said_is_no_loss(
    factor: float, block: int, late: float
) -> None:
    truth = truth_at(20, factor * SFREQ)
    run = run_clock(stamped(truth, block, late), [8])
    assert not has_news(run)
    error = np.abs(np.array(run.t) - truth)
    assert error.max() < 0.2
    assert error[truth > START + 12].max() < (0.002 if late == 0.0 else 0.05)
    assert np.diff(run.t).min() > 0


@pytest.mark.parametrize("factor", [1.03, 1.1, 2.0, 3.0])
def test_a_rate_that_is_higher_than_said_is_no_loss(factor: float) -> None:
    truth = truth_at(15, factor * SFREQ)
    run = run_clock(truth, [8])
    assert len(run.t) == len(truth)
    assert run.longest_hold < SFREQ
    # what came in the first second is spread over too much time, which is put right once
    assert [(gap.reason, gap.duration) for gap in run.gaps] in ([], [("clock", 0.0)])
    assert np.abs(np.array(run.t) - truth)[truth > START + 12].max() < 0.05


def test_a_loss_within_the_first_seconds_is_no_other_rate() -> None:
    truth = np.delete(truth_at(20), slice(150, 200))
    (gap,) = run_clock(truth, [8]).gaps
    assert (gap.reason, round(gap.duration, 3)) == ("lost", 0.2)
