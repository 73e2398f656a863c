"""Predict each trial by a model that saw nothing of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from models.candidates import Candidates
from models.checkpoint import Model
from models.dataset import Dataset, first_part
from models.encoder import Encoder, for_subject
from models.folds import Protocol, Split, check_split, concepts_of
from models.lineage import check_fresh
from models.retrieval import directions, similarities
from streaming.errors import EvaluationError
from streaming.signal import Marker, Window
from streaming.window import LockedWindows

__all__ = ["FitEncoder", "HeldOut", "check_blind", "hold_out", "predict"]

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
    encoders : tuple of str
        What kind of encoder predicted each fold.
    latents : array of shape (n, n_dims)
        Where each trial came out; empty where only similarities are known.
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
    encoders: tuple[str, ...]
    latents: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 0), np.float32))

    def among_pools(self) -> NDArray[np.float32]:
        """Return `similarity`, minus infinity for what a trial did not choose from."""
        return np.where(self.pools[self.fold], self.similarity, np.float32(-np.inf))

    def losses(self) -> NDArray[np.float64]:
        """Return the place of each truth in its pool, from 0 (first) to 1; ties count half."""
        similarity = self.among_pools()
        of_truth = similarity[np.arange(len(self.truth)), self.truth][:, None]
        above = (similarity > of_truth).sum(axis=1)
        ties = (similarity == of_truth).sum(axis=1) - 1
        sizes = self.pools.sum(axis=1)[self.fold]
        return np.asarray((above + ties / 2) / np.maximum(sizes - 1, 1))


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
        If the split leaks, or an encoder reads markers.
    """
    check_split(dataset, candidates, truth, split)
    targets = candidates.vectors[truth]
    fold_of = np.full(len(dataset), -1)
    encoders = []
    for number, fold in enumerate(split.folds):
        fold_of[fold.test] = number
    kept = np.flatnonzero(fold_of >= 0)  # a test set may be small among thousands to train on
    similarity = np.zeros((len(kept), len(candidates)), np.float32)
    latents = np.zeros((len(kept), targets.shape[1]), np.float32)
    people = dataset.people
    for number, fold in enumerate(split.folds):
        encoder = fit(dataset, targets, fold.train)
        encoders.append(encoder.kind)
        centre = targets[fold.train].mean(axis=0, dtype=np.float64).astype(np.float32)
        toward = directions(candidates.vectors, centre)
        check_blind(encoder, dataset.window(int(np.flatnonzero(fold.test)[0])))
        for row in np.flatnonzero(fold.test[kept]):
            personal = for_subject(encoder, int(people[kept[row]]))
            vector = personal.encode(dataset.window(int(kept[row])))
            similarity[row] = similarities(toward, centre, vector)
            latents[row] = vector
        progress((number + 1) / len(split.folds))
    return HeldOut(
        protocol=split.protocol,
        similarity=similarity,
        truth=truth[kept],
        groups=dataset.groups[kept],
        t=dataset.t[kept],
        stim_files=tuple(dataset.stim_files[index] for index in kept),
        n_purged=split.n_purged,
        fold=fold_of[kept],
        pools=np.stack([fold.pool for fold in split.folds]),
        index=kept,
        encoders=tuple(encoders),
        latents=latents,
    )


def check_blind(encoder: Encoder, window: Window) -> None:
    """Refuse an encoder whose answer depends on anything but the samples of the window.

    Raises
    ------
    EvaluationError
        If the marker, or what was encoded before, changes any bit.
    """
    expected = encoder.encode(window)
    for label in ("", "one", "another"):
        marker = Marker(label, window.chunk.t0, window.chunk.segment, window.chunk.first)
        found = encoder.encode(replace(window, marker=marker if label else None))
        if not np.array_equal(found, expected):
            msg = (
                f"the encoder {encoder.kind!r} gives the same samples another vector when "
                "their marker says something else: it would read what was shown, not the brain"
                if label
                else f"the encoder {encoder.kind!r} gives the same window two vectors: it must "
                "keep nothing between windows"
            )
            raise EvaluationError(msg)


def predict(
    model: Model,
    dataset: Dataset,
    protocol: Protocol,
    candidates: Candidates | None = None,
    revision: int | None = None,
) -> HeldOut:
    """Predict the trials of other recordings by a model as it is.

    Parameters
    ----------
    model : Model
        As it is.
    dataset : Dataset
        Recordings that it was not fitted to, through its own chain.
    protocol : str
        ``"closed_set"`` keeps what the model was trained on, ``"zero_shot"`` what it never saw,
        to be found among what it never saw.
    candidates : Candidates, optional
        What it chooses from, such as other stretches of a track; its own, if not given.
    revision : int, optional
        At which of its latencies; at the last, if not given.

    Raises
    ------
    EvaluationError
        If the model, or one that it descends from, learnt from one of the windows, or nothing
        is left to score.
    """
    check_fresh(model, dataset, "the model, or one that it descends from,")
    candidates = candidates or model.candidates
    trained = np.array(candidates.trained)
    concept = concepts_of(dataset, candidates)
    pool = np.ones(len(candidates), bool)
    if protocol == "zero_shot":
        pool = ~np.isin(concept, concept[trained])
    ids = {name: number for number, name in enumerate(candidates.ids)}
    kept = [
        n
        for n, shown in enumerate(dataset.ids)
        if shown in ids
        and (trained[ids[shown]] if protocol == "closed_set" else pool[ids[shown]])
    ]
    if not kept:
        msg = f"no trial shows what the model can be asked for by {protocol}; use the other one"
        raise EvaluationError(msg)
    toward = directions(candidates.vectors, model.centre)
    revision = len(model.stages) if revision is None else revision
    part = dataset
    if revision < len(model.stages) and isinstance(model.windowing, LockedWindows):
        part = first_part(dataset, model.windowing.ends[revision])
    windows = (replace(part.window(n), revision=revision) for n in kept)
    latents = np.stack([model.encode(window).vector for window in windows])
    similarity = np.stack([similarities(toward, model.centre, vector) for vector in latents])
    return HeldOut(
        protocol=protocol,
        similarity=similarity,
        truth=np.array([ids[dataset.ids[n]] for n in kept]),
        groups=dataset.groups[kept],
        t=dataset.t[kept],
        stim_files=tuple(dataset.stim_files[n] for n in kept),
        n_purged=0,
        fold=np.zeros(len(kept), np.intp),
        pools=pool[None],
        index=np.array(kept),
        encoders=(model.encoder.kind,),
        latents=latents,
    )
