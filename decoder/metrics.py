"""What is counted: places, shares and pairs, each with its chance and its interval.

Chance is what the very same answers get when what was shown is exchanged within runs, on
average over all orders: exactly what the permutation test compares with. Where things were
shown equally often it is one of the pool; where they were not, it depends on what was answered:
the agreement by chance of Cohen (1960), Educ. Psychol. Meas. 20, 37-46, within each run.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from decoder.resampling import Resamples, Score

__all__ = [
    "auc_draws",
    "auc_score",
    "beaten",
    "exchanged",
    "mean_draws",
    "mean_score",
    "median_score",
    "ranks",
    "ranks_within",
]


def ranks(similarity: NDArray[np.float32], pools: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the place of each candidate in each trial, from 1; ties share the mean place.

    Parameters
    ----------
    similarity : array of shape (n, n_candidates)
        How much each trial speaks for each candidate.
    pools : array of shape (n, n_candidates)
        What each trial chose from; the others come last.
    """
    return np.asarray(rankdata(np.where(pools, -similarity, np.inf), axis=1))


def beaten(rank: NDArray[np.float64], size: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the share of the others of a pool of `size` that a candidate at `rank` beats."""
    return (size - rank) / np.maximum(size - 1, 1)


def exchanged(
    truth: NDArray[np.intp], cells: NDArray[np.intp], n_candidates: int
) -> NDArray[np.float64]:
    """Return how often each trial gets each candidate as its truth, over all orders.

    Parameters
    ----------
    truth : array of shape (n,)
        What was shown.
    cells : array of shape (n,)
        Within what truths are exchanged.
    n_candidates : int
        How many things could have been.

    Returns
    -------
    array of shape (n, n_candidates)
        The share of each candidate in the trial's cell.

    Examples
    --------
    >>> exchanged(np.array([0, 0, 1, 2]), np.array([0, 0, 0, 1]), 3).round(2)[2:]
    array([[0.67, 0.33, 0.  ],
           [0.  , 0.  , 1.  ]])
    """
    shares = np.zeros((len(truth), n_candidates))
    for cell in np.unique(cells):
        here = cells == cell
        shares[here] = np.bincount(truth[here], minlength=n_candidates) / here.sum()
    return shares


def ranks_within(decision: NDArray[np.float32], cells: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the place of each trial among those of its cell, from 1 at the lowest."""
    places = np.zeros(len(decision))
    for cell in np.unique(cells):
        here = cells == cell
        places[here] = rankdata(decision[here])
    return places


def mean_score(
    values: NDArray[np.bool_] | NDArray[np.float64],
    truth: NDArray[np.intp],
    shares: NDArray[np.float64],
    resamples: Resamples,
) -> Score:
    """Score a mean over trials.

    Parameters
    ----------
    values : array of shape (n, n_candidates)
        What a trial counts if that candidate is the truth.
    truth : array of shape (n,)
        Which it is.
    shares : array of shape (n, n_candidates)
        Which it could be, from `exchanged`.
    resamples : Resamples
        For the interval.
    """
    own = values[np.arange(len(truth)), truth]
    means = mean_draws(own, resamples)
    chance = float((shares * values).sum() / len(truth))
    value = float(np.mean(own))
    if value in (0, 1) and not np.isclose(chance, value):
        return Score(value, chance, *resamples.all_or_none(value))
    return Score(value, chance, *resamples.interval(means))


def median_score(
    values: NDArray[np.float64],
    truth: NDArray[np.intp],
    shares: NDArray[np.float64],
    resamples: Resamples,
    largest: float,
) -> Score:
    """Score a median over trials of places from 1 to `largest`; see `mean_score`."""
    own = values[np.arange(len(truth)), truth]
    order = np.argsort(own)
    cumulative = np.cumsum(resamples.weights[:, order], axis=1)
    middle = (cumulative >= cumulative[:, -1:] / 2).argmax(axis=1)
    medians = np.where(cumulative[:, -1] > 0, own[order][middle], np.nan)
    interval = resamples.interval(medians, (1.0, largest))
    return Score(float(np.median(own)), _weighted_median(values, shares), *interval)


def auc_score(
    decision: NDArray[np.float32] | NDArray[np.float64],
    positive: NDArray[np.bool_],
    cells: NDArray[np.intp],
    resamples: Resamples,
) -> Score | None:
    """Score the order of pairs, one trial of each class and both of the same cell.

    Returns
    -------
    Score or None
        None if no cell has both classes.
    """
    value, draws = auc_draws(decision, positive, cells, resamples)
    if not np.isfinite(value):
        return None
    return Score(value, 0.5, *resamples.interval(draws))


def auc_draws(
    decision: NDArray[np.float32] | NDArray[np.float64],
    positive: NDArray[np.bool_],
    cells: NDArray[np.intp],
    resamples: Resamples,
) -> tuple[float, NDArray[np.float64]]:
    """Return the area under the curve, and that of each resample; not finite without pairs."""
    weights = resamples.weights
    won, pairs, total_won, total = np.zeros(len(weights)), np.zeros(len(weights)), 0.0, 0.0
    for cell in np.unique(cells):
        yes = np.flatnonzero((cells == cell) & positive)
        no = np.flatnonzero((cells == cell) & ~positive)
        difference = decision[yes][:, None] - decision[no][None]
        wins = (difference > 0) + 0.5 * (difference == 0)
        total_won, total = total_won + wins.sum(), total + wins.size
        won += ((weights[:, yes] @ wins) * weights[:, no]).sum(axis=1)
        pairs += weights[:, yes].sum(axis=1) * weights[:, no].sum(axis=1)
    with np.errstate(invalid="ignore"):
        return float(np.divide(total_won, total)), won / pairs


def mean_draws(
    own: NDArray[np.bool_] | NDArray[np.float64], resamples: Resamples
) -> NDArray[np.float64]:
    """Return the mean over trials of each resample; no number where none was drawn.

    Parameters
    ----------
    own : array of shape (n,)
        What each trial counts.
    resamples : Resamples
        Of the same trials.
    """
    with np.errstate(invalid="ignore"):
        return np.asarray(resamples.weights @ own / resamples.weights.sum(axis=1))


def _weighted_median(values: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """Return the value with as much weight below as above; between two, their middle."""
    order = np.argsort(values, axis=None)
    cumulative = np.cumsum(weights.ravel()[order]) / weights.sum()
    sides = [np.searchsorted(cumulative, 0.5 + sign * 1e-9) for sign in (-1, 1)]
    return float(values.ravel()[order][sides].mean())
