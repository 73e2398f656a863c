from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from decoder.ceiling import noise_ceiling
from models.dataset import Dataset
from tests.models.test_fit import dataset


def recurring(noise: float, n: int = 1200, n_stimuli: int = 60) -> Dataset:
    """Show each of 60 things 20 times; the responses have variance 1."""
    rng = np.random.default_rng(0)
    shown = np.concatenate([rng.permutation(n_stimuli) for _ in range(n // n_stimuli)])
    responses = rng.standard_normal((n_stimuli, 3, 40))
    windows = responses[shown] + noise * rng.standard_normal((n, 3, 40))
    return replace(
        dataset(n, files=4),
        windows=windows.astype(np.float32),
        ids=tuple(f"c{k}" for k in shown),
    )


@pytest.mark.parametrize("noise", [1.0, 4.0])
def test_the_ceiling_is_what_the_noise_leaves(noise: float) -> None:
    """With 20 trials a stimulus, the average has the variance 1 + noise ** 2 / 20."""
    found = noise_ceiling(recurring(noise))
    assert found is not None
    assert (found.n_stimuli, found.n_trials, found.halves) == (60, 1200, "runs")
    assert found.reliability == pytest.approx(1 / (1 + noise**2 / 20), abs=0.06)
    assert found.split_half == pytest.approx(1 / (1 + noise**2 / 10), abs=0.06)
    assert found.ceiling == pytest.approx(np.sqrt(found.reliability))


def test_noise_has_no_ceiling() -> None:
    data = recurring(1.0)
    rng = np.random.default_rng(1)
    noise = replace(data, windows=rng.standard_normal((1200, 3, 40)).astype(np.float32))
    found = noise_ceiling(noise)
    assert found is not None
    assert found.reliability < 0.15


def test_what_never_recurs_has_none() -> None:
    data = recurring(1.0)
    assert noise_ceiling(replace(data, ids=tuple(f"c{n}" for n in range(1200)))) is None
