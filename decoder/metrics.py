"""What is counted: places, shares and pairs, each with its chance and its interval."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from decoder.resampling import Resamples, Score

__all__ = [
    "auc_score",
    "beaten",
    "mean_score",
    "median_score",
    "ranks",
    "ranks_within",
    "top_score",
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


def ranks_within(decision: NDArray[np.float32], cells: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the place of each trial among those of its cell, from 1 at the lowest."""
    places = np.zeros(len(decision))
    for cell in np.unique(cells):
        here = cells == cell
        places[here] = rankdata(decision[here])
    return places


def top_score(
    true_rank: NDArray[np.float64], k: int, size: NDArray[np.intp], resamples: Resamples
) -> Score:
    """Score how often the truth is among the best `k`."""
    chance = float(np.minimum(k / size, 1.0).mean())
    return mean_score(true_rank <= k, chance, resamples)


def mean_score(
    values: NDArray[np.bool_] | NDArray[np.float64], chance: float, resamples: Resamples
) -> Score:
    """Score a mean over trials."""
    weights = resamples.weights
    with np.errstate(invalid="ignore"):  # a resample may draw no trial
        means = weights @ values / weights.sum(axis=1)
    return Score(float(np.mean(values)), chance, *resamples.interval(means))


def median_score(
    values: NDArray[np.float64], chance: float, resamples: Resamples, largest: float
) -> Score:
    """Score a median over trials of places from 1 to `largest`."""
    order = np.argsort(values)
    cumulative = np.cumsum(resamples.weights[:, order], axis=1)
    middle = (cumulative >= cumulative[:, -1:] / 2).argmax(axis=1)
    medians = np.where(cumulative[:, -1] > 0, values[order][middle], np.nan)
    interval = resamples.interval(medians, (1.0, largest))
    return Score(float(np.median(values)), chance, *interval)


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
    if total == 0:
        return None
    with np.errstate(invalid="ignore"):
        return Score(float(total_won / total), 0.5, *resamples.interval(won / pairs))
