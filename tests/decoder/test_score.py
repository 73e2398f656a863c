from __future__ import annotations

from dataclasses import asdict

import pytest
from scipy.stats import binomtest

from decoder.score import RunningScores, sets_so_far, wilson


@pytest.mark.parametrize(("hits", "n"), [(0, 1), (0, 10), (3, 10), (10, 10), (7, 400)])
def test_wilson_is_scipys(hits: int, n: int) -> None:
    truth = binomtest(hits, n).proportion_ci(method="wilson")
    assert wilson(hits, n) == pytest.approx((truth.low, truth.high), abs=1e-4)


def test_the_two_protocols_are_never_mixed() -> None:
    scores = RunningScores(300, {})
    assert scores.summary() == ()
    for rank in (1, 3, 9):
        scores.add(rank, trained=True)
    scores.add(100, trained=False)
    closed, zero = scores.summary()
    assert (closed.protocol, closed.n, closed.pool) == ("closed_set", 3, 300)
    assert (closed.top1, closed.top5, closed.median_rank) == (1 / 3, 2 / 3, 3.0)
    assert (zero.protocol, zero.n, zero.top1, zero.median_rank) == ("zero_shot", 1, 0.0, 100.0)


def test_sets_are_counted_apart_and_gone_on_from_what_was_said() -> None:
    scores = RunningScores(300, {"closed_set": [1]}, {"closed_set": [2, 1, 30]})
    scores.add_set(12, holds=True, trained=True)
    scores.add_set(90, holds=True, trained=False)
    (closed,) = scores.summary()
    assert (closed.n_sets, closed.coverage, closed.set_size) == (3, 2 / 3, 14.0)
    assert (closed.coverage_low, closed.coverage_high) == wilson(2, 3)
    assert sets_so_far(asdict(closed)) == [3, 2, 42]
    assert sets_so_far({"protocol": "closed_set", "n": 3}) == [0, 0, 0]
