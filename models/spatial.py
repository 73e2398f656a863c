"""Spatial filters learned from training windows: many channels to the few that matter."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

__all__ = ["MAX_COMPONENTS", "MAX_FILTERS", "principal_components", "spatial_filters"]

MAX_COMPONENTS = 32
"""Principal components kept where no stimulus recurs."""

MAX_FILTERS = 16
"""Filters kept where stimuli recur. Three simulated people, 32 channels, top-1 among 300 of
concepts seen / never seen, in multiples of chance: 8 filters 108, 109, 109 / 7, 4, 6;
16 filters 148, 134, 125 / 11, 6, 8; 24 filters 130, 115, 112 / 6, 5, 6;
all channels 68, 57, 58 / 3, 2, 3; 20 principal components 99, 78, 85 / 10, 2, 4.
"""

_MAX_WHITENED = 64  # of more directions, two classes would always find some that fit


def principal_components(
    windows: NDArray[np.float32], n_components: int
) -> NDArray[np.float64]:
    """Return principal components of the channels, each scaled to variance 1.

    Channels are scaled first, so that types in different units weigh the same.

    Parameters
    ----------
    windows : array of shape (n_windows, n_channels, n_times)
        Training windows.
    n_components : int
        How many to keep at most; those without variance, as an average reference or a dead
        channel leaves them, are not kept.

    Returns
    -------
    array of shape (n_kept, n_channels)
        Filters, to be multiplied from the left.
    """
    n_windows, n_channels, n_times = windows.shape
    n = n_windows * n_times
    mean = windows.sum(axis=(0, 2), dtype=np.float64) / n
    cov = np.zeros((n_channels, n_channels))
    for window in windows:
        centred = window - mean[:, None]
        cov += centred @ centred.T / n
    scale = np.sqrt(np.diag(cov))
    scale[scale <= 1e-12 * scale.max()] = np.inf
    variances, vectors = eigh(cov / np.outer(scale, scale))
    kept = np.flatnonzero(variances > 1e-6 * variances[-1])[::-1][:n_components]
    return np.ascontiguousarray((vectors[:, kept] / np.sqrt(variances[kept])).T / scale)


def spatial_filters(
    windows: NDArray[np.float32], targets: NDArray[np.float32], n_filters: int = MAX_FILTERS
) -> NDArray[np.float64]:
    """Return the spatial filters whose output tells most of what was shown.

    They are the directions in which the averages over trials with the same target vary most,
    relative to single trials (denoising source separation; de Cheveigne and Parra 2014).
    Where no target recurs, they are principal components; few channels stay as they are.

    Parameters
    ----------
    windows : array of shape (n_windows, n_channels, n_times)
        Training windows.
    targets : array of shape (n_windows, n_dims)
        What each is to be mapped to.
    n_filters : int
        How many to keep, and up to twice as many principal components; so few channels, or
        fewer, stay as they are.

    Returns
    -------
    array of shape (n_filters, n_channels)
        Filters, to be multiplied from the left; the output of each has variance 1.
    """
    n_windows, n_channels, _ = windows.shape
    if n_channels <= n_filters:
        return np.eye(n_channels)
    _, shown, counts = np.unique(targets, axis=0, return_inverse=True, return_counts=True)
    if n_windows < 2 * len(counts):
        return principal_components(windows, min(MAX_COMPONENTS, 2 * n_filters))
    whiten = principal_components(windows, _MAX_WHITENED)
    grand_mean = windows.mean(axis=0, dtype=np.float64)
    between = np.zeros((len(whiten), len(whiten)))
    for index, count in enumerate(counts):
        average = windows[shown.reshape(-1) == index].mean(axis=0, dtype=np.float64)
        difference = whiten @ (average - grand_mean)
        between += count * difference @ difference.T
    _, vectors = eigh(between)
    return np.ascontiguousarray(vectors[:, ::-1][:, :n_filters].T @ whiten)
