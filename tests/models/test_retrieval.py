from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax

from models.retrieval import (
    calibration_error,
    directions,
    fit_temperature,
    probabilities,
    similarities,
)
from streaming.errors import ConfigError

RNG = np.random.default_rng(0)
VECTORS = RNG.standard_normal((20, 8)).astype(np.float32)
CENTRE = VECTORS[:10].mean(0)


def test_the_ranking_is_that_of_cosine_to_the_centred_candidates() -> None:
    latent = RNG.standard_normal(8).astype(np.float32)
    ours = similarities(directions(VECTORS, CENTRE), CENTRE, latent)
    offset, centred = latent - CENTRE, VECTORS - CENTRE
    cosine = centred @ offset / np.linalg.norm(centred, axis=1) / np.linalg.norm(offset)
    np.testing.assert_array_equal(np.argsort(-ours), np.argsort(-cosine))
    np.testing.assert_allclose(ours / np.linalg.norm(offset), cosine, rtol=1e-4, atol=1e-6)


def test_a_candidate_at_the_centre_is_refused() -> None:
    with pytest.raises(ConfigError, match="candidate 3 lies at the mean"):
        directions(VECTORS, VECTORS[3])


def test_the_temperature_that_made_the_data_is_found() -> None:
    logits = RNG.standard_normal((20000, 5)) * 3
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    truth = (p.cumsum(1) > RNG.random((20000, 1))).argmax(1)
    similarity = (logits * 0.02).astype(np.float32)
    temperature = fit_temperature(similarity, truth)
    assert temperature == pytest.approx(0.02, rel=0.05)
    fitted = probabilities(similarity, temperature)
    np.testing.assert_allclose(fitted.sum(1), 1)
    assert calibration_error(fitted, truth) < 0.02
    assert calibration_error(probabilities(similarity, 0.002), truth) > 0.1


def test_at_chance_probabilities_are_flat() -> None:
    similarity = RNG.standard_normal((2000, 5)).astype(np.float32)
    truth = RNG.integers(0, 5, 2000)
    p = probabilities(similarity, fit_temperature(similarity, truth))
    assert np.abs(p - 0.2).max() < 0.05
    constant = np.zeros((10, 5), np.float32)
    assert np.isfinite(fit_temperature(constant, truth[:10]))


def test_probabilities_are_those_of_scipy() -> None:
    similarity = np.random.default_rng(3).standard_normal((40, 300)).astype(np.float32)
    expected = softmax(similarity.astype(np.float64) / 0.1, axis=-1)
    np.testing.assert_array_equal(probabilities(similarity, 0.1), expected)
