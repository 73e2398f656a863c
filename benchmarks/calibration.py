"""How many minutes of calibration a decoder needs, begun anew and from an older model.

The simulated participant looks at 200 things. A session is 1,000 trials of calibration, of
which models get the first few, and 300 later ones of the same session, on which all are tested.
On day 2 the order of stimuli and all noise are others, and the cap sits otherwise: every source
is turned by 20 degrees. A new person is another head with other sources and codes. Then the
real recordings: faces or houses seen by four electrodes, and flicker by eight; one run after
the other is tested on, by models of the first minutes of another, begun anew and from a model
of the others. Run with ``python -m benchmarks.calibration [--seeds 1 2 3] [--quick]``; three
people take about 20 minutes, the recordings 5.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import get_args

import numpy as np

from benchmarks.real import DATA, RECORDINGS, Recordings
from decoder.curves import SHARES, LearningPoint, learned_parts, minutes_of, point_of
from decoder.evaluation import evaluate
from decoder.fitting import FitSettings, read_windows
from decoder.forecast import Forecast, forecast, headline
from decoder.problem import Problem
from decoder.resampling import Score
from decoder.simulation import RECORDING, STIMULI, save_calibration
from models.candidates import Candidates, demo_concepts
from models.checkpoint import Model
from models.dataset import Dataset, read_dataset
from models.fit import EVOKED_WINDOWS, evoked_chain, fit_encoder, fit_model, truth_of
from models.folds import Fold, Split, too_close
from models.heldout import hold_out
from models.stimuli import StimulusTable
from streaming.sources.simulated import SimulatedSettings, Snr

__all__ = [
    "Day",
    "Point",
    "RunPoint",
    "curve",
    "days",
    "leave_one_run_out",
    "main",
    "minutes_to_reach",
    "runs",
    "session",
]

N_TRAINED, N_TESTED = 1000, 300
SIZES = (20, 30, 45, 70, 100, 150, 250, 400, 600, 800, 1000)
SHARE = 0.8


@dataclass(frozen=True, slots=True)
class Point:
    """The score after so much calibration.

    Parameters
    ----------
    minutes : float
        Of calibration.
    n_trials : int
        In them.
    score : Score
        On later trials: two-way accuracy, or AUC of two classes.
    """

    minutes: float
    n_trials: int
    score: Score


@dataclass(frozen=True, slots=True)
class Day:
    """How a calibration went.

    Parameters
    ----------
    name : str
        Which.
    points : tuple of Point
        Score against minutes.
    minutes : float or None
        Until 80 % of what day 1 ends with above chance; None if never.
    """

    name: str
    points: tuple[Point, ...]
    minutes: float | None


@dataclass(frozen=True, slots=True)
class RunPoint:
    """The scores of several runs after so much calibration of each.

    Parameters
    ----------
    minutes : float
        Mean over runs.
    n_trials : int
        The same.
    anew, warm : tuple of float
        AUC, or top-1 of four, of each run.
    """

    minutes: float
    n_trials: int
    anew: tuple[float, ...]
    warm: tuple[float, ...]


def session(settings: SimulatedSettings, n_trials: int = N_TRAINED + N_TESTED) -> Dataset:
    """Record a calibration session of a participant, and cut it into windows."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        save_calibration(settings, n_trials, folder)
        table = StimulusTable.read(folder / STIMULI)
        return read_dataset([folder / RECORDING], EVOKED_WINDOWS, table, evoked_chain)


