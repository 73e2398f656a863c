"""Which trials predict which: the protocol of a score, and what it must not share.

``closed_set``: what was shown recurs; one run after the other is left out. ``zero_shot``: no
concept at test was seen in training; runs are left out, and where concepts recur, a part of the
concepts with each. In both, trials closer to a test trial than a window and the filters' memory
are left out of training.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from models.candidates import Candidates
from models.dataset import Dataset
from streaming.errors import EvaluationError, RecordingError

__all__ = ["Fold", "Protocol", "Split", "check_split", "concepts_of", "make_split", "too_close"]

Protocol = Literal["closed_set", "zero_shot"]

MIN_SCORED = 20
"""Trials that a score needs; with fewer, its interval says nothing."""

_MIN_TRAINED = 10

_MAX_PARTS = 5
"""Parts that recurring concepts are cut into: each model then sees four fifths of them."""

_SEED = 0  # which concepts go together


@dataclass(frozen=True, slots=True, eq=False)
class Fold:
    """Trials to train on, trials to predict, and what these choose from.

    Parameters
    ----------
    train, test : array of shape (n,)
        Which trials.
    pool : array of shape (n_candidates,)
        Which candidates the test trials choose from: all in a closed set, those whose concept
        was not trained in zero-shot.
    """

    train: NDArray[np.bool_]
    test: NDArray[np.bool_]
    pool: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """All folds of a protocol.

    Parameters
    ----------
    protocol : str
        ``"closed_set"`` or ``"zero_shot"``.
    folds : tuple of Fold
        No trial is predicted twice.
    n_purged : int
        Training trials left out because they lay too close to a test trial, over all folds.
    """

    protocol: Protocol
    folds: tuple[Fold, ...]
    n_purged: int


def make_split(
    dataset: Dataset,
    candidates: Candidates,
    truth: NDArray[np.intp],
    protocol: Protocol | None = None,
    seen: NDArray[np.bool_] | None = None,
) -> Split:
    """Split a dataset for a protocol.

    Parameters
    ----------
    dataset : Dataset
        Its `groups` are the runs.
    candidates : Candidates
        What is chosen from.
    truth : array of shape (n,)
        Index of the candidate that was shown.
    protocol : str or None
        ``"closed_set"`` or ``"zero_shot"``; None for a closed set if enough recurs from run to
        run, else zero-shot. The two answer different questions and are never compared.
        Stretches of a track are zero-shot: of a story, what recurs is silence, which would be
        all that is scored (of a listener to noise with pauses, two-way accuracy was 0.05).
        Zero-shot among those that the table of stimuli keeps for a test, if any (`split`).
    seen : array of shape (n_candidates,) or None
        What a model that is begun with was trained on: in a closed set it need not recur, and
        zero-shot never asks for it.

    Raises
    ------
    RecordingError
        If the recordings do not allow the protocol; with the reason.
    """
    known = np.zeros(len(candidates), bool) if seen is None else seen
    if any(row.split == "test" for row in dataset.table.rows):
        return _declared(dataset, candidates, truth, protocol, known)
    if protocol is None and candidates.space.startswith("track:"):
        protocol = "zero_shot"
    if protocol != "zero_shot":
        split = _closed_set(dataset, candidates, truth, known)
        n_scored = sum(int(fold.test.sum()) for fold in split.folds)
        if n_scored >= MIN_SCORED:
            return split
        if protocol or candidates.space == "labels":
            what = (
                "; show each in at least two runs, or score zero_shot"
                if candidates.space != "labels"
                else ", and a label that was never seen cannot be decoded; show each in at "
                "least two runs"
            )
            msg = f"only {n_scored} trials show what another run shows too{what}"
            raise RecordingError(msg)
    return _zero_shot(dataset, candidates, truth, known)


def check_split(
    dataset: Dataset, candidates: Candidates, truth: NDArray[np.intp], split: Split
) -> None:
    """Refuse a split through which anything of the test reaches the training.

    Raises
    ------
    EvaluationError
        With what is shared, and between which trials.
    """
    concept = concepts_of(dataset, candidates)[truth]
    files = np.array(dataset.stim_files)
    for number, fold in enumerate(split.folds):
        close = np.flatnonzero(too_close(dataset, fold.test) & fold.train)
        both = np.flatnonzero(fold.test & fold.train)
        if len(both) or len(close):
            at = int(both[0] if len(both) else close[0])
            what = "is also tested" if len(both) else "shares samples with a test trial"
            msg = (
                f"the split leaks: in fold {number} training trial {at} (recording "
                f"{dataset.files[at]}, {dataset.t[at]:.1f} s) {what}; keep "
                f"{gap(dataset):.1f} s (window and settling) between training and test"
            )
            raise EvaluationError(msg)
        if split.protocol == "closed_set":
            continue
        for kind, values in (("concept", concept), ("stimulus file", files)):
            shared = set(values[fold.train].tolist()) & set(values[fold.test].tolist()) - {""}
            if shared:
                name = min(shared)
                msg = (
                    f"the split leaks: in fold {number} the {kind} {name!r} is in training and "
                    "in the test; zero_shot refuses it, score it as closed_set"
                )
                raise EvaluationError(msg)


def concepts_of(dataset: Dataset, candidates: Candidates) -> NDArray[np.str_]:
    """Return the concept of each candidate: its own id, where the table names none."""
    named = {row.candidate_id: row.concept for row in dataset.table.rows if row.concept}
    return np.array([named.get(name, name) for name in candidates.ids])


def gap(dataset: Dataset) -> float:
    """Return how far trials must be apart to share nothing, in seconds."""
    return dataset.windowing.tmax - dataset.windowing.tmin + dataset.settling


def too_close(dataset: Dataset, test: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which trials share samples with a test trial, by window or by filter."""
    close = np.zeros(len(dataset), bool)
    for file in np.unique(dataset.files[test]):
        here = dataset.files == file
        times = np.sort(dataset.t[here & test])
        after = np.searchsorted(times, dataset.t[here])
        before = times[np.maximum(after - 1, 0)]
        following = times[np.minimum(after, len(times) - 1)]
        nearest = np.minimum(abs(dataset.t[here] - before), abs(dataset.t[here] - following))
        close[here] = nearest < gap(dataset)
    return close


