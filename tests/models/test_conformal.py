from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta

from models.conformal import (
    Odds,
    final_revisions,
    least_trials,
    odds_of,
    set_threshold,
    stop_thresholds,
)

RNG = np.random.default_rng(0)


def sequence(n: int, sharpness: tuple[float, ...], seed: int = 0) -> Odds:
    """Return trials whose probabilities are right, and sharper at each latency."""
    rng = np.random.default_rng(seed)
    truth, best = [], []
    for s in sharpness:
        p = rng.beta(s, 1, n).clip(0.5, 1.0)  # of two: the best is right with this probability
        right = rng.random(n) < p
        truth.append(np.where(right, p, 1 - p))
        best.append(p)
    return Odds(np.stack(truth, axis=1), np.stack(best, axis=1))


@pytest.mark.parametrize("risk", [0.05, 0.1, 0.2, 0.3])
def test_coverage_of_exchangeable_trials_is_what_theory_says(risk: float) -> None:
    """Over calibrations the coverage is Beta distributed (Vovk 2012): its mean is compared."""
    n, draws = 60, 2000
    covered = []
    for _ in range(draws):
        threshold = set_threshold(RNG.random(n), risk)
        assert threshold is not None
        covered.append(1 - threshold)  # a uniform truth is in the set with this probability
    k = int(np.ceil((n + 1) * (1 - risk) - 1e-9))
    expected = beta(k, n + 1 - k)
    assert np.mean(covered) == pytest.approx(
        expected.mean(), abs=4 * expected.std() / draws**0.5
    )
    assert expected.mean() >= 1 - risk


@given(st.lists(st.floats(0, 1), min_size=4, max_size=50), st.sampled_from([0.2, 0.3, 0.5]))
def test_at_most_the_promised_share_of_the_trials_themselves_is_missed(
    truth: list[float], risk: float
) -> None:
    threshold = set_threshold(np.array(truth), risk)
    assert threshold is not None
    assert sum(p < threshold for p in truth) <= risk * (len(truth) + 1)


@pytest.mark.parametrize("risk", [0.01, 0.05, 0.1, 0.2, 0.25, 0.3, 0.5])
def test_one_trial_fewer_than_needed_gives_no_set(risk: float) -> None:
    n = least_trials(risk)
    assert set_threshold(np.full(n, 0.5), risk) is not None
    assert set_threshold(np.full(n - 1, 0.5), risk) is None


def test_odds_are_those_of_a_softmax() -> None:
    similarity = RNG.standard_normal((5, 3)).astype(np.float32)
    truth = np.array([0, 1, 2, 0, 1])
    odds = odds_of([similarity, 2 * similarity], truth, [1.0, 2.0])
    e = np.exp(similarity.astype(float))
    p = e / e.sum(axis=1, keepdims=True)
    for revision in (0, 1):
        np.testing.assert_allclose(odds.truth[:, revision], p[range(5), truth], rtol=1e-6)
        np.testing.assert_allclose(odds.best[:, revision], p.max(axis=1), rtol=1e-6)
    np.testing.assert_array_equal(odds.right[:, 0], p.argmax(axis=1) == truth)


def test_what_cannot_be_odds_is_refused() -> None:
    one = np.full((3, 1), 0.5)
    with pytest.raises(ValueError, match="must match"):
        Odds(one, one[:2])
    with pytest.raises(ValueError, match="none is above"):
        Odds(one, one / 2)


def test_a_trial_is_final_where_it_first_reaches_the_threshold() -> None:
    best = np.array([[0.9, 0.5, 0.9], [0.5, 0.8, 0.6], [0.5, 0.5, 0.5]])
    odds = Odds(best, best)
    assert final_revisions(odds, 0.8).tolist() == [0, 1, 2]
    assert final_revisions(odds, None).tolist() == [2, 2, 2]


@pytest.mark.parametrize("risk", [0.1, 0.2])
def test_early_answers_are_wrong_no_more_often_than_promised(risk: float) -> None:
    """Of 60 calibrations at most one in ten may choose a threshold that errs more often."""
    large = sequence(100_000, (2.0, 6.0, 20.0), seed=1)
    rows, broken, known = np.arange(len(large)), 0, 0
    for seed in range(60):
        chosen = stop_thresholds(sequence(1000, (2.0, 6.0, 20.0), seed=2 + seed), risk)
        if not chosen:
            continue
        known += 1
        stops = final_revisions(large, chosen[0])
        early = stops < 2
        broken += float((~large.right[rows, stops])[early].mean()) > risk
    assert known > 50
    assert broken <= 0.1 * 60


def test_noise_is_never_stopped_for() -> None:
    p = np.random.default_rng(0).uniform(0.5, 1, (500, 3))
    right = np.random.default_rng(1).random((500, 3)) < 0.5
    assert stop_thresholds(Odds(np.where(right, p, 1 - p), p), 0.2) == ()
