"""Devices that stamp oddly, or say another rate than they have."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.streaming.test_clock import Run, _run

SFREQ = 250.0
START = 1000.0


def _truth(seconds: float, sfreq: float = SFREQ) -> NDArray[np.float64]:
    return START + np.arange(round(seconds * sfreq)) / sfreq


def _has_no_news(run: Run) -> bool:
    return not run.gaps and all(s.revision is None for s in run.stretches)


@pytest.mark.parametrize("stamped", ["newest", "oldest"])
def test_repeated_stamps_are_no_loss(stamped: str) -> None:
    truth = _truth(30)
    of = np.arange(len(truth)) // 10 * 10 + (9 if stamped == "newest" else 0)
    run = _run(truth[of], [10])
    assert _has_no_news(run)
    constant = 0.0 if stamped == "newest" else -0.036  # which nothing can observe
    np.testing.assert_allclose(run.t, truth + constant, atol=1e-3)


@pytest.mark.parametrize("sfreq", [250.0, 512.0, 1000.0])
@pytest.mark.parametrize("decimals", [2, 3])
def test_coarse_stamps_are_no_loss(sfreq: float, decimals: int) -> None:
    truth = _truth(20, sfreq)
    run = _run(np.round(truth, decimals), [8], sfreq)
    assert _has_no_news(run)
    np.testing.assert_allclose(run.t, truth, atol=0.7 * 10.0**-decimals + 0.5e-3)


def test_samples_one_by_one_at_1_khz() -> None:
    truth = _truth(12, 1000.0)
    run = _run(truth, [1], 1000.0)
    assert _has_no_news(run)
    assert run.longest_hold == 0
    np.testing.assert_allclose(run.t, truth, atol=1e-6)


@pytest.mark.parametrize("late", [0.0, 0.02])
@pytest.mark.parametrize("ppm", [-24_000, -10_000, 10_000, 24_000])
def test_a_rate_that_is_off_by_percents_is_learned_within_seconds(
    ppm: int, late: float
) -> None:
    truth, rng = _truth(40, SFREQ * (1 + ppm * 1e-6)), np.random.default_rng(0)
    newest = np.minimum(np.arange(len(truth)) // 8 * 8 + 7, len(truth) - 1)
    stamps = truth[newest] + np.repeat(rng.uniform(0, late, len(truth)), 8)[: len(truth)]
    run = _run(np.maximum.accumulate(stamps), [8])
    assert _has_no_news(run)
    error = np.abs(np.array(run.t) - truth)
    assert error.max() < 0.1
    assert error[truth > START + 20].max() < 0.003


@pytest.mark.parametrize("factor", [0.5, 0.9, 1.1, 2.0, 3.0])
def test_a_rate_that_is_another_gives_all_samples_once_in_order(factor: float) -> None:
    truth = _truth(30, factor * SFREQ)
    run = _run(truth, [8])
    assert len(run.t) == len(truth)
    assert run.longest_hold < SFREQ
    if factor > 1:  # more samples than are said to be cannot be a loss
        assert {(gap.reason, gap.duration) for gap in run.gaps} <= {("clock", 0.0)}
