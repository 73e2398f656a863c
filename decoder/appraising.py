"""What a recording that still grows is worth so far: fitted and scored beside the recording."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from decoder.curves import LearnedPart, LearningPoint, learned_parts, minutes_of, point_of
from decoder.evaluation import Evaluation, evaluate
from decoder.fitting import FitSettings, read_trials
from decoder.forecast import Forecast, Suggestion, forecast, forecast_shares, suggest
from decoder.problem import Problem
from streaming.errors import BraincastError

__all__ = ["Appraisal", "Appraiser", "appraise", "appraise_problem", "nothing_yet"]

_NICE = 15  # the recording and the display go first
_GROWTH = 1.25
_REST = 3.0


@dataclass(frozen=True, slots=True)
class Appraisal:
    """What there is, what it is worth, and what more would be.

    Parameters
    ----------
    n_trials : int
        Windows that could be made.
    minutes : float
        Of calibration: from trial to trial, without long pauses.
    evaluation : Evaluation or None
        Each run, or block of a single run, predicted from the others; None if there is too
        little.
    encoder : str
        What predicted most folds.
    points : tuple of LearningPoint
        The score after parts of the minutes.
    anew : tuple of LearningPoint
        The same on the same folds for encoders that begin with nothing; empty if they all do.
    forecast : Forecast or None
        How it would go on.
    suggestion : Suggestion
        What to do.
    """

    n_trials: int
    minutes: float
    evaluation: Evaluation | None
    encoder: str
    points: tuple[LearningPoint, ...]
    anew: tuple[LearningPoint, ...]
    forecast: Forecast | None
    suggestion: Suggestion


def appraise(recordings: Sequence[Path], settings: FitSettings) -> Appraisal:
    """Say what recordings are worth so far; that there is too little is an answer, too.

    Parameters
    ----------
    recordings : sequence of Path
        They may still grow.
    settings : FitSettings
        What will be made of them.
    """
    try:
        dataset, candidates, _ = read_trials(recordings, settings, lambda _: None)
        problem = Problem.make(
            dataset, candidates, settings.protocol, settings.encoder, settings.parent
        )
    except BraincastError as error:
        return nothing_yet(str(error))
    return appraise_problem(problem)


def appraise_problem(problem: Problem) -> Appraisal:
    """Say what trials are worth, and what more of them would be."""
    dataset = problem.dataset
    minutes = minutes_of(dataset)
    whole = problem.hold_out()
    evaluation = evaluate(whole, problem.order)
    settled = problem.settled(whole)
    n_trained = min(int(fold.train.sum()) for fold in problem.split.folds)
    shares = forecast_shares(n_trained)
    parts: list[LearnedPart] = list(learned_parts(settled, shares))
    ahead = forecast(parts, minutes)
    anew: list[LearnedPart] = []
    if problem.parent is not None:
        anew = list(learned_parts(settled.anew(), shares))
    return Appraisal(
        len(dataset),
        minutes,
        evaluation,
        settled.encoder,
        tuple(map(point_of, parts)),
        tuple(map(point_of, anew)),
        ahead,
        suggest(evaluation, ahead, minutes),
    )


def nothing_yet(why: str) -> Appraisal:
    """Return the appraisal of what cannot be appraised yet."""
    return Appraisal(0, 0.0, None, "", (), (), None, Suggestion(enough=False, text=why))


class Appraiser:
    """Appraises in a process of its own, with low priority, at growing intervals.

    Parameters
    ----------
    settings : FitSettings
        What will be made of the recordings.
    first : int
        Windows that the first appraisal waits for.

    Attributes
    ----------
    busy : bool
        Whether an appraisal is being made.
    """

    def __init__(self, settings: FitSettings, first: int = 20) -> None:
        self.busy = False
        self._settings = settings
        self._next = first
        self._asked = 0.0
        self._rest_until = 0.0
        self._process: multiprocessing.process.BaseProcess | None = None
        self._ours: Connection | None = None

    def ask(self, recordings: Callable[[], list[Path]], n_windows: int) -> None:
        """Begin an appraisal, if one is due.

        Parameters
        ----------
        recordings : callable
            Returns what there is.
        n_windows : int
            How many windows they hold. The next appraisal waits for a quarter more, and for
            three times as long as the one before took.
        """
        now = time.monotonic()
        if self.busy or n_windows < self._next or now < self._rest_until:
            return
        if self._process is None:
            self._start()
        assert self._ours is not None  # noqa: S101 - it was started
        try:
            self._ours.send(recordings())
        except (BrokenPipeError, ConnectionResetError):  # it died just now, which `answer` says
            return
        self.busy, self._asked = True, now
        self._next = int(_GROWTH * n_windows) + 1

    def answer(self) -> Appraisal | None:
        """Return an appraisal that was made since, if one was."""
        if self._ours is None or not self._ours.poll():
            return None
        self.busy = False
        now = time.monotonic()
        self._rest_until = now + _REST * (now - self._asked)
        try:
            answer: Appraisal = self._ours.recv()
        except (EOFError, ConnectionResetError):  # it died; the recording did not
            self.close()
            return nothing_yet("the process that appraises died; another one will try again")
        return answer

    def close(self) -> None:
        """End the process; what it was making is lost."""
        if self._ours is not None:
            self._ours.close()
            self._ours = None
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._process = None
        self.busy = False

    def _start(self) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._ours, theirs = spawn.Pipe()
        self._process = spawn.Process(target=_work, args=(theirs, self._settings), daemon=True)
        self._process.start()
        theirs.close()


def _work(asked: Connection, settings: FitSettings) -> None:
    """Appraise what is asked for, until nobody asks any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for who started us
    if hasattr(os, "nice"):
        os.nice(_NICE)
    while True:
        try:
            recordings = asked.recv()
            asked.send(appraise(recordings, settings))
        except (EOFError, BrokenPipeError):
            return
