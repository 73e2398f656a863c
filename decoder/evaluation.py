"""Scores of predictions that were made before the truth was known.

Every score names its protocol, its pool, its chance level and an interval from resampling
runs. Pairs for the area under the curve, and the shuffles of the permutation test, stay
within a run, so that drift from run to run counts neither for nor against.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from decoder.design import Order
from decoder.metrics import (
    auc_score,
    beaten,
    exchanged,
    mean_score,
    median_score,
    ranks,
    ranks_within,
)
from decoder.permutation import N_PERMUTATIONS, permutation_p
from decoder.resampling import Score, bootstrap
from models.folds import Protocol
from models.heldout import HeldOut
from streaming.errors import EvaluationError

__all__ = [
    "Evaluation",
    "Protocol",
    "StimulusFiles",
    "Verdict",
    "cells_of",
    "evaluate",
    "is_binary",
    "one_line",
    "p_values",
]

StimulusFiles = Literal["unknown", "shared", "disjoint"]
Verdict = Literal["above chance", "not above chance", "cannot be told"]

_LEVEL = 0.05

_RANDOM = Order("random", 0.0, 0.0, 1.0)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How good single-trial predictions are.

    Parameters
    ----------
    protocol : str
        ``"closed_set"``: what was shown had been seen in training, in other runs.
        ``"zero_shot"``: no concept had. The two are never compared.
    n, pool, n_groups : int
        Trials, candidates each chose from (the median, where folds differ), and runs (or
        blocks) they come from.
    majority : float
        Top-1 of who always answers what these trials show most often.
    top1, top5, top10 : Score
        Share of trials with the truth first, or among the best five or ten; of a pool that is
        no larger than that, it is 1.
    median_rank : Score
        Median place of the truth, from 1; lower is better.
    pairwise : Score
        Share of the other candidates that the truth beats: two-way accuracy.
    auc : Score or None
        For two candidates: area under the curve, of pairs of trials within a run.
    statistic : str
        What the permutation test tests: ``"auc"`` for two candidates, else ``"pairwise"``.
    p_value : float or None
        ``(1 + hits) / (1 + n_permutations)``; None where the order of stimuli allows none.
        See `decoder.permutation.permutation_p` for what makes up for not refitting.
    n_permutations : int
        How many permutations.
    permutation : str
        What was permuted, and that nothing was refitted.
    verdict : str
        ``"above chance"`` if p is below 0.05 and the interval of the statistic excludes
        chance, else ``"not above chance"``; ``"cannot be told"`` without a p.
    modal_share : float
        Share of trials that the most frequent answer got (hubness).
    modal_answer : int
        Its index.
    clusters : str
        What the bootstrap resamples; see `decoder.resampling.Resamples`.
    stimulus_files : str
        ``"unknown"``, ``"shared"`` (the same file was shown in several runs, which flatters a
        closed set) or ``"disjoint"``.
    """

    protocol: Protocol
    n: int
    pool: int
    n_groups: int
    majority: float
    top1: Score
    top5: Score
    top10: Score
    median_rank: Score
    pairwise: Score
    auc: Score | None
    statistic: Literal["auc", "pairwise"]
    p_value: float | None
    n_permutations: int
    permutation: str
    verdict: Verdict
    modal_share: float
    modal_answer: int
    clusters: str
    stimulus_files: StimulusFiles

    @property
    def main(self) -> Score:
        """The score that the p-value belongs to."""
        return self.pairwise if self.auc is None else self.auc

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        return asdict(self)


def evaluate(held_out: HeldOut, order: Order = _RANDOM, *, with_p: bool = True) -> Evaluation:
    """Score predictions against what was shown.

    Parameters
    ----------
    held_out : HeldOut
        Of `similarity`, only the order within a trial counts, and for two candidates their
        difference.
    order : Order
        In which order things were shown; decides how truths are permuted.
    with_p : bool
        Whether to permute; a point of a curve needs no p.

    Raises
    ------
    EvaluationError
        If the score would not be of its protocol, or there is too little to score.
    """
    _check(held_out)
    truth, groups = held_out.truth, held_out.groups
    n, n_candidates = held_out.similarity.shape
    pools = held_out.pools[held_out.fold]
    size = pools.sum(axis=1)
    rank = ranks(held_out.similarity, pools)
    shares = exchanged(truth, cells_of(held_out), n_candidates)
    resamples = bootstrap(
        truth, groups, held_out.t, held_out.stim_files, cross_validated=len(held_out.pools) > 1
    )

    def score(values: NDArray[np.bool_] | NDArray[np.float64]) -> Score:
        return mean_score(values, truth, shares, resamples)

    pairwise = score(beaten(rank, size[:, None]))
    auc = None
    if is_binary(held_out):
        decision = held_out.similarity[:, 1] - held_out.similarity[:, 0]
        auc = auc_score(decision, truth == 1, cells_of(held_out), resamples)
    main = pairwise if auc is None else auc
    p_value, permutation = None, f"none: the order was {order.kind}"
    if with_p and order.kind in ("random", "alternating"):
        how = "shuffles" if order.kind == "random" else "circular shifts"
        permutation = f"{how} of what was shown within runs; nothing was refitted"
        (p_value,) = p_values([held_out], order)
    winners = np.bincount(held_out.among_pools().argmax(axis=1), minlength=n_candidates)
    return Evaluation(
        protocol=held_out.protocol,
        n=n,
        pool=int(np.median(size)),
        n_groups=len(np.unique(groups)),
        majority=float(np.bincount(truth).max() / n),
        top1=score(rank <= 1),
        top5=score(rank <= 5),
        top10=score(rank <= 10),
        median_rank=median_score(rank, truth, shares, resamples, float(size.max())),
        pairwise=pairwise,
        auc=auc,
        statistic="pairwise" if auc is None else "auc",
        p_value=p_value,
        n_permutations=N_PERMUTATIONS,
        permutation=permutation,
        verdict=_verdict(main, p_value),
        modal_share=float(winners.max() / n),
        modal_answer=int(winners.argmax()),
        clusters=resamples.clusters,
        stimulus_files=_stimulus_files(groups, held_out.stim_files),
    )


