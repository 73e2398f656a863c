from __future__ import annotations

import numpy as np

from decoder.account import Score, Windows


def test_what_never_came_out_is_counted_as_none() -> None:
    windows = Windows(np.arange(4.0), np.array([0, 2, 0, 1]), ("decoded", "stale", "gap"))
    said = ("decoded", "stale", "gap", "paused")
    assert [windows.count(one) for one in said] == [2, 1, 1, 0]


def test_hits_are_truths_that_came_first() -> None:
    rank = np.array([1, 3, 1, 2])
    score = Score("closed_set", "m", 1, 3, np.arange(4.0), rank, {("a", "a"): 2, ("a", "b"): 2})
    assert score.hits == 2
    assert Score("closed_set", "m", 1, 3, np.empty(0), rank[:0], {}).hits == 0