def curve(
    dataset: Dataset,
    candidates: Candidates,
    sizes: Sequence[int],
    n_tested: int,
    parent: Model | None = None,
    encoder: str = "ridge",
) -> list[Point]:
    """Score encoders that were fitted to the first trials on the last ones.

    Parameters
    ----------
    dataset : Dataset
        Trials in the order of time.
    candidates : Candidates
        What is chosen from.
    sizes : sequence of int
        How many trials are fitted to.
    n_tested : int
        How many of the last are tested on.
    parent : Model or None
        What is begun with.
    encoder : str
        What is fitted without.
    """
    truth = truth_of(dataset, candidates)
    older = None if parent is None else parent.encoder
    order = np.arange(len(dataset))
    test = order >= len(dataset) - n_tested
    free = ~too_close(dataset, test)
    points = []
    for size in sizes:
        train = free & (order < size)
        fold = Fold(train, test, np.ones(len(candidates), bool))
        held_out = hold_out(
            dataset,
            candidates,
            truth,
            Split("closed_set", (fold,), 0),
            partial(fit_encoder, encoder=encoder, parent=older),
        )
        _, score = headline(evaluate(held_out, with_p=False))
        points.append(Point(minutes_of(dataset.take(train)), int(train.sum()), score))
    return points


def minutes_to_reach(points: Sequence[Point], value: float) -> float | None:
    """Return after how many minutes a score is reached for good, between two points in between.

    Parameters
    ----------
    points : sequence of Point
        Of rising minutes.
    value : float
        The score.
    """
    scores = np.array([point.score.value for point in points])
    minutes = np.array([point.minutes for point in points])
    below = np.flatnonzero(scores < value)
    if len(below) == 0:
        return float(minutes[0])
    at = int(below[-1])
    if at == len(points) - 1:
        return None
    share = (value - scores[at]) / (scores[at + 1] - scores[at])
    return float(minutes[at] + share * (minutes[at + 1] - minutes[at]))


def days(
    seed: int = 1, *, turned: float = 20.0, snr: Snr = "easy", quick: bool = False
) -> list[Day]:
    """Calibrate on day 1, on day 2, and somebody new, anew and from the model of day 1.

    Parameters
    ----------
    seed : int
        Who; the new person is another one.
    turned : float
        By how many degrees the sources are turned on day 2.
    snr : str
        See `SimulatedSettings`.
    quick : bool
        Few trials, to see that it runs.
    """
    n_trained, n_tested = (200, 100) if quick else (N_TRAINED, N_TESTED)
    sizes = [
        size
        for size in (20, 30, 45, 70, 100, 150, 250, 400, 600, 800, 1000)
        if size <= n_trained
    ]
    n = n_trained + n_tested
    first = SimulatedSettings(snr=snr, subject_seed=seed, session_seed=1)
    second = replace(first, session_seed=2, turned=turned)
    other = replace(first, subject_seed=seed + 100)
    candidates = demo_concepts()
    sessions = [session(settings, n) for settings in (first, second, other)]
    monday = sessions[0].take(np.arange(len(sessions[0])) < n_trained)
    model = fit_model(monday, candidates).model
    plan = [
        ("day 1", 0, None),
        ("day 2, anew", 1, None),
        ("day 2, from day 1", 1, model),
        ("a new person, anew", 2, None),
        ("a new person, from the first one", 2, model),
    ]
    found: list[Day] = []
    goals: dict[int, float] = {}
    for name, number, parent in plan:
        points = curve(sessions[number], candidates, sizes, n_tested, parent)
        if parent is None:
            last = points[-1].score
            goals[number] = last.chance + SHARE * (last.value - last.chance)
        found.append(Day(name, tuple(points), minutes_to_reach(points, goals[number])))
    return found