def _closed_set(
    dataset: Dataset,
    candidates: Candidates,
    truth: NDArray[np.intp],
    known: NDArray[np.bool_],
) -> Split:
    """Leave out one run after the other; predict what the others show too."""
    everything = np.ones(len(candidates), bool)
    folds, n_purged = [], 0
    for group in np.unique(dataset.groups):
        run = dataset.groups == group
        train = ~run & ~too_close(dataset, run)
        n_purged += int((~run & ~train).sum())
        _check_enough(dataset, train)
        test = run & (np.isin(truth, truth[train]) | known[truth])
        if test.any():
            folds.append(Fold(train, test, everything))
    return Split("closed_set", tuple(folds), n_purged)


def _zero_shot(
    dataset: Dataset,
    candidates: Candidates,
    truth: NDArray[np.intp],
    known: NDArray[np.bool_],
) -> Split:
    """Leave out runs, and with each the concepts that are predicted in it."""
    if candidates.space == "labels":
        msg = "a label that was never seen cannot be decoded; zero_shot needs a sentence space"
        raise RecordingError(msg)
    concepts = concepts_of(dataset, candidates)
    shown = concepts[truth]
    before = np.isin(concepts, concepts[known])
    folds, n_purged = [], 0
    for run, part in _parts(dataset.groups, shown):
        test = run & np.isin(shown, part) & ~before[truth]
        if not test.any():
            continue
        apart = ~run & ~np.isin(shown, shown[test])
        train = apart & ~too_close(dataset, test)
        n_purged += int((apart & ~train).sum())
        _check_enough(dataset, train)
        pool = ~np.isin(concepts, shown[train]) & ~before
        if pool.sum() > 1:
            folds.append(Fold(train, test, pool))
    n_scored = sum(int(fold.test.sum()) for fold in folds)
    if n_scored < MIN_SCORED:
        msg = (
            f"zero_shot can score {n_scored} trials with two concepts to choose from; "
            f"it needs {MIN_SCORED}: record more, or score closed_set"
        )
        raise RecordingError(msg)
    return Split("zero_shot", tuple(folds), n_purged)


def _declared(
    dataset: Dataset,
    candidates: Candidates,
    truth: NDArray[np.intp],
    protocol: Protocol | None,
    known: NDArray[np.bool_],
) -> Split:
    """Predict what was kept for a test, by models of other concepts in other runs."""
    if protocol == "closed_set":
        msg = "the table of stimuli keeps candidates for a zero-shot test; score zero_shot"
        raise RecordingError(msg)
    kept = {row.candidate_id for row in dataset.table.rows if row.split == "test"}
    concepts = concepts_of(dataset, candidates)
    pool = np.isin(candidates.ids, list(kept)) & ~np.isin(concepts, concepts[known])
    tested, apart = pool[truth], ~np.isin(concepts, concepts[pool])[truth]
    n_scored, n_pool = int(tested.sum()), int(pool.sum())
    if n_scored < MIN_SCORED or n_pool < 2:
        msg = (
            f"{n_scored} trials show one of the {n_pool} candidates kept for the test; it "
            f"needs {MIN_SCORED}, and two candidates: check the column split"
        )
        raise RecordingError(msg)
    runs = np.unique(dataset.groups[tested])
    mixed = bool((apart & np.isin(dataset.groups, runs)).any())
    folds, n_purged = [], 0
    for part in np.array_split(runs, min(_MAX_PARTS, len(runs)) if mixed else 1):
        run = np.isin(dataset.groups, part)
        others = apart & ~run
        train = others & ~too_close(dataset, run & tested)
        n_purged += int((others & ~train).sum())
        _check_enough(dataset, train)
        folds.append(Fold(train, run & tested, pool))
    return Split("zero_shot", tuple(folds), n_purged)


def _check_enough(dataset: Dataset, train: NDArray[np.bool_]) -> None:
    """Refuse a fold that leaves too little to learn from."""
    if (n := int(train.sum())) < _MIN_TRAINED:
        msg = (
            f"only {n} trials are left to train on when a run is held out, with "
            f"{dataset.settling:.1f} s kept between them; record longer, or more runs"
        )
        raise RecordingError(msg)


def _parts(
    groups: NDArray[np.intp], shown: NDArray[np.str_]
) -> Iterator[tuple[NDArray[np.bool_], NDArray[np.str_]]]:
    """Yield each run with the concepts to predict in it."""
    names, runs = np.unique(shown), np.unique(groups)
    recurs = len(set(zip(shown.tolist(), groups.tolist(), strict=True))) > len(names)
    if recurs and len(names) < 4:
        msg = (
            f"the runs show the same {len(names)} concepts; zero_shot needs at least 4, two to "
            "learn from and two others to choose from: score closed_set"
        )
        raise RecordingError(msg)
    order = np.random.default_rng(_SEED).permutation(names)
    for group in runs:
        for part in np.array_split(order, min(_MAX_PARTS, len(names) // 2) if recurs else 1):
            yield groups == group, part
