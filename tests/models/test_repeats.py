from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from models.fit import fit_model
from models.repeats import MAX_REPEATS, fit_repeats, pooling_temperature
from models.retrieval import fit_temperature, probabilities
from tests.models.test_fit import dataset, labels


def trials(
    n: int, shared: float, seed: int = 0
) -> tuple[NDArray[np.float32], NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
    """Return windows of stimuli that come ten times each, with noise that these share."""
    rng = np.random.default_rng(seed)
    stimulus = np.arange(n) // 10
    truth = rng.integers(0, 4, n // 10)[stimulus]
    noise = rng.standard_normal((n, 4)) + shared * rng.standard_normal((n // 10, 4))[stimulus]
    similarity = (np.eye(4)[truth] + noise).astype(np.float32)
    # Each stimulus is a run of its own, so that its repeats are summed with each other.
    return similarity, truth, stimulus, np.arange(n, dtype=float)


def test_a_sum_of_independent_windows_is_worth_all_of_them() -> None:
    similarity, truth, groups, t = trials(4000, shared=0.0)
    found = fit_repeats(similarity, fit_temperature(similarity, truth), truth, groups, t)
    assert [each.n for each in found] == list(range(2, MAX_REPEATS + 1))
    for each in found:
        assert each.temperature == pytest.approx(1.0, rel=0.25)


def test_noise_that_windows_share_makes_their_sum_worth_less() -> None:
    similarity, truth, groups, t = trials(4000, shared=1.5)
    one = fit_temperature(similarity, truth)
    found = {each.n: each for each in fit_repeats(similarity, one, truth, groups, t)}
    assert found[10].temperature > found[5].temperature > found[2].temperature > 1.2
    new, shown, *_ = trials(20_000, shared=1.5, seed=1)
    sums = new.reshape(-1, 10, 4).sum(axis=1).astype(np.float64) / one
    for temperature, fits in ((found[10].temperature, True), (1.0, False)):
        p = probabilities(sums, temperature)
        right = (p.argmax(1) == shown[::10]).mean()
        assert (
            bool(abs(p.max(1).mean() - right) < 0.04) == fits
        )  # the naive product is too sure


def test_beyond_what_was_fitted_more_windows_make_nothing_surer() -> None:
    similarity, truth, groups, t = trials(400, shared=0.5)
    known = fit_repeats(similarity, 1.0, truth, groups, t)
    assert pooling_temperature(known, 1) == (1.0, True)
    assert pooling_temperature(known, 4) == (known[2].temperature, True)
    worth, fitted = pooling_temperature(known, 20)
    assert worth == pytest.approx(2 * known[-1].temperature)
    assert not fitted
    assert pooling_temperature((), 3) == (3.0, False)


def test_a_fit_keeps_what_sums_are_worth() -> None:
    model = fit_model(dataset(signal=0.2), labels()).model
    assert [each.n for each in model.repeats] == [2, 3, 4, 5]  # 20 sums of 120 trials and more
    assert all(len(each.odds) >= 20 for each in model.repeats)
    best = [each.odds.right.mean() for each in model.repeats]
    assert best[-1] > model.conformal["closed_set"].right.mean()
