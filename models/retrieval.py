"""From a latent to a ranking of candidates with probabilities.

A candidate is scored by how far the latent reaches from the centre of the training targets in
the candidate's direction. For one latent that ranks exactly as cosine similarity to the
centred candidates does. The latent's own length is kept, because a ridge shrinks what it is
unsure of: two classes have opposite directions, so that every cosine would be 1 or -1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from streaming.errors import ConfigError

__all__ = [
    "calibration_error",
    "cross_fitted_probabilities",
    "directions",
    "fit_temperature",
    "probabilities",
    "similarities",
]


def directions(
    vectors: NDArray[np.float32], centre: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return where each candidate lies, seen from the centre.

    Parameters
    ----------
    vectors : array of shape (n_candidates, n_dims)
        The embedded candidates.
    centre : array of shape (n_dims,)
        Mean of the targets that the encoder was fitted to.

    Returns
    -------
    array of shape (n_candidates, n_dims)
        Rows of length 1.
    """
    offsets = vectors.astype(np.float64) - centre
    lengths = np.linalg.norm(offsets, axis=1, keepdims=True)
    if lengths.min() < 1e-9:
        index = int(lengths.argmin())
        msg = (
            f"candidate {index} lies at the mean of the training targets and cannot be told "
            "from the others; show at least two different candidates in calibration"
        )
        raise ConfigError(msg)
    return np.ascontiguousarray(offsets / lengths, dtype=np.float32)


def similarities(
    toward: NDArray[np.float32], centre: NDArray[np.float32], vector: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return how much one latent speaks for each candidate.

    Parameters
    ----------
    toward : array of shape (n_candidates, n_dims)
        What `directions` returns.
    centre : array of shape (n_dims,)
        Mean of the targets that the encoder was fitted to.
    vector : array of shape (n_dims,)
        The latent.

    Examples
    --------
    >>> toward = directions(np.eye(2, dtype=np.float32), np.full(2, 0.5, np.float32))
    >>> similarities(toward, np.full(2, 0.5, np.float32), np.float32([0.6, 0.4])).round(3)
    array([ 0.141, -0.141], dtype=float32)
    """
    return toward @ (vector - centre)


def probabilities(
    similarity: NDArray[np.float32] | NDArray[np.float64], temperature: float
) -> NDArray[np.float64]:
    """Return probabilities over the last axis: the softmax of similarity over temperature."""
    # As scipy.special.softmax, bit for bit, without its 7 us of checks
    scaled = similarity.astype(np.float64) / temperature
    weights = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True))


def fit_temperature(similarity: NDArray[np.float32], truth: NDArray[np.intp]) -> float:
    """Return the temperature under which held-out truths are most likely.

    Parameters
    ----------
    similarity : array of shape (n_trials, n_candidates)
        Of trials that the encoder was not fitted to; minus infinity for what a trial did not
        choose from.
    truth : array of shape (n_trials,)
        Index of what was shown in each.
    """
    rows = np.arange(len(truth))
    spread = float(similarity[np.isfinite(similarity)].std()) or 1.0
    scaled = similarity.astype(np.float64) / spread

    def surprise(log_temperature: float) -> float:
        scores = log_softmax(scaled / np.exp(log_temperature), axis=-1)
        return -float(scores[rows, truth].mean())

    # From one winner takes all to flat: at chance the best temperature is infinite.
    best = minimize_scalar(surprise, bounds=(-5.0, 10.0), method="bounded")
    return float(np.exp(best.x) * spread)


def cross_fitted_probabilities(
    similarity: NDArray[np.float32], truth: NDArray[np.intp], groups: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Return the probabilities of each run under the temperature that the others give.

    Parameters
    ----------
    similarity : array of shape (n_trials, n_candidates)
        Of held-out trials.
    truth, groups : array of shape (n_trials,)
        Index of what was shown in each, and its run; one run alone gives its own temperature.
    """
    p = np.zeros(similarity.shape)
    for group in np.unique(groups):
        here = groups == group
        others = here if here.all() else ~here
        p[here] = probabilities(
            similarity[here], fit_temperature(similarity[others], truth[others])
        )
    return p


def calibration_error(
    p: NDArray[np.float64], truth: NDArray[np.intp], n_bins: int = 10
) -> float:
    """Return the expected calibration error of the best candidate's probability.

    Trials are sorted by that probability and cut into bins of equal count, because with
    hundreds of candidates most probabilities are small and bins of equal width stay empty.

    Parameters
    ----------
    p : array of shape (n_trials, n_candidates)
        Probabilities.
    truth : array of shape (n_trials,)
        Index of what was shown in each.
    n_bins : int
        Number of bins; ten is the custom.
    """
    confidence, right = p.max(axis=1), p.argmax(axis=1) == truth
    order = np.argsort(confidence, kind="stable")
    bins = np.array_split(order, min(n_bins, len(order)))
    gaps = [len(b) * abs(confidence[b].mean() - right[b].mean()) for b in bins]
    return float(sum(gaps) / len(order))
