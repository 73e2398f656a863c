"""Whether sets hold the truth as often as they promise, and what each latency is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from decoder.evaluation import evaluate
from decoder.readout import Ranking
from decoder.resampling import Resamples, Score, bootstrap
from decoder.uncertainty import Doubt, Uncertainty
from models.checkpoint import Model
from models.conformal import set_threshold
from models.heldout import HeldOut
from models.retrieval import cross_fitted_probabilities, probabilities

__all__ = ["RISKS", "CoveragePoint", "LatencyPoint", "coverage_of", "latency_points"]

RISKS = (0.05, 0.1, 0.2, 0.3)
"""Risks at which coverage is measured."""


@dataclass(frozen=True, slots=True)
class CoveragePoint:
    """Conformal sets at one risk.

    Parameters
    ----------
    risk : float
        Promised share of sets without the truth.
    coverage : float
        Measured share of sets with it.
    low, high : float
        The 95 % interval of `coverage`; see `decoder.resampling.Resamples`.
    set_size : float
        Mean number of candidates in a set.
    n, n_calibration : int
        Trials with a set, and the fewest trials that one of them was calibrated on.
    """

    risk: float
    coverage: float
    low: float
    high: float
    set_size: float
    n: int
    n_calibration: int


@dataclass(frozen=True, slots=True)
class LatencyPoint:
    """The score so long after the stimulus.

    Parameters
    ----------
    latency : float
        End of the window after the stimulus, in seconds.
    top1, main : Score
        Of all trials; `main` is AUC or two-way accuracy.
    """

    latency: float
    top1: Score
    main: Score


def coverage_of(
    held_out: HeldOut, model: Model | None = None, risks: Sequence[float] = RISKS
) -> list[CoveragePoint]:
    """Measure how often sets hold the truth.

    Parameters
    ----------
    held_out : HeldOut
        Predictions.
    model : Model or None
        What made them: its own sets, exactly as live. If None, the sets of each run are
        calibrated on the other runs.
    risks : sequence of float
        Promised shares of misses; where nothing is promised at one, it is left out.
    """
    resamples = bootstrap(
        held_out.truth,
        held_out.groups,
        held_out.t,
        held_out.stim_files,
        cross_validated=len(held_out.pools) > 1,
    )
    found = []
    for risk in risks:
        sets = _crossed(held_out, risk) if model is None else _live(held_out, model, risk)
        if sets is not None:
            found.append(_point(risk, *sets, held_out.truth, resamples))
    return found


def latency_points(latencies: Sequence[float], found: Sequence[HeldOut]) -> list[LatencyPoint]:
    """Score predictions of the same trials at growing latencies; see `LatencyPoint`."""
    scores = [evaluate(held_out, with_p=False) for held_out in found]
    return [
        LatencyPoint(latency, e.top1, e.main)
        for latency, e in zip(latencies, scores, strict=True)
    ]


_Sets = tuple[NDArray[np.bool_], int]
"""Which candidates each trial's set has, (n, n_candidates), and what that was calibrated on."""


def _crossed(held_out: HeldOut, risk: float) -> _Sets | None:
    """Return sets of each run by the others."""
    similarity = held_out.among_pools()
    truth, groups = held_out.truth, held_out.groups
    p = cross_fitted_probabilities(similarity, truth, groups)
    inside, fewest = np.zeros(p.shape, bool), len(truth)
    for group in np.unique(groups):
        here = groups == group
        others = np.flatnonzero(~here)
        threshold = set_threshold(p[others, truth[others]], risk)
        if threshold is None:
            return None
        inside[here] = p[here] >= threshold
        fewest = min(fewest, len(others))
    inside[np.arange(len(p)), p.argmax(axis=1)] = True
    return inside, fewest


def _live(held_out: HeldOut, model: Model, risk: float) -> _Sets | None:
    """Return the sets of a model's final decodes."""
    doubt = Doubt(model, model.candidates, Uncertainty(risk=risk))
    if doubt.no_set:
        return None
    index = {name: n for n, name in enumerate(model.candidates.ids)}
    p = probabilities(held_out.similarity, model.temperature)
    inside, fewest = np.zeros(p.shape, bool), 0
    for row, each in enumerate(p):
        found = doubt.set_of(Ranking(each), len(model.stages), final=True)
        if found is not None:
            inside[row, [index[name] for name in found.ids]] = True
            fewest = found.n_calibration
    return inside, fewest


def _point(
    risk: float,
    inside: NDArray[np.bool_],
    n_calibration: int,
    truth: NDArray[np.intp],
    resamples: Resamples,
) -> CoveragePoint:
    """Say how many sets hold the truth."""
    held = inside[np.arange(len(truth)), truth].astype(float)
    weights = resamples.weights
    with np.errstate(invalid="ignore"):  # a resample may draw no trial
        low, high = resamples.interval(weights @ held / weights.sum(axis=1))
    size = float(inside.sum(axis=1).mean())
    return CoveragePoint(risk, float(held.mean()), low, high, size, len(held), n_calibration)
