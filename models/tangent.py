"""Covariances as points of a flat space: the arithmetic under `models.riemann`.

Covariances are positive, so that their mean and their distances are taken between their
logarithms (Arsigny et al. 2006), and what surrounds a reference is flattened around it
(Barachant et al. 2012). pyriemann does the same, and is what the tests compare with; here
nothing is imported but NumPy, since a decode needs it live.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["covariances", "log_mean", "shrunk", "tangent", "whitener"]

_FLOOR = 1e-10
"""Smallest eigenvalue, of the largest (or of 1, after whitening): what is flat stays finite."""


def covariances(signals: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return covariances over time, shrunk by as much as is best for Gaussian signals.

    Parameters
    ----------
    signals : array of shape (n, n_rows, n_times)
        Each row of each is centred first.

    Returns
    -------
    array of shape (n, n_rows, n_rows)

    Notes
    -----
    Oracle approximating shrinkage: Chen, Wiesel, Eldar and Hero (2010), IEEE Trans. Signal
    Process. 58, 5016, as scikit-learn's `OAS` computes it.
    """
    centred = signals - signals.mean(axis=-1, keepdims=True)
    n_rows, n_times = centred.shape[-2:]
    empirical = centred @ centred.transpose(0, 2, 1) / n_times
    level = np.trace(empirical, axis1=1, axis2=2) / n_rows
    power = (empirical**2).mean(axis=(1, 2))
    excess = (n_times + 1) * (power - level**2 / n_rows)
    ratio = np.divide(power + level**2, excess, out=np.ones_like(level), where=excess > 0)
    return shrunk(empirical, np.minimum(ratio, 1.0))


def shrunk(
    matrices: NDArray[np.float64], amount: float | NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return matrices moved toward a multiple of the identity, by a share from 0 to 1.

    Parameters
    ----------
    matrices : array of shape (n, n_rows, n_rows)
        Covariances.
    amount : float or array of shape (n,)
        The share, for all or for each.
    """
    n_rows = matrices.shape[-1]
    level = np.trace(matrices, axis1=1, axis2=2) / n_rows
    share = np.broadcast_to(amount, level.shape)[:, None, None]
    towards = level[:, None, None] * np.eye(n_rows)
    return np.asarray((1 - share) * matrices + share * towards)


def log_mean(matrices: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the matrix whose logarithm is the mean of the logarithms.

    Parameters
    ----------
    matrices : array of shape (n, n_rows, n_rows)
        Positive definite.

    Returns
    -------
    array of shape (n_rows, n_rows)
    """
    values, vectors = np.linalg.eigh(_log(matrices).mean(axis=0))
    return np.asarray((vectors * np.exp(values)) @ vectors.T)


def whitener(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the inverse square root of a covariance, of shape (n_rows, n_rows)."""
    values, vectors = np.linalg.eigh(matrix)
    values = np.maximum(values, _FLOOR * max(values[-1], np.finfo(float).tiny))
    return np.asarray((vectors / np.sqrt(values)) @ vectors.T)


def tangent(matrices: NDArray[np.float64], whiten: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each matrix as a vector, seen from a reference.

    Parameters
    ----------
    matrices : array of shape (n, n_rows, n_rows)
        Positive definite.
    whiten : array of shape (n_rows, n_rows)
        Inverse square root of the reference.

    Returns
    -------
    array of shape (n, n_rows * (n_rows + 1) / 2)
        The upper triangle of the logarithm of the whitened matrix, with what is off the
        diagonal times the root of 2, so that lengths stay what they are.
    """
    logs = _log(whiten @ matrices @ whiten, floor=_FLOOR)
    rows, columns = np.triu_indices(len(whiten))
    return np.asarray(logs[:, rows, columns] * np.where(rows == columns, 1.0, np.sqrt(2)))


def _log(matrices: NDArray[np.float64], floor: float | None = None) -> NDArray[np.float64]:
    """Return matrix logarithms; `floor` is the smallest eigenvalue to take one of."""
    values, vectors = np.linalg.eigh(matrices)
    least = floor or _FLOOR * np.maximum(values[:, -1:], np.finfo(float).tiny / _FLOOR)
    logs = np.log(np.maximum(values, least))
    return np.asarray((vectors * logs[:, None, :]) @ vectors.transpose(0, 2, 1))
