"""Streams of known clocks, and what `StreamClock` makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from streaming.clock import StreamClock, Stretch
from streaming.signal import Gap

__all__ = [
    "SFREQ",
    "START",
    "Live",
    "Run",
    "add_to",
    "error_of",
    "live_of",
    "run_clock",
    "run_live",
    "stamped",
    "truth_of",
]

SFREQ = 250.0
START = 1000.0


@dataclass
class Run:
    """What a clock made of a stream, sample by sample."""

    t: list[float] = field(default_factory=list)
    segment: list[int] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    stretches: list[Stretch] = field(default_factory=list)
    longest_hold: int = 0


def run_clock(stamps: NDArray[np.float64], sizes: Sequence[int], sfreq: float = SFREQ) -> Run:
    clock, run, start = StreamClock(sfreq), Run(), 0
    while start < len(stamps):
        size = sizes[len(run.stretches) % len(sizes)]
        add_to(run, clock.feed(stamps[start : start + size]), sfreq)
        start += size
        run.longest_hold = max(run.longest_hold, min(start, len(stamps)) - len(run.t))
    add_to(run, clock.settle(), sfreq)
    return run


def add_to(run: Run, stretches: list[Stretch], sfreq: float) -> None:
    for s in stretches:
        run.stretches.append(s)
        run.t += list(s.t_anchor + (s.first + np.arange(s.n_times)) / sfreq)
        run.segment += [s.segment] * s.n_times
        run.gaps += [s.gap] if s.gap else []


def stamped(
    truth: NDArray[np.float64], block: int, late: float, seed: int = 0
) -> NDArray[np.float64]:
    """Stamp whole blocks when their last sample arrives, up to `late` seconds late."""
    rng = np.random.default_rng(seed)
    ends = np.minimum(np.arange(len(truth)) // block * block + block, len(truth)) - 1
    delay = rng.uniform(0, late, len(truth))
    stamps = truth[ends] + delay[ends]
    return np.maximum.accumulate(stamps)


def truth_of(seconds: float, ppm: float = 0.0) -> NDArray[np.float64]:
    return START + np.arange(round(seconds * SFREQ)) / (SFREQ * (1 + ppm * 1e-6))


@dataclass
class Live:
    """A stream as it comes: when samples were taken, stamped, and received."""

    truth: NDArray[np.float64]
    stamps: NDArray[np.float64]
    received: NDArray[np.float64]
    block: int


def live_of(
    seconds: float, block: int, late: float, ppm: float, seed: int, lost: slice | None = None
) -> Live:
    """Blocks arrive up to `late` seconds late, and are received within a millisecond."""
    truth = truth_of(seconds, ppm)
    if lost is not None:
        truth = np.delete(truth, lost)
    stamps = stamped(truth, block, late, seed)
    network = np.random.default_rng(seed).exponential(0.2e-3, len(stamps))
    return Live(truth, stamps, stamps + network, block)


def run_live(live: Live) -> Run:
    clock, run = StreamClock(SFREQ), Run()
    for start in range(0, len(live.stamps), live.block):
        part = slice(start, start + live.block)
        add_to(run, clock.feed(live.stamps[part], live.received[part][-1]), SFREQ)
    add_to(run, clock.settle(), SFREQ)
    return run


def error_of(run: Run, truth: NDArray[np.float64], n_settled: int) -> NDArray[np.float64]:
    """Return errors without the constant delay, which nothing can observe."""
    error = np.array(run.t) - truth
    return np.abs(error - np.median(error[n_settled // 2 : n_settled]))


def truth_at(seconds: float, sfreq: float = SFREQ) -> NDArray[np.float64]:
    """Return when samples are taken at a rate."""
    return START + np.arange(round(seconds * sfreq)) / sfreq


def has_news(run: Run) -> bool:
    """Whether anything was said to be lost, set or found late."""
    return bool(run.gaps) or any(s.revisions for s in run.stretches)
