from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import linprog

from streaming.line import Points, count_between, highest_line
from tests.examples import examples


def _lowest(x: NDArray[np.float64], y: NDArray[np.float64]) -> Points:
    """Return the lowest point of each second."""
    second = x.astype(int)
    numbers, n = np.unique(second, return_counts=True)
    at = [np.flatnonzero(second == k)[y[second == k].argmin()] for k in numbers]
    return Points(x[at], y[at], n.astype(float))


@examples(20)
@given(n=st.integers(2, 40), seed=st.integers(0, 1000))
def test_it_is_the_solution_of_the_linear_programme(n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = np.sort(rng.uniform(0, 60, n)), rng.uniform(0, 0.02, n)
    weights = rng.integers(1, 20, n).astype(float)
    line = highest_line(Points(x, y, weights), 0.01)
    solved = linprog(
        [-weights.sum(), -(weights @ x)],
        np.column_stack([np.ones(n), x]),
        y,
        bounds=[(None, None), (-1, 1)],
    )
    total = weights.sum() * line.low + weights @ x * line.slope
    assert total == pytest.approx(-solved.fun, rel=1e-6, abs=1e-9)
    assert (y - line.low - line.slope * x).min() == pytest.approx(0, abs=1e-12)
    assert line.height(3.0) == line.low + 3 * line.slope


def test_what_is_known_of_the_slope_decides_where_points_do_not() -> None:
    points = Points(np.arange(3.0), np.array([0.0, 0.003, 0.004]), np.ones(3))
    assert highest_line(points, 0.01).slope == pytest.approx(0.002, abs=1.001e-3)
    assert highest_line(points, 0.01, 5e-5, 1e-6).slope == pytest.approx(5e-5, abs=1e-7)


def test_it_errs_less_than_least_squares() -> None:
    rng, ours, squares = np.random.default_rng(0), [], []
    for _ in range(100):
        x = np.arange(0, 25, 0.01)
        points = _lowest(x, 50e-6 * x + rng.uniform(0, 0.02, len(x)))
        ours.append(highest_line(points, 0.01, 0.0, 1e-4).slope - 50e-6)
        squares.append(np.polyfit(points.x, points.y, 1)[0] - 50e-6)
    assert np.std(ours) < 0.5 * np.std(squares)


@examples(20)
@given(
    n_lost=st.integers(0, 3000),
    ppm=st.floats(-100, 100),
    late=st.floats(0, 0.02),
    seed=st.integers(0, 1000),
)
def test_a_number_that_is_likelier_by_far_is_right(
    n_lost: int, ppm: float, late: float, seed: int
) -> None:
    rng, sfreq = np.random.default_rng(seed), 1000.0
    x = np.arange(0, 16, 0.01)
    taken = x + np.where(x >= 8, n_lost / sfreq, 0.0)  # what is missing is not in x
    y = taken * (1 + ppm * 1e-6) - x + rng.uniform(0, late, len(x))
    before = _lowest(x[x < 8], y[x < 8])
    after = _lowest(x[x >= 8], y[x >= 8])
    near = n_lost + int(rng.integers(-3, 4))
    count = count_between(before, after, sfreq, near, max(late / 2, 2e-5), 0.0, 1e-4)
    assert count.margin > 12
    assert count.n_times == n_lost
    assert count.misfit < 30


def test_what_is_no_whole_number_is_known_to_be_none() -> None:
    x = np.arange(0, 16, 0.1)
    y = np.where(x >= 8, 0.5024, 0.0)
    before, after = (Points(x[at], y[at], np.ones(80)) for at in (x < 8, x >= 8))
    assert count_between(before, after, 200.0, 100, 1e-4, 0.0, 1e-4).misfit > 30
    assert count_between(before, after, 200.0, 100, 0.01, 0.0, 1e-4).margin < 40
