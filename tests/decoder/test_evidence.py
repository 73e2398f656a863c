from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import logsumexp
from scipy.stats import binom

from decoder.evidence import BETS, KEPT, LOST, NOTHING, Stake, gains, mixture
from tests.examples import examples

logits = st.lists(st.floats(-600, 0), min_size=2, max_size=8)


@examples(100)
@given(scores=logits, seed=st.integers(0, 2**32 - 1))
def test_no_score_wins_in_the_mean_of_the_odds(scores: list[float], seed: int) -> None:
    odds = np.random.default_rng(seed).dirichlet(np.ones(len(scores)))
    odds[: len(odds) // 3] = 0  # what is impossible now
    odds /= odds.sum()
    s = np.array(scores)
    won = np.array([10 ** gains(s, odds, j) for j in range(len(s)) if odds[j] > 0])
    np.testing.assert_allclose(odds[odds > 0] @ won, np.ones(len(BETS)), rtol=1e-9)


def test_a_gain_is_the_ratio_that_it_is_defined_as() -> None:
    rng = np.random.default_rng(0)
    scores, odds = rng.normal(size=(4, 5)), rng.dirichlet(np.ones(5), 4)
    truth = np.array([0, 4, 2, 2])
    got = gains(scores, odds, truth)
    for trial, bet in np.ndindex(got.shape):
        b = BETS[bet]
        under_odds = logsumexp(b * scores[trial], b=odds[trial])
        won = math.exp(b * scores[trial, truth[trial]] - under_odds)
        assert 10 ** got[trial, bet] == pytest.approx(KEPT + (1 - KEPT) * won)
    np.testing.assert_array_equal(gains(scores[1], odds[1], 4), got[1])


def test_a_decoder_that_is_sure_and_right_wins_what_the_odds_pay() -> None:
    scores = np.log([0.97, 0.01, 0.01, 0.01])
    assert 10 ** gains(scores, np.full(4, 0.25), 0)[BETS.index(1.0)] == pytest.approx(
        0.1 + 0.9 * 3.88
    )


@examples(50)
@given(scores=logits, seed=st.integers(0, 2**32 - 1))
def test_who_chooses_by_the_label_between_a_bet_and_what_is_kept_of_it_wins_nothing(
    scores: list[float], seed: int
) -> None:
    """Whatever the decoder says: lost trials are never worth more than the bet would be."""
    odds = np.random.default_rng(seed).dirichlet(np.ones(len(scores)))
    won = np.stack([gains(np.array(scores), odds, j) for j in range(len(scores))])
    assert (won >= np.array(LOST)).all()


def test_the_whole_is_the_mean_of_the_bets_however_small_they_are() -> None:
    bets = np.array([-1000.0, -1001.0])
    assert mixture(bets) == pytest.approx(-1000 + math.log10(0.55))
    stake = Stake(3, (2.0, 0.0, -3.0, -40.0, -600.0), 1.5)
    assert stake.log10_e == pytest.approx(math.log10(101.001 / 5))
    assert stake.p == pytest.approx(10**-1.5)


def test_a_stake_grows_and_shrinks_and_keeps_its_most() -> None:
    up, down = (0.3,) * len(BETS), (-1.0,) * len(BETS)
    stake = NOTHING.after(up).after(up).after(down)
    assert stake.n == 3
    assert stake.log10_e == pytest.approx(-0.4)
    assert stake.log10_e_max == pytest.approx(0.6)
    assert NOTHING.after(down).p == 1.0


def test_with_nothing_to_tell_few_sessions_ever_seem_to_tell() -> None:
    # Chance that as many cross if one in 20 does: below 1 in 1,000 for the limit taken.
    rng = np.random.default_rng(1)
    n_sessions, n_trials, odds = 400, 150, np.array([0.7, 0.2, 0.1])
    scores = rng.normal(size=(n_sessions, n_trials, 3)) * 3 + [0, 0, 2]  # with a hub
    truth = rng.choice(3, (n_sessions, n_trials), p=odds)
    won = gains(scores, np.broadcast_to(odds, scores.shape), truth)
    most = mixture(np.cumsum(won, axis=1)).max(axis=1)
    assert (most >= math.log10(20)).sum() <= binom.ppf(0.999, n_sessions, 0.05)
