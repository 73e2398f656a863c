from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax

from decoder.readout import Ranking, RetrievalReadout
from models.candidates import Candidates
from models.latent import Latent

RNG = np.random.default_rng(0)
VECTORS = RNG.standard_normal((7, 5)).astype(np.float32)
CENTRE = VECTORS.mean(axis=0)
IDS = tuple("abcdefg")
POOL = Candidates(IDS, IDS, ("",) * 7, (True,) * 7, VECTORS, "sentence:test")
READOUT = RetrievalReadout(POOL, CENTRE, 0.5)


def latent(vector: np.ndarray) -> Latent:
    return Latent(vector.astype(np.float32), "sentence:test", 0.0, "m")


@given(seed=st.integers(0, 1000))
def test_the_order_is_that_of_the_cosine_to_centred_candidates(seed: int) -> None:
    vector = np.random.default_rng(seed).standard_normal(5)
    centred = VECTORS - CENTRE
    away = vector - CENTRE
    cosine = centred @ away / np.linalg.norm(centred, axis=1) / np.linalg.norm(away)
    ranking = READOUT.rank(latent(vector))
    assert ranking.order.tolist() == np.argsort(-cosine, kind="stable").tolist()
    assert ranking.probabilities.sum() == pytest.approx(1.0)


def test_probabilities_are_a_softmax_over_the_temperature() -> None:
    vector = RNG.standard_normal(5)
    directions = (VECTORS - CENTRE) / np.linalg.norm(VECTORS - CENTRE, axis=1, keepdims=True)
    expected = softmax(directions @ (vector - CENTRE) / 0.5)
    np.testing.assert_allclose(READOUT.rank(latent(vector)).probabilities, expected, rtol=1e-5)


def test_the_best_are_named_best_first() -> None:
    top = READOUT.top(READOUT.rank(latent(VECTORS[3])), 3)
    assert top[0].id == "d"
    assert [t.p for t in top] == sorted((t.p for t in top), reverse=True)


def test_a_decoder_that_finds_all_equal_does_not_score_by_the_order_of_the_list() -> None:
    ranking = READOUT.rank(latent(CENTRE))
    assert {ranking.rank_of(n) for n in range(7)} == {4}


@given(order=st.permutations(range(6)))
def test_the_rank_counts_who_is_better(order: list[int]) -> None:
    ranking = Ranking(np.array(order) / 15)
    assert [ranking.rank_of(n) for n in range(6)] == [6 - p for p in order]
