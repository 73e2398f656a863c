from __future__ import annotations

import numpy as np
from pyriemann.geometry.mean import mean_logeuclid
from pyriemann.tangentspace import TangentSpace
from sklearn.covariance import OAS

from models.tangent import covariances, log_mean, shrunk, tangent, whitener

SIGNALS = np.random.default_rng(0).standard_normal((20, 6, 40)) * np.arange(1, 7)[:, None]


def test_covariances_are_those_of_sklearn() -> None:
    expected = [OAS().fit(signal.T).covariance_ for signal in SIGNALS]
    np.testing.assert_allclose(covariances(SIGNALS), expected, rtol=1e-10)


def test_means_and_tangent_vectors_are_those_of_pyriemann() -> None:
    matrices = covariances(SIGNALS)
    mean = log_mean(matrices)
    np.testing.assert_allclose(mean, mean_logeuclid(matrices), rtol=1e-10)
    oracle = TangentSpace(metric="riemann").fit(matrices)
    oracle.reference_ = mean
    ours = tangent(matrices, whitener(mean))
    np.testing.assert_allclose(ours, oracle.transform(matrices), rtol=1e-8, atol=1e-12)


def test_one_is_mapped_as_among_many() -> None:
    matrices = covariances(SIGNALS)
    whiten = whitener(log_mean(matrices))
    alone = np.concatenate([tangent(one[None], whiten) for one in matrices])
    np.testing.assert_allclose(alone, tangent(matrices, whiten), rtol=1e-12, atol=1e-14)


def test_shrinking_keeps_the_trace() -> None:
    matrices = covariances(SIGNALS)
    half = shrunk(matrices, 0.5)
    np.testing.assert_allclose(np.trace(half, axis1=1, axis2=2), np.trace(matrices, 0, 1, 2))
    np.testing.assert_allclose(half[:, 0, 1], 0.5 * matrices[:, 0, 1])


def test_what_is_flat_stays_finite() -> None:
    flat = covariances(np.zeros((3, 4, 10)))
    assert np.isfinite(tangent(flat, whitener(log_mean(flat)))).all()
