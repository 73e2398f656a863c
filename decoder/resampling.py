"""Intervals and p-values from resampling whole runs, whole stimuli and shuffled truths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "N_BOOTSTRAP",
    "N_PERMUTATIONS",
    "Score",
    "auc_score",
    "bootstrap_weights",
    "mean_score",
    "median_score",
    "permutation_p",
]

N_PERMUTATIONS = 9_999
N_BOOTSTRAP = 2_000

_MIN_STIMULI = 10
"""With fewer stimuli, resampling them says nothing; two classes are no sample of classes."""

_SEED = 0  # the same trials give the same interval and the same p


@dataclass(frozen=True, slots=True)
class Score:
    """A number, what guessing gives, and the 95 % interval.

    Parameters
    ----------
    value : float
        The score.
    chance : float
        What a decoder without information gets.
    low, high : float
        Percentiles 2.5 and 97.5 of the bootstrap.
    """

    value: float
    chance: float
    low: float
    high: float


def bootstrap_weights(
    truth: NDArray[np.intp], groups: NDArray[np.intp], stim_files: Sequence[str]
) -> tuple[NDArray[np.float64], str]:
    """Return how often each resample draws each trial, and what is drawn.

    Parameters
    ----------
    truth, groups : array of shape (n,)
        What was shown, and the run.
    stim_files : sequence of str
        The file shown in each trial; empty where unknown.

    Returns
    -------
    weights : array of shape (N_BOOTSTRAP, n)
        A trial counts as often as its run, times as often as its stimulus, was drawn.
    clusters : str
        ``"run and stimulus"``; ``"run"`` with too few stimuli; ``"stimulus"`` with one run;
        ``"trial"`` with neither, which is too narrow if trials resemble their neighbours.
    """
    rng = np.random.default_rng(_SEED)
    known = len(stim_files) > 0 and all(stim_files)
    stimuli = np.unique(stim_files, return_inverse=True)[1] if known else truth
    by_run, by_stimulus = len(np.unique(groups)) > 1, len(np.unique(stimuli)) >= _MIN_STIMULI
    if by_run and by_stimulus:
        return _draw(groups, rng) * _draw(stimuli, rng), "run and stimulus"
    if by_run or by_stimulus:
        return _draw(groups if by_run else stimuli, rng), "run" if by_run else "stimulus"
    return _draw(np.arange(len(truth)), rng), "trial"


def _draw(clusters: NDArray[np.intp], rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw whole clusters with replacement and return the weight of each trial."""
    _, member = np.unique(clusters, return_inverse=True)
    n_clusters = int(member.max()) + 1
    shares = np.full(n_clusters, 1 / n_clusters)
    return rng.multinomial(n_clusters, shares, N_BOOTSTRAP)[:, member].astype(np.float64)


def _interval(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return the percentiles of the resamples that drew anything."""
    low, high = np.percentile(values[np.isfinite(values)], [2.5, 97.5])
    return float(low), float(high)


def mean_score(
    values: NDArray[np.bool_] | NDArray[np.float64], chance: float, weights: NDArray[np.float64]
) -> Score:
    """Score a mean over trials."""
    with np.errstate(invalid="ignore"):  # a resample may draw no trial
        means = weights @ values / weights.sum(axis=1)
    return Score(float(np.mean(values)), chance, *_interval(means))


def median_score(
    values: NDArray[np.float64], chance: float, weights: NDArray[np.float64]
) -> Score:
    """Score a median over trials."""
    order = np.argsort(values)
    cumulative = np.cumsum(weights[:, order], axis=1)
    middle = (cumulative >= cumulative[:, -1:] / 2).argmax(axis=1)
    medians = np.where(cumulative[:, -1] > 0, values[order][middle], np.nan)
    return Score(float(np.median(values)), chance, *_interval(medians))


def auc_score(
    decision: NDArray[np.float32],
    positive: NDArray[np.bool_],
    groups: NDArray[np.intp],
    weights: NDArray[np.float64],
) -> Score | None:
    """Score the order of pairs, one trial of each class and both of the same run."""
    won, pairs, total_won, total = np.zeros(len(weights)), np.zeros(len(weights)), 0.0, 0.0
    for group in np.unique(groups):
        yes = np.flatnonzero((groups == group) & positive)
        no = np.flatnonzero((groups == group) & ~positive)
        difference = decision[yes][:, None] - decision[no][None]
        wins = (difference > 0) + 0.5 * (difference == 0)
        total_won, total = total_won + wins.sum(), total + wins.size
        won += ((weights[:, yes] @ wins) * weights[:, no]).sum(axis=1)
        pairs += weights[:, yes].sum(axis=1) * weights[:, no].sum(axis=1)
    if total == 0:
        return None
    with np.errstate(invalid="ignore"):
        return Score(float(total_won / total), 0.5, *_interval(won / pairs))


def permutation_p(
    columns: NDArray[np.float64],
    truth: NDArray[np.intp],
    groups: NDArray[np.intp],
) -> float:
    """Return how often shuffled truths do as well: ``(1 + hits) / (1 + N_PERMUTATIONS)``.

    Truths are shuffled within runs, which holds where the order within a run was random.

    Parameters
    ----------
    columns : array of shape (n, n_candidates)
        What a trial adds to the statistic if that candidate is the truth.
    truth, groups : array of shape (n,)
        What was shown, and the run.
    """
    rng = np.random.default_rng(_SEED)
    observed = columns[np.arange(len(truth)), truth].sum()
    shuffled = np.zeros(N_PERMUTATIONS)
    for group in np.unique(groups):
        here = np.flatnonzero(groups == group)
        for start in range(0, N_PERMUTATIONS, 1000):  # 1000 at a time: 8 MB for 1000 trials
            stop = min(start + 1000, N_PERMUTATIONS)
            truths = rng.permuted(np.tile(truth[here], (stop - start, 1)), axis=1)
            shuffled[start:stop] += columns[here, truths].sum(axis=1)
    # Sums of the same numbers in another order differ in their last bits, and are ties.
    hits = int((shuffled >= observed - 1e-9 * abs(observed)).sum())
    return (1 + hits) / (1 + N_PERMUTATIONS)
