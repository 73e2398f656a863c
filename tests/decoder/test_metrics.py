from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binomtest

from decoder.metrics import beaten, exchanged, mean_score, median_score, ranks
from decoder.resampling import bootstrap

CELLS = np.array([0, 0, 0, 0, 1, 1, 1])
TRUTH = np.array([0, 0, 0, 1, 2, 0, 2])  # unequal, and candidate 3 is never shown


def orders() -> list[NDArray[np.intp]]:
    """Return all that could have been shown with the same counts in each cell."""
    return [
        np.concatenate([one, other])
        for one in permutations(TRUTH[CELLS == 0])
        for other in permutations(TRUTH[CELLS == 1])
    ]


@pytest.mark.parametrize("k", [1, 2, 3])
def test_chance_is_the_mean_over_all_orders(k: int) -> None:
    similarity = np.random.default_rng(k).standard_normal((7, 4)).astype(np.float32)
    similarity[:, 3] -= 2.0  # the decoder has learnt that it never comes
    rank = ranks(similarity, np.ones((7, 4), bool))
    shares = exchanged(TRUTH, CELLS, 4)
    resamples = bootstrap(TRUTH, CELLS, np.arange(7.0), [], cross_validated=True)
    rows = np.arange(7)
    top = mean_score(rank <= k, TRUTH, shares, resamples)
    assert top.value == np.mean(rank[rows, TRUTH] <= k)
    assert top.chance == pytest.approx(np.mean([rank[rows, t] <= k for t in orders()]))
    two_way = beaten(rank, np.full((7, 1), 4))
    score = mean_score(two_way, TRUTH, shares, resamples)
    assert score.chance == pytest.approx(np.mean([two_way[rows, t] for t in orders()]))
    assert score.chance > 0.5  # whoever never answers what never comes beats it each time
    places = median_score(rank, TRUTH, shares, resamples, 4.0)
    assert places.chance == np.median(np.array([rank[rows, t] for t in orders()]))


def test_equal_counts_make_chance_one_of_the_pool() -> None:
    truth, cells = np.tile(np.arange(5), 8), np.repeat([0, 1], 20)
    similarity = np.random.default_rng(0).standard_normal((40, 5)).astype(np.float32)
    rank = ranks(similarity, np.ones((40, 5), bool))
    resamples = bootstrap(
        truth, cells, np.arange(len(truth), dtype=np.float64), [], cross_validated=False
    )
    shares = exchanged(truth, cells, 5)
    for k in (1, 2, 5):
        assert mean_score(rank <= k, truth, shares, resamples).chance == pytest.approx(k / 5)
    two_way = beaten(rank, np.full((40, 1), 5))
    assert mean_score(two_way, truth, shares, resamples).chance == pytest.approx(0.5)
    assert median_score(rank, truth, shares, resamples, 5.0).chance == 3.0


def test_the_most_frequent_answer_is_at_its_own_chance() -> None:
    truth = (np.arange(60) % 10 == 0).astype(np.intp)
    always = np.tile(np.array([1, 0], np.float32), (60, 1))
    rank = ranks(always, np.ones((60, 2), bool))
    cells = np.zeros(60, np.intp)
    resamples = bootstrap(
        truth, cells, np.arange(len(truth), dtype=np.float64), [], cross_validated=False
    )
    score = mean_score(rank <= 1, truth, exchanged(truth, cells, 2), resamples)
    assert score.value == pytest.approx(score.chance) == pytest.approx(0.9)


@pytest.mark.parametrize("cross_validated", [False, True])
def test_where_all_or_none_is_right_the_interval_is_that_of_a_binomial(
    cross_validated: bool,
) -> None:
    """No resample of failures has a success; that does not make the next one impossible."""
    truth = np.arange(240) % 4
    cells, t = np.arange(240) * 6 // 240, np.arange(240, dtype=np.float64)
    resamples = bootstrap(truth, cells, t, [], cross_validated=cross_validated)
    n = 120 if cross_validated else 240
    for value, hits in ((False, 0), (True, n)):
        right = np.zeros((240, 4), bool)
        right[np.arange(240), truth] = value
        right[np.arange(240), (truth + 1) % 4] = not value
        score = mean_score(right, truth, exchanged(truth, cells, 4), resamples)
        oracle = binomtest(hits, n).proportion_ci(method="exact")
        assert (score.low, score.high) == pytest.approx((oracle.low, oracle.high))
    everything = np.ones((240, 4), bool)
    score = mean_score(everything, truth, exchanged(truth, cells, 4), resamples)
    assert (score.low, score.high) == (1.0, 1.0)  # who names all four cannot be wrong
