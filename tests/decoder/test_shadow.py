from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad

from decoder.shadow import ENOUGH, Paired


def counted(n_better: int, n_worse: int) -> Paired:
    return Paired(n_better, n_worse, 0)


@pytest.mark.parametrize(("won", "lost"), [(0, 0), (3, 1), (30, 12), (2, 9)])
def test_evidence_is_the_bet_averaged_over_rates(won: int, lost: int) -> None:
    bet, _ = quad(lambda r: 2 * (2 * r) ** won * (2 - 2 * r) ** lost, 0.5, 1.0)
    assert counted(won, lost).better == pytest.approx(bet)
    assert counted(lost, won).worse == pytest.approx(bet)


def test_what_is_no_better_is_believed_to_be_so_in_one_of_20_cases_at_most() -> None:
    rng = np.random.default_rng(0)
    n_believed = 0
    for _ in range(400):
        wins = rng.random(300) < 0.5
        paired = Paired()
        for win in wins.tolist():
            paired.add(1 if win else 3, 2)
            if paired.better >= ENOUGH:
                n_believed += 1
                break
    assert n_believed / 400 < 1 / ENOUGH


def test_what_is_better_is_found_and_ties_count_nothing() -> None:
    paired = Paired()
    for _ in range(9):
        paired.add(1, 4)
        paired.add(7, 7)
    assert paired.better >= ENOUGH > 1 > paired.worse
    assert (paired.n, paired.n_better, paired.n_equal) == (18, 9, 9)
    assert counted(5000, 0).better > 1e300
    assert counted(0, 5000).better == pytest.approx(0.0)
