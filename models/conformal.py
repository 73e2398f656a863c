"""Sets of candidates that hold the truth as often as promised, and when to stop looking.

What is promised rests on trials that a model never saw: each run predicted by a model of the
others. Nothing is drawn at random, so that a session that is fed again gives the same sets.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from models.retrieval import probabilities

__all__ = [
    "THRESHOLDS",
    "Odds",
    "final_revisions",
    "least_trials",
    "odds_of",
    "set_threshold",
    "stop_thresholds",
]

THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.93, 0.96, 0.98, 0.99)
"""Probabilities of the best candidate at which a decode may be final.

They are fixed beforehand, because a grid that follows the trials would have to be paid for."""

_DELTA = 0.1
"""How probable it may be that the chosen threshold errs more often than was promised."""


@dataclass(frozen=True, slots=True, eq=False)
class Odds:
    """What held-out trials gave, at each latency.

    Parameters
    ----------
    truth : array of shape (n, n_revisions)
        The probability of what was shown, among all candidates.
    best : array of shape (n, n_revisions)
        That of the best candidate.
    """

    truth: NDArray[np.float64]
    best: NDArray[np.float64]

    def __post_init__(self) -> None:
        """Refuse what does not fit together, or is no probability."""
        if self.truth.ndim != 2 or self.truth.shape != self.best.shape:
            msg = f"truth has shape {self.truth.shape}, best {self.best.shape}; they must match"
            raise ValueError(msg)
        if not ((self.truth >= 0) & (self.truth <= self.best) & (self.best <= 1)).all():
            msg = "probabilities lie between 0 and 1, and none is above that of the best"
            raise ValueError(msg)

    def __len__(self) -> int:
        """Return the number of trials."""
        return len(self.truth)

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether what was shown was the best, of shape (n, n_revisions)."""
        return np.asarray(self.truth == self.best)


def least_trials(risk: float) -> int:
    """Return how many held-out trials a set at `risk` needs.

    Examples
    --------
    >>> least_trials(0.2), least_trials(0.05)
    (4, 19)
    """
    return math.ceil(1 / risk - 1e-9) - 1


def odds_of(
    similarities: Sequence[NDArray[np.float32]],
    truth: NDArray[np.intp],
    temperatures: Sequence[float],
) -> Odds:
    """Return what held-out trials gave.

    Parameters
    ----------
    similarities : sequence of array of shape (n, n_candidates)
        How much each trial speaks for each candidate, at each latency.
    truth : array of shape (n,)
        Index of what was shown.
    temperatures : sequence of float
        Of each latency.

    Examples
    --------
    >>> odds_of([np.zeros((1, 4), np.float32)], np.array([2]), [1.0]).truth
    array([[0.25]])
    """
    rows = np.arange(len(truth))
    p = [probabilities(s, t) for s, t in zip(similarities, temperatures, strict=True)]
    return Odds(
        np.stack([each[rows, truth] for each in p], axis=1),
        np.stack([each.max(axis=1) for each in p], axis=1),
    )


def set_threshold(truth: NDArray[np.float64], risk: float) -> float | None:
    """Return the least probability at which a candidate belongs to the set.

    Parameters
    ----------
    truth : array of shape (n,)
        Probability of what was shown in held-out trials.
    risk : float
        Promised share of sets without the truth, above 0 and below 1.

    Returns
    -------
    float or None
        None if there are fewer trials than `least_trials`.

    Notes
    -----
    The set of Sadinle, Lei and Wasserman (2019), J. Am. Stat. Assoc. 114, 223-234: of all sets
    with that coverage the smallest on average. One less the probability is the score, and its
    ``ceil((n + 1) (1 - risk))``-th smallest value the limit. If the next trial is exchangeable
    with these, and was predicted as these were, the truth is missed in at most `risk` of the
    cases, on average over trials; not for each thing, person or signal quality by itself.

    Examples
    --------
    >>> set_threshold(np.array([0.1, 0.3, 0.5, 0.9]), 0.4)
    0.3
    >>> set_threshold(np.array([0.1, 0.3, 0.5, 0.9]), 0.1) is None
    True
    """
    n = len(truth)
    # The product of 10 and 0.7 is above 7 in floating point.
    at = math.ceil((n + 1) * (1 - risk) - 1e-9)
    if at > n:
        return None
    return float(np.sort(truth)[n - at])


def stop_thresholds(odds: Odds, risk: float) -> tuple[float, ...]:
    """Return the probabilities of the best candidate at which a decode may be final.

    Parameters
    ----------
    odds : Odds
        Of held-out trials.
    risk : float
        Promised share of wrong ones among decodes that are final before the last latency.

    Returns
    -------
    tuple of float
        Those of `THRESHOLDS` that are known to keep the promise, lowest first.

    Notes
    -----
    Learn then test (Angelopoulos et al. 2021, arXiv 2110.01052, sections 1.1 and 2): for each
    threshold the whole sequence is gone through, and the hypothesis that more than `risk` of
    the early answers are wrong is tested by an exact binomial test. Bonferroni over thresholds:
    with a probability of 90 % over the calibration no threshold that is returned breaks the
    promise, if trials are independent.
    """
    level = _DELTA / len(THRESHOLDS)
    last = odds.truth.shape[1] - 1
    n_early, n_wrong = [], []
    for threshold in THRESHOLDS:
        stops = final_revisions(odds, threshold)
        early = np.flatnonzero(stops < last)
        n_early.append(len(early))
        n_wrong.append(int((~odds.right[early, stops[early]]).sum()))
    p = binom.cdf(n_wrong, n_early, risk)
    return tuple(t for t, each in zip(THRESHOLDS, p, strict=True) if each <= level)


def final_revisions(odds: Odds, threshold: float | None) -> NDArray[np.intp]:
    """Return at which revision each trial is final.

    Parameters
    ----------
    odds : Odds
        Of the trials.
    threshold : float or None
        Probability of the best candidate from which on nothing more is waited for; None waits
        for the last.

    Returns
    -------
    array of shape (n,)
        From 0.
    """
    done = np.zeros(odds.best.shape, bool)
    if threshold is not None:
        done |= odds.best >= threshold
    done[:, -1] = True
    return np.asarray(done.argmax(axis=1))
