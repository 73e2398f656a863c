"""What several windows of one stimulus say together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.conformal import Odds, odds_of
from models.retrieval import fit_temperature

__all__ = ["MAX_REPEATS", "Repeats", "fit_repeats", "pooling_temperature"]

MAX_REPEATS = 10
"""So many windows at most are pooled with a temperature of their own."""

_MIN_SUMS = 20
"""Sums of held-out trials that a temperature needs."""


@dataclass(frozen=True, slots=True, eq=False)
class Repeats:
    """How much a sum of evidence is worth.

    Parameters
    ----------
    n : int
        Windows in the sum, at least two.
    temperature : float
        By which the sum of their log-probabilities is divided. Were windows independent, it
        would be 1; noise that they share makes it larger.
    odds : Odds
        What sums of held-out trials gave, at the last latency.
    """

    n: int
    temperature: float
    odds: Odds

    def to_json(self) -> dict[str, Any]:
        """Return all but the odds, as a model folder stores it."""
        return {"n": self.n, "temperature": self.temperature}


def fit_repeats(
    similarity: NDArray[np.float32],
    temperature: float,
    truth: NDArray[np.intp],
    groups: NDArray[np.intp],
    t: NDArray[np.float64],
) -> tuple[Repeats, ...]:
    """Sum held-out trials that show the same, and fit what the sums are worth.

    Parameters
    ----------
    similarity : array of shape (n, n_candidates)
        How much each trial speaks for each candidate.
    temperature : float
        Of single trials.
    truth, groups : array of shape (n,)
        Index of what was shown, and the run.
    t : array of shape (n,)
        When; neighbours are summed, of one run as long as there are any.

    Returns
    -------
    tuple of Repeats
        For 2, 3, ... windows, as far as held-out trials reach.
    """
    scaled = similarity.astype(np.float64) / temperature
    order = np.lexsort([t, groups, truth])
    found: list[Repeats] = []
    for n in range(2, MAX_REPEATS + 1):
        sets = []
        for shown in np.unique(truth):
            rows = order[truth[order] == shown]
            sets.append(rows[: len(rows) // n * n].reshape(-1, n))
        members = np.concatenate(sets)
        if len(members) < _MIN_SUMS:
            break
        sums = scaled[members].sum(axis=1).astype(np.float32)
        shown_in = truth[members[:, 0]]
        fitted = fit_temperature(sums, shown_in)
        found.append(Repeats(n, fitted, odds_of([sums], shown_in, [fitted])))
    return tuple(found)


def pooling_temperature(known: tuple[Repeats, ...], n: int) -> tuple[float, bool]:
    """Return what the sum of n windows is divided by, and whether that was fitted.

    Beyond what was fitted, more windows are averaged: the answer gets no surer.

    Examples
    --------
    >>> pooling_temperature((), 3)
    (3.0, False)
    """
    if n == 1:
        return 1.0, True
    for repeats in known:
        if repeats.n == n:
            return repeats.temperature, True
    if not known:
        return float(n), False
    last = known[-1]
    return last.temperature * n / last.n, False
