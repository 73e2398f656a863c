"""Which encoder suits the data: the one that predicts runs from each other best."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from models.encoder import ENCODERS, Encoder
from models.retrieval import directions, similarities
from models.trials import Trials
from streaming.signal import Chunk, SignalSpec, Window

__all__ = ["choose_encoder", "discrimination", "held_out_discrimination"]

_MAX_CLASSES = 16
"""With more, covariances are not tried: they tell few classes apart, and take long to fit."""


def choose_encoder(trials: Trials, names: Sequence[str] = ()) -> tuple[str, dict[str, float]]:
    """Choose an encoder by cross-validation within the training trials.

    Called within each fold of an evaluation, as `models.fit.fit_encoder` does, it makes the
    score of the whole a nested one: the test trials have no say in the choice.

    Parameters
    ----------
    trials : Trials
        What the chosen encoder will be fitted to.
    names : sequence of str
        Entries of `models.encoder.ENCODERS`, the simplest first. By default those that fit in
        seconds: ridge, and riemann if there are few classes.

    Returns
    -------
    name : str
        The one with the highest score; of equal ones the first.
    scores : dict of str to float
        The `discrimination` of each.
    """
    n_classes = len(np.unique(trials.targets, axis=0))
    names = names or (("ridge", "riemann") if n_classes <= _MAX_CLASSES else ("ridge",))
    if len(names) == 1:
        return names[0], {}
    scores = {name: held_out_discrimination(trials, ENCODERS[name].fit) for name in names}
    return max(names, key=lambda name: scores[name]), scores


def discrimination(similarity: NDArray[np.float32], truth: NDArray[np.intp]) -> float:
    """Return how often what was shown makes a candidate more similar than what was not.

    The area under the curve of each candidate's similarity, over the trials in which it was
    shown against all others, weighted by how often it was shown. Unlike accuracy it does not
    depend on where the border between classes is put; 0.5 is chance.

    Parameters
    ----------
    similarity : array of shape (n, n_candidates)
        How much each trial speaks for each candidate.
    truth : array of shape (n,)
        Index of what was shown.

    Examples
    --------
    >>> discrimination(np.float32([[3, 0], [2, 0], [1, 2]]), np.array([0, 0, 1]))
    1.0
    """
    n = len(truth)
    ranks = rankdata(similarity, axis=0)[np.arange(n), truth]
    shown, which, counts = np.unique(truth, return_inverse=True, return_counts=True)
    if len(shown) < 2:
        return 0.5
    n_won = np.bincount(which, ranks) - counts * (counts + 1) / 2
    return float(np.average(n_won / (counts * (n - counts)), weights=counts))


def held_out_discrimination(trials: Trials, fit: Callable[[Trials], Encoder]) -> float:
    """Return the discrimination on groups left out, a mean over folds by their trials.

    Parameters
    ----------
    trials : Trials
        Of at least two groups.
    fit : callable
        Fits an encoder to some of them.
    """
    vectors, truth = np.unique(trials.targets, axis=0, return_inverse=True)
    truth = truth.reshape(-1)
    spec = SignalSpec(trials.sfreq, tuple(map(str, range(trials.windows.shape[1]))))
    total, n_scored = 0.0, 0
    for test in trials.folds():
        train = trials.take(~test)
        if len(np.unique(train.targets, axis=0)) < 2:  # where a run shows one thing only
            continue
        encoder = fit(train)
        centre = train.targets.mean(axis=0, dtype=np.float64).astype(np.float32)
        toward = directions(vectors, centre)
        found = [
            similarities(toward, centre, encoder.encode(Window(Chunk(data, spec), "locked/0")))
            for data in trials.windows[test]
        ]
        total += discrimination(np.array(found), truth[test]) * len(found)
        n_scored += len(found)
    return total / n_scored if n_scored else 0.5
