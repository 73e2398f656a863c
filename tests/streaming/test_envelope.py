from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from streaming.envelope import Envelope, Rise
from tests.examples import examples

SFREQ = 250.0


def _fed(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[Envelope, list[Rise]]:
    envelope, rises = Envelope(SFREQ), []
    for a, b in zip(x, y, strict=True):
        rise = envelope.add(float(a), float(b), high=float(b), n=1)
        rises += [] if rise is None else [rise]
    return envelope, rises


@examples(20)
@given(ppm=st.floats(-100, 100), late=st.floats(0, 0.02), seed=st.integers(0, 1000))
def test_the_envelope_is_the_line_below_late_points(ppm: float, late: float, seed: int) -> None:
    x = np.arange(0, 60, 0.1)
    truth = 7.0 + ppm * 1e-6 * x
    envelope, rises = _fed(x, truth + np.random.default_rng(seed).uniform(0, late, len(x)))
    assert not rises
    assert envelope.slope == pytest.approx(ppm * 1e-6, abs=60e-6)
    np.testing.assert_allclose(envelope.at(x[-100:]), truth[-100:], atol=1.5e-3)
    assert envelope.height(3.0) == envelope.at(np.array([3.0]))[0]


@pytest.mark.parametrize("slope", [-0.5, -0.024, -0.01, 0.01, 0.024, 0.1])
def test_a_slope_that_is_no_crystals_is_learned_from_three_seconds(slope: float) -> None:
    x = np.arange(0, 3.1, 0.1)
    if abs(slope) * 2 < 0.03:  # as late as deliveries may be
        x = np.arange(0, 5.1, 0.1)
    envelope, _ = _fed(x, slope * x)
    assert envelope.slope == pytest.approx(slope, rel=0.03)


def test_late_seconds_are_no_slope() -> None:
    x = np.arange(0, 9, 0.1)
    y = np.where(x > 6, 0.06, 0.0)  # the amplifier was cut off
    envelope, _ = _fed(x, y)
    assert abs(envelope.slope) < 1e-6


@pytest.mark.parametrize("n_lost", [2, 3, 4])
def test_a_rise_is_found_with_its_place_and_length(n_lost: int) -> None:
    x = np.arange(0, 70, 0.1)
    late = np.random.default_rng(0).uniform(0, 0.012, len(x))
    y = late + np.where(x > 40, n_lost / SFREQ, 0.0)
    envelope, (rise,) = _fed(x, y)
    assert rise.n_times == n_lost
    assert rise.start - 1 <= 40 <= rise.stop + 1
    assert envelope.height(70) == pytest.approx(n_lost / SFREQ, abs=1.5e-3)


def test_it_is_lifted_with_the_clock() -> None:
    x = np.arange(0, 20, 0.1)
    envelope, _ = _fed(x, 0.0 * x)
    envelope.lift(0.015)
    np.testing.assert_allclose(envelope.at(x), 0.015)
    assert envelope.add(20.0, 0.015, high=0.015, n=1) is None
