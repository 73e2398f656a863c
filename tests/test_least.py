"""The bound of `benchmarks clock`, held against estimators that look for the best guess."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks._least import least_error

_SFREQ, _LATE = 200.0, 0.02
_N = 4000


def _room(n_blocks: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how far the offset may lie above and below the truth, after so many blocks."""
    delays = np.random.default_rng(seed).uniform(0, _LATE, (_N, n_blocks))
    return delays.min(axis=1), _LATE - delays.max(axis=1)


@pytest.mark.parametrize("n_blocks", [1, 3, 8, 30])
def test_the_middle_of_what_is_possible_reaches_it(n_blocks: int) -> None:
    above, below = _room(n_blocks, 0)
    reached = np.percentile(np.abs(above - below) / 2, 95)
    start = (n_blocks - 1) / _SFREQ
    bound = least_error(_SFREQ, 1, _LATE, start, start + 1 / _SFREQ, whole=False)
    assert bound == pytest.approx(reached, rel=0.1)


@pytest.mark.parametrize(
    ("n_blocks", "expected"), [(1, 0.0075), (3, 0.005), (8, 0.0025), (20, 0)]
)
def test_no_choice_among_whole_samples_is_better(n_blocks: int, expected: float) -> None:
    start = (n_blocks - 1) / _SFREQ
    bound = least_error(_SFREQ, 1, _LATE, start, start + 1 / _SFREQ, whole=True)
    assert bound == pytest.approx(expected, abs=1e-5)
    above, below = (np.floor(room * _SFREQ) for room in _room(n_blocks, 1))
    possible = above + below + 1  # whole samples, all as likely
    for n_within, is_enough in (
        (1 + round(2 * bound * _SFREQ), True),
        (round(2 * bound * _SFREQ), False),
    ):
        missed = (1 - np.minimum(n_within, possible) / possible).mean()
        assert (missed <= 0.05) == is_enough


def test_blocks_that_are_never_late_leave_nothing_open() -> None:
    assert least_error(_SFREQ, 8, 0.0, 1, 2, whole=False) == 0.0
