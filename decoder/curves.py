"""How a score grows: with repeats that are averaged, with calibration, and over time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from decoder.evaluation import evaluate, p_values
from decoder.permutation import fdr
from decoder.problem import Problem
from decoder.resampling import Score
from models.dataset import Dataset
from models.folds import Fold
from models.heldout import HeldOut

__all__ = [
    "MIN_TRIALS",
    "SHARES",
    "AveragePoint",
    "LearnedPart",
    "LearningPoint",
    "TimePoint",
    "averaging_curve",
    "learned_parts",
    "learning_curve",
    "minutes_of",
    "point_of",
    "time_course",
]

REPEATS = (1, 2, 4, 10)
"""How many repeats are averaged."""

MIN_TRIALS = 20
"""Fewest that a model of a part is fitted to."""

_SEED = 0
_MAX_AVERAGES = 5_000  # beyond, more draws of the same trials add nothing
_MAX_DRAWS = 10
_MAX_PAUSE = 10.0  # seconds between trials that still count as calibration
_BIN = 0.04

SHARES = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0)
"""Parts of what there is to learn from that a learning curve has points for."""


@dataclass(frozen=True, slots=True)
class AveragePoint:
    """The score when several trials of the same thing are averaged.

    Parameters
    ----------
    n_averaged : int
        Trials in each average; their similarities are averaged.
    within_run : bool
        Whether these are of the same run. If not, runs repeat what was never trained on, as
        when a story is heard again, and the average is over repeats of several runs.
    n : int
        Averages that share no trial.
    top1, main : Score
        Of the averages; `main` is AUC or two-way accuracy.
    """

    n_averaged: int
    within_run: bool
    n: int
    top1: Score
    main: Score


@dataclass(frozen=True, slots=True)
class LearningPoint:
    """The score after so much calibration.

    Parameters
    ----------
    minutes : float
        Of recording that the models were fitted to: the mean over folds.
    n_trials : int
        Trials in it: the mean over folds.
    top1, main : Score
        Of the same test trials throughout.
    """

    minutes: float
    n_trials: int
    top1: Score
    main: Score


@dataclass(frozen=True, slots=True, eq=False)
class LearnedPart:
    """What models of a part of the calibration predict.

    Parameters
    ----------
    minutes : float
        Of recording that the models were fitted to: the mean over folds.
    n_trials : int
        Trials in it: the mean over folds.
    held_out : HeldOut
        Of the same test trials for each part.
    """

    minutes: float
    n_trials: int
    held_out: HeldOut


@dataclass(frozen=True, slots=True)
class TimePoint:
    """The score of a ridge that sees 40 ms.

    Parameters
    ----------
    t : float
        Middle of the samples after the stimulus, less the chain's group delay at 10 Hz, in
        seconds.
    main : Score
        AUC or two-way accuracy.
    p_value : float or None
        Of this time alone.
    q_value : float or None
        Adjusted for the rate of false discoveries over all times.
    """

    t: float
    main: Score
    p_value: float | None
    q_value: float | None


def averaging_curve(
    held_out: HeldOut, repeats: tuple[int, ...] = REPEATS
) -> list[AveragePoint]:
    """Score averages of trials that show the same: of the same run, where a run repeats it.

    Parameters
    ----------
    held_out : HeldOut
        Of single trials.
    repeats : tuple of int
        How many to average; those for which there are not enough trials are left out.
    """
    points = []
    for n_averaged in repeats:
        averaged, within_run = _average(held_out, n_averaged), True
        if averaged is None and held_out.protocol == "zero_shot":
            averaged, within_run = _average_over_runs(held_out, n_averaged), False
        if averaged is None:
            continue
        draws, held_out_draws = averaged
        e = evaluate(held_out_draws, with_p=False)
        points.append(AveragePoint(n_averaged, within_run, e.n // draws, e.top1, e.main))
    return points


def learning_curve(
    problem: Problem, progress: Callable[[float], None] = lambda _: None
) -> list[LearningPoint]:
    """Score models that were fitted to the first minutes only.

    Each fold takes the recordings from where its test ends, in their order and in a circle, so
    that no stretch of them decides alone.

    Parameters
    ----------
    problem : Problem
        What is decoded.
    progress : callable
        Told the share that is done.
    """
    return [point_of(part) for part in learned_parts(problem, SHARES, progress)]


def point_of(part: LearnedPart) -> LearningPoint:
    """Score what models of a part of the calibration predict."""
    e = evaluate(part.held_out, with_p=False)
    return LearningPoint(part.minutes, part.n_trials, e.top1, e.main)


def learned_parts(
    problem: Problem,
    shares: Sequence[float],
    progress: Callable[[float], None] = lambda _: None,
) -> Iterator[LearnedPart]:
    """Predict the same trials by models of more and more of what there is to learn from.

    Parameters
    ----------
    problem : Problem
        What is decoded.
    shares : sequence of float
        Of each fold's training trials, rising; those that are too few are left out.
    progress : callable
        Told the share that is done.
    """
    for number, share in enumerate(shares):
        parts = [_first_minutes(problem, fold, share) for fold in problem.split.folds]
        shown = [len(np.unique(problem.truth[train])) for train, _ in parts]
        n_trials = [int(train.sum()) for train, _ in parts]
        if min(n_trials) < MIN_TRIALS or min(shown) < 2:
            continue
        folds = tuple(
            replace(fold, train=train)
            for fold, (train, _) in zip(problem.split.folds, parts, strict=True)
        )
        part = replace(problem, split=replace(problem.split, folds=folds))
        minutes = float(np.mean([seconds for _, seconds in parts]) / 60)
        yield LearnedPart(minutes, round(np.mean(n_trials)), part.hold_out())
        progress((number + 1) / len(shares))


def minutes_of(dataset: Dataset) -> float:
    """Return how long calibration took: from trial to trial, without long pauses."""
    rows = np.lexsort([dataset.t, dataset.files])
    return float(_steps(dataset, rows).sum() / 60)


def time_course(
    problems: list[Problem], progress: Callable[[float], None] = lambda _: None
) -> list[TimePoint]:
    """Score each 40 ms of the windows by themselves.

    Parameters
    ----------
    problems : list of Problem
        Windows that follow each other, such as before and after the stimulus.
    progress : callable
        Told the share that is done.
    """
    n_bins = sum(len(list(_bins(problem))) for problem in problems)
    times: list[float] = []
    scores: list[Score] = []
    found: list[float] = []
    for problem in problems:
        predictions = []
        for windows, t in _bins(problem):
            held_out = problem.seen_as(windows, encoder="ridge").hold_out()
            predictions.append(held_out)
            scores.append(evaluate(held_out, with_p=False).main)
            times.append(t)
            progress(len(times) / n_bins)
        if problem.order.kind in ("random", "alternating"):
            found += p_values(predictions, problem.order)
    if not found:
        return [TimePoint(t, s, None, None) for t, s in zip(times, scores, strict=True)]
    adjusted = fdr(np.array(found)).tolist()
    rows = zip(times, scores, found, adjusted, strict=True)
    return [TimePoint(t, score, p, q) for t, score, p, q in rows]


def _average(held_out: HeldOut, n_averaged: int) -> tuple[int, HeldOut] | None:
    """Return averages of trials that a model predicted in one run; several draws of them."""
    rng = np.random.default_rng(_SEED)
    keys = np.stack([held_out.fold, held_out.groups, held_out.truth])
    _, cell = np.unique(keys, axis=1, return_inverse=True)
    cells = [np.flatnonzero(cell.reshape(-1) == c) for c in range(int(cell.max()) + 1)]
    cells = [rows for rows in cells if len(rows) >= n_averaged]
    n_pools = len(held_out.pools)
    most = sum(len(rows) // n_averaged for rows in cells)
    if most < 2:
        return None
    draws = 1 if n_averaged == 1 else max(1, min(_MAX_DRAWS, _MAX_AVERAGES // most))
    sets, draw = [], []
    for n in range(draws):
        for rows in cells:
            kept = rng.permutation(rows)[: len(rows) // n_averaged * n_averaged]
            sets.append(kept.reshape(-1, n_averaged))
            draw.append(np.full(len(sets[-1]), n))
    members = np.concatenate(sets)
    # Pairs are counted within a draw, so that no trial is compared with itself.
    fold = np.concatenate(draw) * n_pools + held_out.fold[members[:, 0]]
    return draws, _merged(held_out, members, fold, np.tile(held_out.pools, (draws, 1)))


def _average_over_runs(held_out: HeldOut, n_averaged: int) -> tuple[int, HeldOut] | None:
    """Return averages of successive repeats, among what none of their models was trained on."""
    rows = np.argsort(held_out.truth, kind="stable")  # repeats in the order of runs
    _, first, count = np.unique(held_out.truth[rows], return_index=True, return_counts=True)
    starts = [
        start + n
        for start, repeats in zip(first, count, strict=True)
        for n in range(0, repeats - n_averaged + 1, n_averaged)
    ]
    if len(starts) < 2:
        return None
    members = rows[np.array(starts)[:, None] + np.arange(n_averaged)]
    folds, which = np.unique(held_out.fold[members], axis=0, return_inverse=True)
    pools = np.asarray(held_out.pools[folds].all(axis=1))
    which = which.reshape(-1)
    kept = pools[which].sum(axis=1) > 1
    if kept.sum() < 2:
        return None
    return 1, _merged(held_out, members[kept], which[kept], pools)


def _merged(
    held_out: HeldOut,
    members: NDArray[np.intp],
    fold: NDArray[np.intp],
    pools: NDArray[np.bool_],
) -> HeldOut:
    """Return averages of `members`, of shape (n, n_averaged), which chose from `pools`."""
    first = members[:, 0]
    return replace(
        held_out,
        similarity=held_out.similarity[members].mean(axis=1),
        truth=held_out.truth[first],
        groups=held_out.groups[first],
        t=held_out.t[first],
        stim_files=(),
        fold=fold,
        pools=pools,
        index=held_out.index[first],
    )


def _first_minutes(
    problem: Problem, fold: Fold, share: float
) -> tuple[NDArray[np.bool_], float]:
    """Return the first part of a fold's training trials, and how long it took, in seconds."""
    dataset = problem.dataset
    rows = np.lexsort([dataset.t, dataset.files])
    last = int(np.flatnonzero(fold.test[rows])[-1])
    rows = np.roll(rows, -(last + 1))
    rows = rows[fold.train[rows]]
    step = _steps(dataset, rows)
    kept = rows[: round(share * len(rows))]
    train = np.zeros(len(dataset), bool)
    train[kept] = True
    return train, float(step[: len(kept)].sum())


def _steps(dataset: Dataset, rows: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the time from each trial to the next, in seconds; of a pause only a part."""
    step = np.diff(dataset.t[rows], append=np.nan)
    step[(np.diff(dataset.files[rows], append=-1) != 0) | (step < 0)] = np.nan
    return np.where(np.isnan(step), np.nanmedian(step), np.minimum(step, _MAX_PAUSE))


def _bins(problem: Problem) -> Iterator[tuple[NDArray[np.float32], float]]:
    """Yield the samples of each bin, and the time in the brain that they tell of."""
    dataset = problem.dataset
    sfreq, n_times = dataset.spec_out.sfreq, dataset.windows.shape[-1]
    edges = np.round(np.arange(0, n_times + 1e-9, max(_BIN * sfreq, 1))).astype(int)
    for start, stop in pairwise(edges):
        t = dataset.windowing.tmin + (start + stop - 1) / 2 / sfreq - dataset.delay
        yield dataset.windows[:, :, start:stop], round(float(t), 4)
