"""Predict each trial by a model that saw nothing of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.candidates import Candidates
from models.dataset import Dataset
from models.encoder import Encoder
from models.folds import Protocol, Split, check_split
from models.retrieval import directions, similarities

__all__ = ["FitEncoder", "HeldOut", "hold_out"]

FitEncoder = Callable[[Dataset, NDArray[np.float32], NDArray[np.bool_]], Encoder]
"""What fits an encoder: to a dataset, targets (n, n_dims), and which of the trials to use."""


@dataclass(frozen=True, slots=True, eq=False)
class HeldOut:
    """What was predicted for trials by models that never saw them.

    Parameters
    ----------
    protocol : str
        ``"closed_set"``: what was shown had been seen in training, in other runs.
        ``"zero_shot"``: no concept had.
    similarity : array of shape (n, n_candidates)
        How much each trial speaks for each candidate.
    truth : array of shape (n,)
        Index of the candidate that was shown.
    groups : array of shape (n,)
        The run, or the block of a single run, of each trial.
    t : array of shape (n,)
        Start of each window within its recording, in seconds.
    stim_files : tuple of str
        What was shown in each; empty where unknown.
    n_purged : int
        Training trials left out because they lay too close to a test trial, over all folds.
    fold : array of shape (n,)
        Which model predicted each.
    pools : array of shape (n_folds, n_candidates)
        What the trials of each fold chose from.
    index : array of shape (n,)
        Which trial of the dataset each is.
    """

    protocol: Protocol
    similarity: NDArray[np.float32]
    truth: NDArray[np.intp]
    groups: NDArray[np.intp]
    t: NDArray[np.float64]
    stim_files: tuple[str, ...]
    n_purged: int
    fold: NDArray[np.intp]
    pools: NDArray[np.bool_]
    index: NDArray[np.intp]


def hold_out(
    dataset: Dataset,
    candidates: Candidates,
    truth: NDArray[np.intp],
    split: Split,
    fit: FitEncoder,
    progress: Callable[[float], None] = lambda _: None,
) -> HeldOut:
    """Fit a model for each fold and predict its test trials.

    Parameters
    ----------
    dataset : Dataset
        Windows with what was shown.
    candidates : Candidates
        What is chosen from.
    truth : array of shape (n,)
        Index of the candidate that was shown.
    split : Split
        From `models.folds.make_split`; checked again here.
    fit : callable
        What fits the encoder of each fold.
    progress : callable
        Told the share that is done.

    Raises
    ------
    EvaluationError
        If the split leaks.
    """
    check_split(dataset, candidates, truth, split)
    targets = candidates.vectors[truth]
    similarity = np.zeros((len(dataset), len(candidates)), np.float32)
    fold_of = np.full(len(dataset), -1)
    for number, fold in enumerate(split.folds):
        encoder = fit(dataset, targets, fold.train)
        centre = targets[fold.train].mean(axis=0, dtype=np.float64).astype(np.float32)
        toward = directions(candidates.vectors, centre)
        for index in np.flatnonzero(fold.test):
            vector = encoder.encode(dataset.window(int(index)))
            similarity[index] = similarities(toward, centre, vector)
        fold_of[fold.test] = number
        progress((number + 1) / len(split.folds))
    kept = np.flatnonzero(fold_of >= 0)
    return HeldOut(
        protocol=split.protocol,
        similarity=similarity[kept],
        truth=truth[kept],
        groups=dataset.groups[kept],
        t=dataset.t[kept],
        stim_files=tuple(dataset.stim_files[index] for index in kept),
        n_purged=split.n_purged,
        fold=fold_of[kept],
        pools=np.stack([fold.pool for fold in split.folds]),
        index=kept,
    )
