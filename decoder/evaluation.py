"""Scores of predictions that were made before the truth was known.

Every score names its protocol, its pool, its chance level and an interval from resampling
whole runs. Pairs for the area under the curve, and the shuffles of the permutation test, stay
within a run, so that drift from run to run counts neither for nor against.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from rich.table import Table
from scipy.stats import rankdata

from decoder.resampling import (
    N_PERMUTATIONS,
    Score,
    auc_score,
    bootstrap,
    mean_score,
    median_score,
    permutation_p,
)
from streaming.errors import EvaluationError

__all__ = ["Evaluation", "Protocol", "as_table", "evaluate", "one_line"]

Protocol = Literal["closed_set", "zero_shot"]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How good single-trial predictions are.

    Parameters
    ----------
    protocol : str
        ``"closed_set"``: what was shown had been seen in training, in other runs.
        ``"zero_shot"``: no concept had. The two are never compared.
    n, pool, n_groups : int
        Trials, candidates each chose from, and runs (or blocks) they come from.
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
    p_value : float
        ``(1 + hits) / (1 + n_permutations)``; truths are shuffled within runs and nothing is
        refitted. See `decoder.resampling.permutation_p` for what makes up for that.
    n_permutations : int
        How many shuffles.
    modal_share : float
        Share of trials that the most frequent answer got (hubness).
    modal_answer : int
        Its index.
    clusters : str
        What the bootstrap resamples: ``"run and stimulus"``, ``"run"``, ``"stimulus"`` or
        ``"trial"``.
    stimulus_files : str
        ``"unknown"``, ``"shared"`` (the same file was shown in several runs, which flatters a
        closed set) or ``"disjoint"``.
    """

    protocol: Protocol
    n: int
    pool: int
    n_groups: int
    top1: Score
    top5: Score
    top10: Score
    median_rank: Score
    pairwise: Score
    auc: Score | None
    statistic: str
    p_value: float
    n_permutations: int
    modal_share: float
    modal_answer: int
    clusters: str
    stimulus_files: str

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        return {**asdict(self), "permutations_refit": False}


def evaluate(
    similarity: NDArray[np.float32],
    truth: NDArray[np.intp],
    groups: NDArray[np.intp],
    *,
    protocol: Protocol,
    trained: Sequence[bool],
    stim_files: Sequence[str] = (),
    cross_validated: bool = True,
) -> Evaluation:
    """Score predictions against what was shown.

    Parameters
    ----------
    similarity : array of shape (n, n_candidates)
        How much each trial speaks for each candidate, or its probability; only the order
        within a trial counts, and for two candidates their difference.
    truth : array of shape (n,)
        Index of the candidate that was shown.
    groups : array of shape (n,)
        The run, or block, of each trial.
    protocol : str
        ``"closed_set"`` or ``"zero_shot"``.
    trained : sequence of bool
        Which candidates were shown to the model in training.
    stim_files : sequence of str
        The file shown in each trial; empty where unknown.
    cross_validated : bool
        False if one model that saw none of these runs predicted all of them; True, the
        cautious default, if the runs were left out one after the other.

    Raises
    ------
    EvaluationError
        If the score would not be of `protocol`, or there is too little to score.
    """
    n, pool = similarity.shape
    _check(similarity, truth, groups, protocol, np.asarray(trained, bool))
    rank = _ranks(similarity)
    true_rank = rank[np.arange(n), truth]
    resamples = bootstrap(truth, groups, stim_files)
    pairwise = (pool - true_rank) / max(pool - 1, 1)
    auc = None
    if pool == 2:
        auc = auc_score(similarity[:, 1] - similarity[:, 0], truth == 1, groups, resamples)
    if auc is not None:
        within = _ranks_within(similarity[:, 1] - similarity[:, 0], groups)
        columns = np.stack([np.zeros(n), within], axis=1)
    else:
        columns = (pool - rank) / max(pool - 1, 1)
    winners = np.bincount(similarity.argmax(axis=1), minlength=pool)
    return Evaluation(
        protocol=protocol,
        n=n,
        pool=pool,
        n_groups=len(np.unique(groups)),
        top1=mean_score(true_rank <= 1, 1 / pool, resamples),
        top5=mean_score(true_rank <= 5, min(5 / pool, 1.0), resamples),
        top10=mean_score(true_rank <= 10, min(10 / pool, 1.0), resamples),
        median_rank=median_score(true_rank, (pool + 1) / 2, resamples),
        pairwise=mean_score(pairwise, 0.5, resamples),
        auc=auc,
        statistic="pairwise" if auc is None else "auc",
        p_value=permutation_p(columns, truth, groups, cross_validated=cross_validated),
        n_permutations=N_PERMUTATIONS,
        modal_share=float(winners.max() / n),
        modal_answer=int(winners.argmax()),
        clusters=resamples.clusters,
        stimulus_files=_stimulus_files(groups, stim_files),
    )


