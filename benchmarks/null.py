"""How often an evaluation finds something in recordings in which there is nothing.

Windows of noise that is correlated in space and time, with slow drift of its own in each run,
and stimuli in random order. Each recording is evaluated as `braincast evaluate` does.
One p in 20 must be below 0.05, one in 100 below 0.01; scores must scatter at most 1.41 times as
much as shuffles do, which the null is widened by (`decoder.permutation`). A second table has
each score less its chance, on average over the recordings. Run with
``python -m benchmarks null [design ...] [--encoders ridge] [--recordings 200]``.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.stats import norm, t

from decoder.design import Order
from decoder.evaluation import Evaluation, evaluate
from decoder.problem import Problem
from decoder.score import wilson
from models.candidates import Candidates, demo_concepts, embed_candidates
from models.dataset import Dataset
from models.fit import truth_of
from models.folds import Protocol, make_split
from models.spaces import PACKAGED_SPACE, LabelSpace, open_space
from models.stimuli import StimulusTable
from streaming.signal import SignalSpec
from streaming.window import LockedWindows

__all__ = ["DESIGNS", "Design", "above_chance", "evaluated", "main", "null_problem"]

SFREQ, N_CHANNELS, N_TIMES = 100.0, 8, 40
RANDOM = Order("random", 0.0, 0.0, 1.0)
SCORES = ("top1", "top5", "top10", "pairwise", "median_rank", "auc")


@dataclass(frozen=True, slots=True)
class Design:
    """What was shown in a recording.

    Parameters
    ----------
    n_things, n_runs, n_trials : int
        Things shown, runs, and trials of each run.
    protocol : str
        Of the score; things of a zero-shot one, and 20 or more, are words with a meaning.
    rare : float
        Share of trials that show the second of two things.
    """

    n_things: int
    n_runs: int
    n_trials: int
    protocol: Protocol = "closed_set"
    rare: float = 0.5


DESIGNS: dict[str, Design] = {
    "two": Design(2, 6, 60),
    "two, 15 % and 85 %": Design(2, 6, 60, rare=0.15),
    "two, three runs": Design(2, 3, 60),
    "four": Design(4, 4, 24),
    "20 words": Design(20, 5, 60),
    "40 words, zero-shot": Design(40, 4, 60, "zero_shot"),
}


def null_problem(design: Design, seed: int, encoder: str) -> Problem:
    """Return a recording in which the windows know nothing of what was shown."""
    rng = np.random.default_rng([seed, design.n_things, design.n_runs])
    candidates = _things(design.n_things)
    n = design.n_runs * design.n_trials
    runs = np.arange(n) // design.n_trials
    shown = rng.integers(design.n_things, size=n)
    if design.rare != 0.5:
        shown = (rng.random(n) < design.rare).astype(np.intp)
    far = np.abs(np.subtract.outer(np.arange(N_CHANNELS), np.arange(N_CHANNELS)))
    late = np.abs(np.subtract.outer(np.arange(N_TIMES), np.arange(N_TIMES)))
    windows = rng.standard_normal((n, N_CHANNELS, N_TIMES))
    windows = np.linalg.cholesky(0.8**far) @ windows @ np.linalg.cholesky(0.9**late).T
    share = np.arange(n) % design.n_trials / design.n_trials
    for wave in (1, 2, 3):
        drift = 0.5 * rng.standard_normal((design.n_runs, N_CHANNELS))[runs]
        windows += (np.cos(np.pi * wave * share)[:, None] * drift)[:, :, None]
    spec = SignalSpec(SFREQ, tuple(f"e{k}" for k in range(N_CHANNELS)))
    dataset = Dataset(
        windows=windows.astype(np.float32),
        ids=tuple(candidates.ids[k] for k in shown),
        stim_files=("",) * n,
        files=runs,
        groups=runs,
        t=np.tile(np.arange(10.0, 10.0 + 2 * design.n_trials, 2.0), design.n_runs),
        spec=spec,
        spec_out=spec,
        transforms=[{"transform": "pick", "ch_names": list(spec.ch_names)}],
        settling=1.0,
        delay=0.0,
        windowing=LockedWindows(0.0, N_TIMES / SFREQ),
        table=StimulusTable.from_labels(list(candidates.ids)),
        dropped={},
        withheld={},
        hashes=tuple(map(str, range(design.n_runs))),
    )
    truth = truth_of(dataset, candidates)
    split = make_split(dataset, candidates, truth, design.protocol)
    return Problem(dataset, candidates, truth, split, RANDOM, encoder)


def evaluated(design: Design, encoder: str, n_recordings: int) -> list[Evaluation]:
    """Return the evaluations of so many recordings."""
    problems = (null_problem(design, seed, encoder) for seed in range(n_recordings))
    return [evaluate(problem.hold_out(), RANDOM) for problem in problems]


def above_chance(found: Sequence[Evaluation]) -> dict[str, tuple[float, float, float]]:
    """Return each score less its own chance: the mean over recordings, and its 95 % interval.

    Parameters
    ----------
    found : sequence of Evaluation
        Of recordings of the same design; scores that it does not have are left out.
    """
    differences = {}
    for name in SCORES:
        scores = [score for e in found if (score := getattr(e, name)) is not None]
        less = np.array([score.value - score.chance for score in scores])
        if len(less) > 1 and not np.allclose(less, 0.0):
            middle, error = float(less.mean()), float(less.std(ddof=1) / np.sqrt(len(less)))
            reach = error * float(t.ppf(0.975, len(less) - 1))
            differences[name] = (middle, middle - reach, middle + reach)
    return differences


@cache
def _things(n: int) -> Candidates:
    """Return labels, or of many things words of the demo."""
    if n < 20:
        names = [f"c{k}" for k in range(n)]
        return embed_candidates(names, names, LabelSpace())
    words = demo_concepts()
    return embed_candidates(words.ids[:n], words.texts[:n], open_space(PACKAGED_SPACE))


def _rate(n_hits: int, n: int) -> str:
    low, high = wilson(n_hits, n)
    return f"{n_hits / n:.3f} [{low:.3f}, {high:.3f}]"


def main() -> None:
    """Print a row for each design and encoder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=list(DESIGNS))
    parser.add_argument("--encoders", nargs="+", default=["ridge"])
    parser.add_argument("--recordings", type=int, default=200)
    arguments = parser.parse_args()
    print(
        "| what was shown | encoder | recordings | p < .05 [95 %] | p < .01 | above chance | ",
        end="",
    )
    print("intervals with chance | scatter, of shuffles' |")
    print("|---|---|---|---|---|---|---|---|")
    differences = []
    for encoder in arguments.encoders:
        for name in arguments.names:
            found = evaluated(DESIGNS[name], encoder, arguments.recordings)
            p = np.array([e.p_value for e in found], float)
            n, covered = (
                len(found),
                sum(e.main.low <= e.main.chance <= e.main.high for e in found),
            )
            above = sum(e.verdict == "above chance" for e in found)
            cells = [name, encoder, str(n)]
            cells += [
                _rate(int(hits), n)
                for hits in ((p < 0.05).sum(), (p < 0.01).sum(), above, covered)
            ]
            cells.append(f"{np.sqrt(2) * norm.isf(p).std():.2f}")
            print("| " + " | ".join(cells) + " |", flush=True)
            less = above_chance(found)
            differences.append(
                [name, encoder, str(n)]
                + [
                    "{:+.3f} [{:+.3f}, {:+.3f}]".format(*less[score]) if score in less else ""
                    for score in SCORES
                ]
            )
    print(f"\n| what was shown | encoder | recordings | {' | '.join(SCORES)} |")
    print("|---" * (3 + len(SCORES)) + "|")
    for cells in differences:
        print("| " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
