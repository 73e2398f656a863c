from __future__ import annotations

import numpy as np
import pytest

from streaming.ramp import Ramp

SFREQ = 250.0


def _slope(y: np.ndarray, n_before: int) -> float | None:
    x = np.arange(len(y)) / SFREQ
    ramp = Ramp()
    ramp.add(x[:n_before], y[:n_before])
    return ramp.slope(x[n_before:], (x + y)[n_before:], 0.0)


@pytest.mark.parametrize("slope", [-0.5, -0.1, 0.03, 0.1, 1.0])
@pytest.mark.parametrize("late", [0.0, 0.02])
def test_another_rate_is_a_line(slope: float, late: float) -> None:
    n_before = min(750, round(0.1 / abs(slope) * SFREQ))
    x = np.arange(n_before + 75) / SFREQ
    y = slope * x + np.random.default_rng(0).uniform(0, late, len(x))
    y = np.maximum.accumulate(x + y) - x
    assert _slope(y, n_before) == pytest.approx(slope, abs=0.001 + 2 * late)


@pytest.mark.parametrize("lost", [0.1, 0.3, 2.0])
@pytest.mark.parametrize("late", [0.0, 0.02])
@pytest.mark.parametrize("n_before", [100, 250, 1000])
def test_a_loss_is_none(lost: float, late: float, n_before: int) -> None:
    y = np.random.default_rng(0).uniform(0, late, n_before + 75)
    y[n_before:] += lost
    x = np.arange(len(y)) / SFREQ
    assert _slope(np.maximum.accumulate(x + y) - x, n_before) is None


def test_nothing_is_none() -> None:
    ramp = Ramp()
    assert ramp.slope(np.empty(0), np.empty(0), 0.0) is None
    assert ramp.slope(np.arange(5.0), np.arange(5.0), 0.0) is None