def p_values(predictions: Sequence[HeldOut], order: Order) -> list[float]:
    """Return the p of the main score of each of several predictions of the same trials.

    Parameters
    ----------
    predictions : sequence of HeldOut
        They differ in `similarity` alone.
    order : Order
        Random or alternating.
    """
    first = predictions[0]
    columns = []
    for held_out in predictions:
        if is_binary(held_out):
            decision = held_out.similarity[:, 1] - held_out.similarity[:, 0]
            places = ranks_within(decision, cells_of(held_out))
            columns.append(np.stack([np.zeros(len(places)), places], axis=1))
        else:
            pools = held_out.pools[held_out.fold]
            rank = ranks(held_out.similarity, pools)
            columns.append(beaten(rank, pools.sum(axis=1, keepdims=True)))
    return permutation_p(
        columns,
        first.truth,
        cells_of(first),
        cross_validated=len(first.pools) > 1,
        order="random" if order.kind == "random" else "alternating",
    )


def one_line(evaluation: Evaluation) -> str:
    """Return what matters most, for a log or a terminal."""
    e = evaluation
    name, score = ("top-1", e.top1) if e.auc is None else ("AUC", e.auc)
    of = f" among {e.pool}" if e.auc is None else ""
    p = "no p" if e.p_value is None else f"p = {e.p_value:.4f}"
    return (
        f"{e.protocol}, {e.n} trials: {name}{of} {score.value:.3f} "
        f"[{score.low:.3f}, {score.high:.3f}], chance {score.chance:.3f}, {p}"
    )


def is_binary(held_out: HeldOut) -> bool:
    """Say whether all trials chose between the same two."""
    return held_out.similarity.shape[1] == 2 and bool(held_out.pools.all())


def cells_of(held_out: HeldOut) -> NDArray[np.intp]:
    """Return within what trials are compared: the run, and the model that predicted."""
    keys = np.stack([held_out.fold, held_out.groups])
    return np.unique(keys, axis=1, return_inverse=True)[1].reshape(-1)


def _verdict(main: Score, p_value: float | None) -> Verdict:
    """Say whether a score is above chance."""
    if p_value is None:
        return "cannot be told"
    return "above chance" if p_value < _LEVEL and main.low > main.chance else "not above chance"


def _check(held_out: HeldOut) -> None:
    """Refuse what cannot be scored, or not under that name."""
    similarity, truth = held_out.similarity, held_out.truth
    n, n_candidates = similarity.shape
    if truth.shape != (n,) or held_out.groups.shape != (n,) or held_out.fold.shape != (n,):
        msg = (
            f"similarity has shape {similarity.shape}, truth {truth.shape}, groups "
            f"{held_out.groups.shape}, fold {held_out.fold.shape}; they must match"
        )
        raise ValueError(msg)
    if n == 0 or n_candidates < 2:
        msg = (
            f"there are {n} trials and {n_candidates} candidates; scoring needs trials and a "
            "choice"
        )
        raise EvaluationError(msg)
    if not np.isfinite(similarity).all():
        msg = "some predictions are not finite; the model is broken, fit it anew"
        raise EvaluationError(msg)
    outside = int((~held_out.pools[held_out.fold, truth]).sum())
    if outside:
        other = "closed_set" if held_out.protocol == "zero_shot" else "zero_shot"
        was = "was trained on" if held_out.protocol == "zero_shot" else "never saw"
        msg = (
            f"{outside} of {n} trials show what the model {was}; {held_out.protocol} refuses "
            f"them, score them as {other}, apart"
        )
        raise EvaluationError(msg)


def _stimulus_files(groups: NDArray[np.intp], stim_files: tuple[str, ...]) -> StimulusFiles:
    """Say whether the same file was shown in several runs."""
    if not stim_files or not all(stim_files):
        return "unknown"
    pairs = set(zip(stim_files, groups.tolist(), strict=True))
    return "shared" if len(pairs) > len(set(stim_files)) else "disjoint"
