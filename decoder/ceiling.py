"""How well any decoder could do: what of the response comes back when a stimulus does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.dataset import Dataset

__all__ = ["Ceiling", "noise_ceiling"]

_N_HALVES = 40
_MIN_EACH = 2  # trials of a stimulus in each half
_BIN = 0.04
_SEED = 0


@dataclass(frozen=True, slots=True)
class Ceiling:
    """The noise ceiling of averaged responses.

    Parameters
    ----------
    n_stimuli, n_trials : int
        Stimuli that recur often enough, and their trials.
    halves : str
        What was halved: ``"runs"``, so that halves share no drift, or ``"trials"``.
    split_half : float
        Correlation between the averages of two halves, over stimuli, channels and 40 ms bins;
        without what all stimuli have in common. The mean over 40 ways to halve.
    reliability : float
        Of the average of all trials, by Spearman-Brown: ``2 r / (1 + r)``; 0 if r is negative.
    ceiling : float
        Its root: no prediction can correlate higher with the average response.
    """

    n_stimuli: int
    n_trials: int
    halves: str
    split_half: float
    reliability: float
    ceiling: float


def noise_ceiling(dataset: Dataset) -> Ceiling | None:
    """Return the noise ceiling, or None if too little recurs.

    Parameters
    ----------
    dataset : Dataset
        A stimulus is a file where all are known and recur, else what was shown.

    Notes
    -----
    Spearman (1910), Br. J. Psychol. 3, 271-295; Brown (1910), Br. J. Psychol. 3, 296-322.
    """
    files = dataset.stim_files
    known = all(files) and len(set(files)) <= len(files) / (2 * _MIN_EACH)
    names, stimulus = np.unique(files if known else dataset.ids, return_inverse=True)
    features = _features(dataset)
    rng = np.random.default_rng(_SEED)
    runs = np.unique(dataset.groups)
    by_run = len(runs) >= 4
    correlations, used = [], np.zeros(len(names), bool)
    for _ in range(_N_HALVES):
        if by_run:
            first = np.isin(dataset.groups, rng.permutation(runs)[: len(runs) // 2])
        else:
            first = rng.permutation(np.arange(len(dataset)) % 2).astype(bool)
        counts = [np.bincount(stimulus[half], minlength=len(names)) for half in (first, ~first)]
        kept = np.minimum(*counts) >= _MIN_EACH
        if kept.sum() < 2:
            continue
        used |= kept
        averages = [
            _averages(features[half], stimulus[half], len(names))[kept]
            for half in (first, ~first)
        ]
        left, right = ((a - a.mean(axis=0)).ravel() for a in averages)
        correlations.append(float(left @ right / np.sqrt((left @ left) * (right @ right))))
    if not correlations:
        return None
    r = float(np.mean(correlations))
    reliability = max(2 * r / (1 + r), 0.0)
    n_trials = int(used[stimulus].sum())
    halves = "runs" if by_run else "trials"
    return Ceiling(
        int(used.sum()), n_trials, halves, r, reliability, float(np.sqrt(reliability))
    )


def _features(dataset: Dataset) -> NDArray[np.float64]:
    """Return averages over bins, each of variance 1, of shape (n, n_features)."""
    n_times = dataset.windows.shape[-1]
    width = max(round(_BIN * dataset.spec_out.sfreq), 1)
    starts = np.arange(0, n_times, width)
    pooled = np.add.reduceat(dataset.windows, starts, axis=-1, dtype=np.float64)
    features = pooled.reshape(len(dataset), -1)
    spread = features.std(axis=0)
    return np.asarray(features / np.where(spread > 0, spread, 1.0))


def _averages(
    features: NDArray[np.float64], stimulus: NDArray[np.intp], n_stimuli: int
) -> NDArray[np.float64]:
    """Return the average of each stimulus; 0 where there is none."""
    sums = np.zeros((n_stimuli, features.shape[1]))
    np.add.at(sums, stimulus, features)
    counts = np.bincount(stimulus, minlength=n_stimuli)
    return np.asarray(sums / np.maximum(counts, 1)[:, None])
