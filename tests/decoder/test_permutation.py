from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import false_discovery_control

from decoder.permutation import fdr, permutation_p


def test_p_is_uniform_without_information() -> None:
    values: list[float] = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        truth = rng.integers(0, 3, 40)
        columns = rng.standard_normal((40, 3))
        values += permutation_p([columns], truth, np.arange(40) // 8, cross_validated=False)
    assert 0.3 < np.mean(values) < 0.7
    assert min(values) < 0.2 < np.median(values)


def test_circular_shifts_keep_the_order() -> None:
    """Of a strict alternation every second shift is as good as the truth."""
    truth = np.arange(40) % 2
    columns = np.stack([1.0 - truth, truth], axis=1)
    (p,) = permutation_p(
        [columns], truth, np.zeros(40, int), cross_validated=False, order="alternating"
    )
    assert p == pytest.approx(0.5, abs=0.02)


def test_adjusted_p_values_are_those_of_scipy() -> None:
    p = np.random.default_rng(0).random(50) ** 3
    np.testing.assert_allclose(fdr(p), false_discovery_control(p))
