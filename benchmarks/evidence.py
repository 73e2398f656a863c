"""How often there seems to be evidence where there is nothing, and how soon where there is.

Each session shows things in random order to a decoder without a brain, which does what could
fool a test: it has a hub, drifts, guesses what is left of a block, or learns from what was
shown before. One session in 20 at most may ever reach 20 : 1, one in 100 at most 100 : 1.
Beside them are two tests that are not valid: even odds where one thing is shown more often, and
odds of random order where things come in blocks. Then the same through what a session uses,
also with an operator who sees what is shown and acts by it, and how many trials it takes where
there is something. Run with
``python -m benchmarks evidence [--sessions 1000] [--power 5]``.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from benchmarks._rig import noise_model, spec_of
from decoder.betting import Betting
from decoder.demo import Demo
from decoder.events import Evidence, TextDecoded
from decoder.evidence import BETS, gains, mixture
from decoder.pool import Pool
from decoder.randomisation import Design
from decoder.session import Session
from decoder.simulation import live_participant
from models.candidates import Candidates
from models.checkpoint import Model, load_model
from models.stimuli import Stimulus, StimulusTable
from streaming.signal import Chunk, Marker
from streaming.sources.simulated import SimulatedSettings, Snr

__all__ = ["NULLS", "Null", "Operator", "crossings", "main", "through_betting", "trials_needed"]

N_TRIALS = 200
ALPHAS = (0.05, 0.01)

Floats = NDArray[np.float64]
Scores = Callable[[np.random.Generator, Floats, Floats, Floats], Floats]
"""Of a signal (n_sessions, 1), the counts of what came before, (n_sessions, n_things), and the
sums of the signal at those: what a decoder finds for each thing."""


@dataclass(frozen=True, slots=True)
class Null:
    """Sessions in which the signal tells nothing.

    Parameters
    ----------
    shares : tuple of float
        How often each thing is shown.
    scores : callable
        What the decoder does.
    order : str
        ``"independent"``, ``"shuffled"`` or ``"blocked"``.
    declared : tuple of float or None
        Odds that are bet at; None: the right ones.
    """

    shares: tuple[float, ...]
    scores: Scores
    order: str = "independent"
    declared: tuple[float, ...] | None = None


def _noise(rng: np.random.Generator, _signal: Floats, counts: Floats, _sums: Floats) -> Floats:
    return np.asarray(2 * rng.normal(size=counts.shape))


def _hub(rng: np.random.Generator, _signal: Floats, counts: Floats, _sums: Floats) -> Floats:
    return np.asarray(2 * rng.normal(size=counts.shape) + np.linspace(3, 0, counts.shape[1]))


def _first(rng: np.random.Generator, _signal: Floats, counts: Floats, _sums: Floats) -> Floats:
    """Think of the first thing."""
    return np.asarray(0.4 * rng.normal(size=counts.shape) + 2 * np.eye(counts.shape[1])[0])


def _drift(_rng: np.random.Generator, signal: Floats, counts: Floats, _sums: Floats) -> Floats:
    return np.asarray(np.cos(signal + np.arange(counts.shape[1])) * 3)


def _left(rng: np.random.Generator, _signal: Floats, counts: Floats, _sums: Floats) -> Floats:
    """Hope for what came least often."""
    return np.asarray(2 * rng.normal(size=counts.shape) - 3 * counts)


def _learns(_rng: np.random.Generator, signal: Floats, counts: Floats, sums: Floats) -> Floats:
    """Find what was shown when the signal was as it is now: drift tells when that was."""
    return np.asarray(-10 * (signal - sums / np.maximum(counts, 1e-9)) ** 2 * (counts > 0))


EVEN = (0.1,) * 10
NULLS: dict[str, Null] = {
    "balanced": Null(EVEN, _noise),
    "85/15": Null((0.85, 0.15), _first),
    "without replacement": Null(EVEN, _left, "shuffled"),
    "hubs": Null(EVEN, _hub),
    "drift": Null(EVEN, _drift),
    "online adaptation": Null(EVEN, _learns),
    "NOT VALID: 85/15, even odds": Null((0.85, 0.15), _first, declared=(0.5, 0.5)),
    "NOT VALID: blocks, drift, odds of random order": Null((0.5, 0.5), _learns, "blocked"),
}


def _labels(
    null: Null, n_sessions: int, n_trials: int, rng: np.random.Generator
) -> NDArray[np.intp]:
    n = len(null.shares)
    if null.order == "independent":
        return rng.choice(n, (n_sessions, n_trials), p=null.shares)
    if null.order == "blocked":  # of 20, which thing begins is drawn
        first = rng.integers(0, n, (n_sessions, 1))
        return np.asarray((first + np.arange(n_trials) // 20) % n)
    passes = np.tile(np.arange(n), (n_sessions, n_trials // n, 1))
    return rng.permuted(passes, axis=2).reshape(n_sessions, -1)


def crossings(
    null: Null, n_sessions: int, seed: int = 0, n_trials: int = N_TRIALS
) -> list[int]:
    """Count the sessions that ever reach ``1 / alpha``, for each of `ALPHAS`."""
    rng = np.random.default_rng(seed)
    labels = _labels(null, n_sessions, n_trials, rng)
    n_things, rows = len(null.shares), np.arange(n_sessions)
    counts = np.zeros((n_sessions, n_things))
    sums, signal = np.zeros_like(counts), np.zeros((n_sessions, 1))
    bets, most = np.zeros((n_sessions, len(BETS))), np.zeros(n_sessions)
    base = np.array(null.declared or null.shares)
    for trial in range(labels.shape[1]):
        signal = signal + 0.1 * rng.normal(size=signal.shape)
        scores = null.scores(rng, signal, counts, sums)
        odds = np.broadcast_to(base, counts.shape)
        if null.order == "shuffled":
            odds = (trial // n_things + 1 - counts) / (n_things - trial % n_things)
        shown = labels[:, trial]
        bets += gains(scores, odds, shown)
        most = np.maximum(most, mixture(bets))
        counts[rows, shown] += 1
        sums[rows, shown] += signal[:, 0]
    return _crossed(most)


DECODE = TextDecoded("S/locked/0", (), 10, True, "c", "m", 0, 0, 20, 1.0, 1.2)
SKEWED = [0.4, 0.2, *[0.05] * 8]


def _pool(design: Design) -> tuple[Pool, StimulusTable]:
    """Return ten things to choose from, and the table that shows them."""
    model = noise_model(spec_of(8))
    names, c = model.candidates.ids[:10], model.candidates
    few = Candidates(names, names, c.glyphs[:10], c.trained[:10], c.vectors[:10], c.space)
    shares = SKEWED if design.kind == "independent" else [None] * 10
    table = StimulusTable(
        Stimulus(name, "stimulus", candidate_id=name, prob=prob)
        for name, prob in zip(names, shares, strict=True)
    )
    return Pool(model, few, {}), table


Operator = Literal["", "pauses", "resumes", "not counted"]
"""What somebody does who sees each stimulus before it is decoded, and knows what the decoder
likes to say: nothing; pauses where that would be wrong; lets go on, after a pause, where it
would be right; or pauses and is not counted, as if nobody had done anything."""


def through_betting(
    design: Design,
    n_sessions: int,
    seed: int = 0,
    n_trials: int = 100,
    operator: Operator = "",
) -> list[int]:
    """Do the same with what a session uses, and a decoder that hopes for what came least.

    With an operator it has a hub instead, which is what helps one.
    """
    rng = np.random.default_rng(seed)
    pool, table = _pool(design)
    names, block = pool.candidates.ids, design.block or 10
    most = np.zeros(n_sessions)
    for session in range(n_sessions):
        blocks = [rng.permutation(np.arange(block) % 10) for _ in range(n_trials // block)]
        labels = np.concatenate(blocks)
        if design.kind == "independent":
            labels = rng.choice(10, n_trials, p=SKEWED)
        betting, counts = Betting(design, table), np.zeros(10)
        for trial, shown in enumerate(labels):
            p = np.exp(2 * rng.normal(size=10) - 2 * (counts - counts.min())) + 1e-12
            if operator:
                p = np.exp(rng.normal(size=10) + 3 * (np.arange(10) < 5))
            marker = Marker(names[shown], float(trial), 0, trial)
            said = betting.see(marker, pool, paused=operator == "resumes")
            meddles = bool(operator) and bool(shown >= 5) != (operator == "resumes")
            if meddles and operator != "not counted":
                betting.act()
            is_decoded = not meddles if operator != "resumes" else meddles
            given = p / p.sum() if is_decoded else None
            said += betting.decide(DECODE, marker, given)
            for event in said:
                if not event.available:
                    raise RuntimeError(event.reason)
                most[session] = max(most[session], event.log10_e)
            counts[shown] += 1
    return _crossed(most)


def trials_needed(
    snr: Snr, n_sessions: int, n_trials: int = 300
) -> dict[str, list[list[float]]]:
    """Return after how many bets a session with something in it reaches ``1 / alpha``.

    Of each protocol, and for each of `ALPHAS`, one number a session; infinity: not at all.
    """
    found: dict[str, list[list[float]]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        settings = SimulatedSettings(snr=snr)
        Demo(settings, 1000, Path(temporary)).calibrate(lambda *_: None)
        model = load_model(Path(temporary) / "model")
        for seed in range(1, 1 + n_sessions):
            said = _evidence(model, replace(settings, session_seed=seed), n_trials)
            for protocol in ("closed_set", "zero_shot"):
                of = [event for event in said if event.protocol == protocol]
                after = found.setdefault(protocol, [[] for _ in ALPHAS])
                for row, alpha in zip(after, ALPHAS, strict=True):
                    row.append(next((e.n for e in of if e.p <= alpha), np.inf))
    return found


def _evidence(model: Model, settings: SimulatedSettings, n_trials: int) -> list[Evidence]:
    source = live_participant(settings, n_trials=n_trials)
    session = Session(model, source.spec, "S", design=Design("independent"))
    said: list[Evidence] = []
    while (item := source.read(0.0)) is not None:
        t = item.t_end if isinstance(item, Chunk) else item.t
        said += [event for event in session.feed(item, t) if isinstance(event, Evidence)]
    return said


def _crossed(most: Floats) -> list[int]:
    return [int((most >= -np.log10(alpha)).sum()) for alpha in ALPHAS]


def _row(name: str, crossed: list[int], n_sessions: int) -> str:
    cells = []
    for k in crossed:
        interval = binomtest(k, n_sessions).proportion_ci(method="exact")
        cells.append(f"{k / n_sessions:.1%} ({interval.low:.1%} to {interval.high:.1%})")
    return f"| {name} | {' | '.join(cells)} |"


def main(arguments: list[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="evidence", description=__doc__)
    parser.add_argument("--sessions", type=int, default=1000)
    parser.add_argument("--power", type=int, default=5, help="Sessions with something in them.")
    options = parser.parse_args(arguments)
    n = options.sessions
    print(f"| of {n} sessions | ever 20 : 1 | ever 100 : 1 |\n|---|---|---|")
    for name, null in NULLS.items():
        print(_row(name, crossings(null, n), n), flush=True)
    for design in (Design("independent"), Design("shuffled"), Design("shuffled", 50)):
        name = f"in a session: {design.kind} {design.block or ''}".strip()
        print(_row(name, through_betting(design, n), n), flush=True)
    operators: tuple[tuple[str, Operator], ...] = (
        ("an operator who pauses where the hub would be wrong", "pauses"),
        ("who goes on where it would be right", "resumes"),
        ("NOT VALID: who pauses, and is not counted", "not counted"),
    )
    for name, operator in operators:
        crossed = through_betting(Design("independent"), n, operator=operator)
        print(_row(name, crossed, n), flush=True)
    if not options.power:
        return
    print("\n| bets until | 20 : 1 | 100 : 1 |\n|---|---|---|")
    for protocol, after in trials_needed("realistic", options.power).items():
        cells = [f"{median(row):g} ({min(row):g} to {max(row):g})" for row in after]
        print(f"| {protocol} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
