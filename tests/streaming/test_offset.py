from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from streaming.delays import Delays
from streaming.offset import Expected, Offset


def _learned(late: NDArray[np.float64]) -> Delays:
    delays = Delays()
    delays.add(late, 0.0)
    return delays


@pytest.mark.parametrize("offset", [-0.03, 0.0, 5.0])
@pytest.mark.parametrize("slope", [0.0, 1e-4])
def test_an_offset_is_told_from_few_deliveries_better_than_by_the_lowest(
    offset: float, slope: float
) -> None:
    rng, errors, lowest = np.random.default_rng(0), [], []
    delays = _learned(rng.uniform(0, 0.02, 2000))
    for _ in range(100):
        x = np.sort(rng.uniform(0, 1, 6))
        y = offset + slope * x + rng.uniform(0, 0.02, 6)
        told = Offset(delays, slope)
        told.add(x[:3], y[:3])
        told.add(x[3:], y[3:])
        estimate = told.estimate((np.nan, np.nan))
        assert estimate is not None
        errors.append(estimate[0] - offset)
        lowest.append((y - slope * x).min() - offset)
    assert np.abs(np.mean(errors)) < 0.5e-3
    assert np.sqrt(np.mean(np.square(errors))) < 0.75 * np.sqrt(np.mean(np.square(lowest)))


def test_an_offset_is_not_known_before_anything_came() -> None:
    told = Offset(_learned(np.full(100, 0.002)), 0.0)
    assert told.estimate((np.nan, np.nan)) is None
    estimate = told.estimate((0.0, 3.002))
    assert estimate is not None
    assert estimate[0] == pytest.approx(3.0, abs=0.5e-3)


def test_what_is_expected_decides_where_deliveries_do_not() -> None:
    rng = np.random.default_rng(0)
    delays = _learned(rng.uniform(0, 0.02, 2000))
    z = 7.0 + rng.uniform(0.004, 0.016, 6)
    for expected, error in ((7.0, 0.3e-3), (7.001, 0.3e-3), (9.0, 6e-3)):
        told = Offset(delays, 0.0, Expected(expected, 0.0, 0.2e-3))
        told.add(np.arange(6.0), z)
        estimate = told.estimate((np.nan, np.nan))
        assert estimate is not None
        likely = expected if expected < 8 else 7.0  # nobody can be so early
        assert estimate[0] == pytest.approx(likely, abs=error)


def test_after_a_loss_only_whole_samples_are_expected() -> None:
    expected = Expected(1.0, 0.004, 0.3e-3)
    offsets = np.array([0.996, 1.0, 1.002, 1.004, 1.4])
    log_p = expected.log_density(offsets)
    np.testing.assert_allclose(log_p[[1, 3, 4]], 0.0, atol=0.02)
    assert (log_p[[0, 2]] < -4).all()


def test_learned_delays_whose_spread_is_uneven_by_chance_do_not_outweigh_a_known_step() -> None:
    """With too few deliveries learned, some offsets seem far likelier than others."""
    rng = np.random.default_rng(0)
    for _ in range(30):
        delays = _learned(rng.uniform(0, 0.015, 1000))
        told = Offset(delays, 0.0, Expected(5.0, 0.0, 0.2e-3))
        told.add(np.arange(18) / 18, 5.0 + rng.uniform(0, 0.015, 18))
        estimate = told.estimate((np.nan, np.nan))
        assert estimate is not None
        assert estimate[0] == pytest.approx(5.0, abs=0.6e-3)


def test_where_nothing_is_expected_it_errs_to_no_side() -> None:
    rng = np.random.default_rng(1)
    delays = _learned(rng.uniform(0, 0.02, 20_000))
    errors = []
    for _ in range(400):
        told = Offset(delays, 0.0)
        told.add(np.arange(40.0), 5.0 + rng.uniform(-1e-3, 1e-3) + rng.uniform(0, 0.02, 40))
        estimate = told.estimate((np.nan, np.nan))
        assert estimate is not None
        errors.append(estimate[0] - 5.0)
    assert np.abs(np.mean(errors)) < 0.12e-3  # a bin is 0.25 ms