def one_line(evaluation: Evaluation) -> str:
    """Return what matters most, for a log or a terminal.

    Examples
    --------
    >>> similarity, truth = np.eye(2, dtype=np.float32)[[0, 1] * 20], np.array([0, 1] * 20)
    >>> runs = np.arange(40) // 10
    >>> one_line(evaluate(similarity, truth, runs, protocol="closed_set", trained=[1, 1]))
    'closed_set, 40 trials: AUC 1.000 [1.000, 1.000], chance 0.500, p = 0.0001'
    """
    e = evaluation
    name, score = ("top-1", e.top1) if e.auc is None else ("AUC", e.auc)
    of = f" among {e.pool}" if e.auc is None else ""
    return (
        f"{e.protocol}, {e.n} trials: {name}{of} {score.value:.3f} "
        f"[{score.low:.3f}, {score.high:.3f}], chance {score.chance:.3f}, p = {e.p_value:.4f}"
    )


def as_table(evaluation: Evaluation) -> Table:
    """Return all scores as a table for a terminal."""
    e = evaluation
    title = f"{e.protocol}: {e.n} trials in {e.n_groups} runs, {e.pool} candidates"
    table = Table(title=title, caption=_caption(e))
    for column in ("score", "value", "95 % interval", "chance"):
        table.add_column(column, justify="left" if column == "score" else "right")
    rows = {
        "AUC": e.auc,
        "top-1": e.top1,
        "top-5": e.top5 if e.pool > 5 else None,
        "top-10": e.top10 if e.pool > 10 else None,
        "two-way accuracy": e.pairwise,
        "median rank": e.median_rank if e.pool > 2 else None,
    }
    for name, score in rows.items():
        if score is not None:
            digits = 1 if name == "median rank" else 3
            low, high = f"{score.low:.{digits}f}", f"{score.high:.{digits}f}"
            chance = f"{score.chance:.{digits}f}"
            table.add_row(name, f"{score.value:.{digits}f}", f"{low} to {high}", chance)
    return table


def _caption(e: Evaluation) -> str:
    """Say how the numbers were made."""
    files = {
        "unknown": "stimulus files unknown, so the same may be in training and test",
        "shared": "stimulus files shared between runs, which flatters",
        "disjoint": "no stimulus file in two runs",
    }[e.stimulus_files]
    return (
        f"p = {e.p_value:.4f} ({e.statistic}, {e.n_permutations} shuffles within runs, "
        f"no refit); "
        f"interval over {e.clusters}; most frequent answer {e.modal_share:.0%}; {files}"
    )


def _check(
    similarity: NDArray[np.float32],
    truth: NDArray[np.intp],
    groups: NDArray[np.intp],
    protocol: str,
    trained: NDArray[np.bool_],
) -> None:
    """Refuse what cannot be scored, or not under that name."""
    n, pool = similarity.shape
    if truth.shape != (n,) or groups.shape != (n,) or trained.shape != (pool,):
        msg = (
            f"similarity has shape {similarity.shape}, truth {truth.shape}, groups "
            f"{groups.shape}, trained {trained.shape}; they must match"
        )
        raise ValueError(msg)
    if n == 0 or pool < 2:
        msg = f"there are {n} trials and {pool} candidates; scoring needs trials and a choice"
        raise EvaluationError(msg)
    if not np.isfinite(similarity).all():
        msg = "some predictions are not finite; the model is broken, fit it anew"
        raise EvaluationError(msg)
    seen = trained[truth]
    if protocol == "zero_shot" and seen.any():
        msg = (
            f"{int(seen.sum())} of {n} trials show what the model was trained on; zero_shot "
            "refuses them, score them as closed_set"
        )
        raise EvaluationError(msg)
    if protocol == "closed_set" and not seen.all():
        msg = (
            f"{int((~seen).sum())} of {n} trials show what the model never saw; score them as "
            "zero_shot, apart"
        )
        raise EvaluationError(msg)


def _ranks(similarity: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the place of each candidate in each trial, from 1; ties share the mean place."""
    return np.asarray(rankdata(-similarity, axis=1))


def _ranks_within(
    decision: NDArray[np.float32], groups: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Return ranks within each group."""
    ranks = np.zeros(len(decision))
    for group in np.unique(groups):
        here = groups == group
        ranks[here] = rankdata(decision[here])
    return ranks


def _stimulus_files(groups: NDArray[np.intp], stim_files: Sequence[str]) -> str:
    """Say whether the same file was shown in several runs."""
    if not stim_files or not all(stim_files):
        return "unknown"
    pairs = set(zip(stim_files, groups.tolist(), strict=True))
    return "shared" if len(pairs) > len(set(stim_files)) else "disjoint"
