from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from streaming.pulses import find_level, find_pulses
from tests.examples import examples

SFREQ = 1000.0


def photodiode(
    onsets: NDArray[np.float64],
    n_times: int = 60_000,
    height: float = 5.0,
    width: int = 80,
    noise: float = 0.02,
    drift: float = 0.0,
    seed: int = 0,
) -> NDArray[np.float64]:
    """Pulses that rise within a sample, exactly half way at each onset."""
    x = drift * np.sin(2 * np.pi * np.arange(n_times) / SFREQ / 45)
    for onset in onsets:
        at = np.arange(max(0, int(onset) - 1), max(0, int(onset) + width))
        x[at] += height * np.clip(at - onset + 0.5, 0, 1)
    return x + noise * np.random.default_rng(seed).standard_normal(n_times)


@examples(30)
@given(
    up=st.booleans(),
    base=st.floats(-100, 100),
    drift=st.floats(0, 0.4),
    height=st.floats(0.5, 20),
    seed=st.integers(0, 99),
)
def test_onsets_are_found_whatever_the_baseline_and_polarity(
    up: bool, base: float, drift: float, height: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    onsets = np.arange(500, 59_000, 700) + rng.uniform(0, 300, 84)
    x = photodiode(onsets, height=height, noise=height / 100, drift=drift * height, seed=seed)
    x = base + (x if up else -x)
    level = find_level(x, SFREQ, onsets.astype(int), 300)
    assert level is not None
    assert level.height == pytest.approx(height if up else -height, rel=0.1)
    found = find_pulses(x, SFREQ, level.height)
    assert len(found) == len(onsets)
    assert np.abs(found - onsets).max() < 0.3  # samples, of 1 ms


def test_a_flickering_screen_is_one_pulse() -> None:
    onsets = np.array([1000.0, 3000.0])
    flashes = (onsets[:, None] + np.arange(0, 200, 16.7)).ravel()
    x = photodiode(flashes, 5000, width=2)
    assert find_pulses(x, SFREQ, 5.0) == pytest.approx(onsets, abs=0.1)


def test_what_is_on_at_the_start_has_no_onset() -> None:
    x = photodiode(np.array([-20.0, 1000.0]), 3000)
    assert find_pulses(x, SFREQ, 5.0) == pytest.approx([1000], abs=0.1)


@pytest.mark.parametrize("x", [np.zeros(5000), np.random.default_rng(0).normal(size=5000)])
def test_no_pulses_are_no_level(x: NDArray[np.float64]) -> None:
    assert find_level(x, SFREQ, np.arange(200, 4500, 200), 100) is None


def test_artifacts_and_pulses_that_fail_to_come_do_not_change_the_height() -> None:
    onsets = np.arange(500, 59_000, 700).astype(float)
    x = photodiode(np.delete(onsets, slice(0, None, 3)))
    x[30_000:30_005] = 500.0
    level = find_level(x, SFREQ, onsets.astype(int), 300)
    assert level is not None
    assert level.height == pytest.approx(5, rel=0.1)


def test_a_wandering_baseline_gives_no_fixed_threshold() -> None:
    onsets = np.arange(500.0, 59_000, 700)
    for drift, steady in ((0.1, True), (4.0, False)):
        x = photodiode(onsets, drift=drift)
        level = find_level(x, SFREQ, onsets.astype(int), 300)
        assert level is not None
        assert level.steady is steady


def test_empty_in_empty_out() -> None:
    assert len(find_pulses(np.empty(0), SFREQ, 1.0)) == 0
