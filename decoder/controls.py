"""What a decoder scores that cannot know: beside each score, what must come out at chance."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from decoder.design import Order
from decoder.evaluation import evaluate
from decoder.problem import Problem
from decoder.resampling import Score
from models.heldout import HeldOut

__all__ = [
    "NOISE",
    "SHUFFLED",
    "Control",
    "control_of",
    "controls_of",
    "noise_like",
    "scored_control",
    "shuffled",
]

NOISE = "noise"
SHUFFLED = "shuffled brain"

_LEVEL = 0.01  # of about five controls, one in twenty evaluations would alarm without cause
_SEED = 0
_N_WAVES = 5


@dataclass(frozen=True, slots=True)
class Control:
    """The score of a decoder that sees no response to what it is asked for.

    Parameters
    ----------
    name : str
        Which.
    what : str
        What it saw instead, in a sentence.
    top1 : Score
        How often its best guess was right; of unequal frequencies, more than chance.
    main : Score
        The same statistic as the score it stands beside: AUC or two-way accuracy.
    p_value : float or None
        Of `main`, as for the score.
    at_chance : bool
        False if p is below 0.01 and the interval excludes chance: then something else than
        the response tells what was shown, and a score that is no better proves nothing.
    """

    name: str
    what: str
    top1: Score
    main: Score
    p_value: float | None
    at_chance: bool


def controls_of(problem: Problem, held_out: HeldOut) -> Iterator[Control]:
    """Yield the controls that need no other recording.

    Parameters
    ----------
    problem : Problem
        What is decoded.
    held_out : HeldOut
        What was predicted for it.
    """
    windows = problem.dataset.windows
    yield control_of(
        SHUFFLED,
        "fitted and tested on the windows of other trials of the same run",
        problem.seen_as(shuffled(windows, problem.dataset.groups)),
    )
    yield control_of(
        NOISE,
        "fitted and tested on white noise of the same size",
        problem.seen_as(noise_like(windows)),
    )
    yield scored_control(
        "prior only",
        "guesses what was shown most often in training, and looks at no signal",
        _prior(problem, held_out),
        problem.order,
    )
    yield control_of(
        "clock only",
        "fitted and tested on the time since the recording began, and no signal",
        problem.seen_as(_clock(problem), encoder="ridge"),
    )


def control_of(name: str, what: str, problem: Problem) -> Control:
    """Score a problem that should not be solvable."""
    return scored_control(name, what, problem.hold_out(), problem.order)


def scored_control(name: str, what: str, held_out: HeldOut, order: Order) -> Control:
    """Score predictions that should know nothing."""
    e = evaluate(held_out, order)
    known = (e.p_value is None or e.p_value < _LEVEL) and e.main.low > e.main.chance
    return Control(name, what, e.top1, e.main, e.p_value, not known)


def shuffled(windows: NDArray[np.float32], groups: NDArray[np.intp]) -> NDArray[np.float32]:
    """Return for each trial the window of another trial of its run.

    Parameters
    ----------
    windows : array of shape (n, n_channels, n_times)
        Of each trial.
    groups : array of shape (n,)
        The run of each.
    """
    rng = np.random.default_rng(_SEED)
    others = np.arange(len(windows))
    for group in np.unique(groups):
        here = np.flatnonzero(groups == group)
        others[here] = rng.permutation(here)
    return windows[others]


def noise_like(windows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return white noise with the spread of each channel.

    Parameters
    ----------
    windows : array of shape (n, n_channels, n_times)
        Of each trial.
    """
    rng = np.random.default_rng(_SEED + 1)
    spread = windows.std(axis=(0, 2), keepdims=True, dtype=np.float64)[0]
    noise: NDArray[np.float64] = rng.standard_normal(windows.shape) * spread
    return noise.astype(np.float32)


def _prior(problem: Problem, held_out: HeldOut) -> HeldOut:
    """Return the same guess for all trials of a fold: how often each was shown in training."""
    n = len(problem.candidates)
    counts = [
        np.bincount(problem.truth[fold.train], minlength=n) for fold in problem.split.folds
    ]
    similarity = np.stack(counts)[held_out.fold].astype(np.float32)
    return replace(held_out, similarity=similarity)


def _clock(problem: Problem) -> NDArray[np.float32]:
    """Return slow cosines of the time in each recording, as windows of one sample."""
    dataset = problem.dataset
    share = np.zeros(len(dataset))
    for file in np.unique(dataset.files):
        here = dataset.files == file
        t = dataset.t[here]
        share[here] = (t - t.min()) / max(float(np.ptp(t)), 1.0)
    waves = np.arange(1, _N_WAVES + 1)
    return np.cos(np.pi * waves * share[:, None]).astype(np.float32)[:, :, None]
