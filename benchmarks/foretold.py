"""How often what `calibrate` foretells comes true: the coverage of its interval.

A simulated participant looks at 20 things. After 160 and after 320 trials (two and four
minutes) the accuracy of twice as many is foretold, as `braincast calibrate` does; then an
encoder is fitted to twice as many and tested on 600 later trials of the same session. The
interval should hold that score in 95 % of sessions; it foretells the score on whatever trials
come, of which 600 are a sample, so that a little less is to be expected. Run with ``python -m
benchmarks.foretold [--people 4] [--snr easy realistic]``; a person takes about half a minute.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

import numpy as np

from benchmarks.calibration import curve
from decoder.appraising import appraise_problem
from decoder.problem import Problem
from decoder.score import wilson
from decoder.simulation import RECORDING
from models.candidates import Candidates, demo_concepts
from models.dataset import N_BLOCKS, Dataset, read_dataset
from models.fit import EVOKED_WINDOWS, evoked_chain
from models.stimuli import StimulusTable
from streaming.sources.simulated import SimulatedSettings, Snr, simulate_recording

__all__ = ["Foretold", "foretell", "main"]

N_THINGS = 20
N_TRIALS = (160, 320)
N_TESTED = 600


@dataclass(frozen=True, slots=True)
class Foretold:
    """What was foretold, and what came.

    Parameters
    ----------
    n_trials : int
        That it was foretold from.
    now, value, low, high : float
        Two-way accuracy at that time, by the curve, and with twice the minutes: expected, and
        its interval.
    really : float
        Two-way accuracy of what was fitted to twice as many trials.
    """

    n_trials: int
    now: float
    value: float
    low: float
    high: float
    really: float

    @property
    def held(self) -> bool:
        """Whether the interval held what came."""
        return self.low <= self.really <= self.high


def foretell(
    settings: SimulatedSettings,
    n_trials: tuple[int, ...] = N_TRIALS,
    n_tested: int = N_TESTED,
) -> Iterator[Foretold]:
    """Foretell one session at several times, and see what comes.

    Parameters
    ----------
    settings : SimulatedSettings
        Who, and which session.
    n_trials : tuple of int
        When; at each, twice as many are foretold.
    n_tested : int
        Later trials that tell what came.
    """
    things = _things()
    dataset = _session(things, settings, 2 * max(n_trials) + n_tested)
    later = curve(dataset, things, [2 * n for n in n_trials], n_tested)
    for n, point in zip(n_trials, later, strict=True):
        so_far = dataset.take(np.arange(len(dataset)) < n)
        blocks = np.arange(len(so_far)) * N_BLOCKS // len(so_far)
        told = appraise_problem(Problem.make(replace(so_far, groups=blocks), things)).forecast
        if told is not None:
            e = told.later
            yield Foretold(n, told.now.value, e.value, e.low, e.high, point.score.value)


def _things() -> Candidates:
    """Return the first things of the demo."""
    c, some = demo_concepts(), slice(0, N_THINGS)
    trained = (True,) * N_THINGS
    return Candidates(
        c.ids[some], c.texts[some], c.glyphs[some], trained, c.vectors[some], c.space
    )


def _session(things: Candidates, settings: SimulatedSettings, n_trials: int) -> Dataset:
    """Record a session, and cut it into windows."""
    raw = simulate_recording(things.ids, things.vectors, settings, n_trials=n_trials)
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / RECORDING
        raw.save(path, verbose="error")
        table = StimulusTable.from_labels(things.ids)
        return read_dataset([path], EVOKED_WINDOWS, table, evoked_chain)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="foretold")
    parser.add_argument("--people", type=int, default=4)
    parser.add_argument(
        "--snr", nargs="+", default=["easy", "realistic"], choices=get_args(Snr)
    )
    said = parser.parse_args()
    for snr in said.snr:
        found: list[Foretold] = []
        for seed in range(1, said.people + 1):
            settings = SimulatedSettings(snr=snr, subject_seed=seed, n_channels=16)
            found += foretell(settings)
        for n in N_TRIALS:
            here = [one for one in found if one.n_trials == n]
            if here:
                print(f"{snr}, {n} trials: {_line(here)}", flush=True)


def _line(found: list[Foretold]) -> str:
    """Return what is told of forecasts from so many trials."""
    held = sum(one.held for one in found)
    low, high = wilson(held, len(found))
    error = np.array([one.value - one.really for one in found])
    width = np.mean([one.high - one.low for one in found])
    rise = np.mean([one.value - one.now for one in found])
    return (
        f"{held} of {len(found)} held ({low:.0%} to {high:.0%}); two-way accuracy "
        f"{np.mean([one.really for one in found]):.3f}, foretold {error.mean():+.3f} off on "
        f"average, {np.abs(error).mean():.3f} in size, of which {rise:+.3f} is the rise; "
        f"intervals {width:.3f} wide"
    )


if __name__ == "__main__":
    main()