def runs(recordings: Recordings, sizes: Sequence[int], n_tested: int) -> list[RunPoint]:
    """Calibrate on the first trials of each run, anew and from a model of the other runs.

    Parameters
    ----------
    recordings : Recordings
        One person's.
    sizes : sequence of int
        Trials of the run that are fitted to.
    n_tested : int
        Last trials of the run, that all are tested on.
    """
    settings = FitSettings(events=recordings.labels, drop=recordings.drop)
    dataset = read_windows(
        sorted(DATA.glob(recordings.pattern)),
        settings,
        settings.windows(settings.table()),
        lambda _: None,
    )
    candidates = settings.pool(settings.table())
    scores: dict[tuple[int, bool], list[Point]] = {}
    for run in np.unique(dataset.files):
        here = dataset.files == run
        today, others = dataset.take(here), dataset.take(~here)
        others = replace(others, groups=others.files)
        model = fit_model(others, candidates, encoder="auto").model
        for parent in (None, model):
            kind = model.encoder.kind
            found = curve(today, candidates, sizes, n_tested, parent, kind)
            for size, point in zip(sizes, found, strict=True):
                scores.setdefault((size, parent is not None), []).append(point)
    return [
        RunPoint(
            float(np.mean([p.minutes for p in scores[size, False]])),
            round(np.mean([p.n_trials for p in scores[size, False]])),
            tuple(p.score.value for p in scores[size, False]),
            tuple(p.score.value for p in scores[size, True]),
        )
        for size in sizes
    ]


def leave_one_run_out(recordings: Recordings) -> tuple[list[LearningPoint], Forecast | None]:
    """Score models of the first minutes of all other runs, and foretell the last from half.

    Returns
    -------
    points : list of LearningPoint
        On each run, by models of the others.
    told : Forecast or None
        What half of the minutes foretell of all of them: its `later`.
    """
    settings = FitSettings(events=recordings.labels, drop=recordings.drop)
    dataset = read_windows(
        sorted(DATA.glob(recordings.pattern)),
        settings,
        settings.windows(settings.table()),
        lambda _: None,
    )
    problem = Problem.make(dataset, settings.pool(settings.table()), encoder="auto")
    parts = list(learned_parts(problem.settled(problem.hold_out()), SHARES))
    told = forecast(parts[:-1], parts[-2].minutes) if len(parts) > 3 else None
    return [point_of(part) for part in parts], told


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="calibration")
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--snr", default="easy", choices=get_args(Snr))
    parser.add_argument("--turned", type=float, default=20.0)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", choices=("simulated", "recordings"))
    said = parser.parse_args()
    if said.only != "simulated":
        _tell_recordings()
    for seed in said.seeds if said.only != "recordings" else ():
        print(f"person {seed}, {said.snr}, day 2 turned by {said.turned:g} degrees", flush=True)
        for day in days(seed, turned=said.turned, snr=said.snr, quick=said.quick):
            points = "  ".join(f"{p.minutes:.1f}: {p.score.value:.3f}" for p in day.points)
            reached = "never" if day.minutes is None else f"{day.minutes:.2f} min"
            print(f"  {day.name:34} 80 % after {reached:10} {points}", flush=True)


def _tell_recordings() -> None:
    """Print the tables of the real recordings."""
    for name, sizes, n_tested in (
        ("N170", (20, 40, 60, 80), 80),
        ("exo sub12", (8, 12, 16), 14),
    ):
        recordings = RECORDINGS[name]
        print(f"{name}: each run predicted by the first minutes of the others")
        learnt, told = leave_one_run_out(recordings)
        for point in learnt:
            score = point.main if len(recordings.labels) == 2 else point.top1
            print(
                f"  {point.minutes:5.1f} min, {point.n_trials:4} trials: {score.value:.3f} "
                f"[{score.low:.3f}, {score.high:.3f}]",
                flush=True,
            )
        if told is not None:
            e = told.later
            foretold = f"{e.value:.3f} [{e.low:.3f}, {e.high:.3f}] for {e.minutes:.1f} min"
            print(f"  half of the minutes foretell {foretold}", flush=True)
        print(f"{name}: the end of each run, by its first trials")
        for each in runs(recordings, sizes, n_tested):
            anew, warm = np.array(each.anew), np.array(each.warm)
            print(
                f"  {each.minutes:5.1f} min, {each.n_trials:4} trials: anew {anew.mean():.3f} "
                f"({anew.min():.2f} to {anew.max():.2f}), from other runs {warm.mean():.3f} "
                f"({warm.min():.2f} to {warm.max():.2f})",
                flush=True,
            )


if __name__ == "__main__":
    main()
