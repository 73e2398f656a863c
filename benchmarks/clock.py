"""How well `streaming.clock` tells when samples were taken, and which were lost.

Clocks are simulated: 200 Hz or 1 kHz, up to 100 ppm off, samples sent in blocks that bear the
timestamp of their arrival, which is late by 0 to 20 ms, uniformly. Errors are without the
constant delay, which nothing can observe. Run with ``python -m benchmarks.clock``.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from streaming.clock import StreamClock

__all__ = ["main"]

_LOSSES = (0.01, 0.025, 0.05, 0.1)
_DELIVERIES = ((200.0, 8, 0.0), (200.0, 8, 0.02), (200.0, 32, 0.02), (1000.0, 32, 0.02))
"""Rate [Hz], samples in a block, how late blocks are at most [s]."""

_NEAR = 0.5
"""A loss counts as found if a gap begins within so many seconds of it."""

_Floats = NDArray[np.float64]


def _run(stamps: _Floats, block: int, sfreq: float) -> tuple[_Floats, list[int]]:
    """Return the instant of each sample, and the numbers of those before which a gap is."""
    clock, instants, gaps, n = StreamClock(sfreq), [], [], 0
    for start in range(0, len(stamps), block):
        for s in clock.feed(stamps[start : start + block]):
            if s.gap is not None:
                gaps.append(n)
            instants.append(s.t_anchor + (s.first + np.arange(s.n_times)) / sfreq)
            n += s.n_times
    return np.concatenate(instants), gaps


def _deliver(truth: _Floats, block: int, late: float, rng: np.random.Generator) -> _Floats:
    ends = np.minimum(np.arange(len(truth)) // block * block + block, len(truth)) - 1
    stamps = truth[ends] + rng.uniform(0, late, len(truth))[ends]
    return np.maximum.accumulate(stamps) if late else truth


def _truth(seconds: float, sfreq: float, rng: np.random.Generator) -> _Floats:
    ppm = rng.uniform(-100, 100)
    return 1000 + np.arange(round(seconds * sfreq)) / (sfreq * (1 + ppm * 1e-6))


def _errors(truth: _Floats, instants: _Floats, sfreq: float, start: float) -> _Floats:
    error = instants - truth[: len(instants)]
    return np.abs(error - np.median(error[round(20 * sfreq) : round(start * sfreq)]))


def _p95(errors: Sequence[_Floats]) -> float:
    return float(np.percentile(np.concatenate(errors), 95)) * 1e3


def _print_power(delivery: tuple[float, int, float], n: int, hours: float) -> None:
    """Print how often losses of each length are found, and false alarms."""
    sfreq, block, late = delivery
    found = []
    for loss in _LOSSES:
        hits = 0
        for seed in range(n):
            rng = np.random.default_rng(seed)
            truth, at = _truth(24, sfreq, rng), int(rng.uniform(15, 20) * sfreq)
            truth[at:] += loss
            gaps = _run(_deliver(truth, block, late, rng), block, sfreq)[1]
            hits += any(abs(gap - at) <= _NEAR * sfreq for gap in gaps)
        found.append(f"{100 * hits / n:5.0f} %")
    rng = np.random.default_rng(0)
    n_false = 0
    for _ in range(max(1, round(hours * 6))):  # ten minutes each
        stamps = _deliver(_truth(600, sfreq, rng), block, late, rng)
        n_false += len(_run(stamps, block, sfreq)[1])
    print(f"{_name(delivery)} {' '.join(found)}   {n_false / hours:.1f}", flush=True)


def _print_error(delivery: tuple[float, int, float], n: int) -> None:
    """Print errors in a long segment, and after samples were lost or the clock was set."""
    sfreq, block, late = delivery
    steady, after_loss, after_step = [], [], []
    at, end = round(60 * sfreq) // block * block, round(90 * sfreq)
    soon = slice(round(61 * sfreq), round(65 * sfreq))
    for seed in range(n):
        rng = np.random.default_rng(seed)
        truth = _truth(100, sfreq, rng)
        n_lost = int(rng.integers(round(0.2 * sfreq), round(5 * sfreq)))
        lost = np.delete(truth, slice(at, at + n_lost))[:end]
        error = _errors(
            lost, _run(_deliver(lost, block, late, rng), block, sfreq)[0], sfreq, 60
        )
        steady.append(error[round(20 * sfreq) : at])
        after_loss.append(error[soon])
        stamps, truth = _deliver(truth, block, late, rng), truth.copy()
        step = rng.choice([-1, 1]) * rng.uniform(0.2, 5)
        truth[at:] += step
        stamps[at:] += step
        error = _errors(truth, _run(stamps, block, sfreq)[0], sfreq, 60)
        after_step.append(error[soon])
    row = [f"{_p95(errors):6.2f}" for errors in (steady, after_loss, after_step)]
    print(f"{_name(delivery)} {'   '.join(row)}", flush=True)


def _name(delivery: tuple[float, int, float]) -> str:
    sfreq, block, late = delivery
    return f"{sfreq:5.0f} {block:6d} {1e3 * late:6.0f}    "


def main() -> None:
    """Print how often losses are found, errors of instants, and the price of a call."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few clocks, to try it out")
    quick = parser.parse_args().quick
    n, hours = (3, 1 / 6) if quick else (100, 1.0)
    print("found                 losses of [ms]                false")
    print("   Hz  block  late [ms]  10      25      50     100   an hour")
    for delivery in _DELIVERIES:
        _print_power(delivery, n, hours)
    print("\nerror, p95 [ms]       20-60 s   1-5 s after a loss   1-5 s after a step")
    for delivery in _DELIVERIES:
        _print_error(delivery, 2 if quick else 30)
    rng = np.random.default_rng(0)
    stamps = _deliver(_truth(60, 1000.0, rng), 32, 0.02, rng)
    start = time.perf_counter()
    _run(stamps, 32, 1000.0)
    print(f"\na call takes {1e6 * (time.perf_counter() - start) / (len(stamps) / 32):.0f} us")


if __name__ == "__main__":
    main()
