"""How well `streaming.clock` tells when samples were taken, and which were lost.

Clocks are simulated: 200 Hz or 1 kHz, up to 100 ppm off, samples sent in blocks that bear the
timestamp of their arrival, which is late by 0 to 20 ms, uniformly; they are received some
0.2 ms after that. Errors are without the constant delay, which nothing can observe.
Run with ``python -m benchmarks clock``.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks._least import least_error
from streaming.clock import StreamClock

__all__ = ["main"]

_LOSSES = (0.01, 0.015, 0.025, 0.05, 0.1)
_COUNTED, _SINCE, _UNTIL = (0.026, 0.1, 0.5, 2.0, 5.0), (6.0, 25.0), 26.0
"""Losses that are counted, after so many seconds of the stream, until so many after; all in
seconds."""

_DELIVERIES = ((200.0, 8, 0.0), (200.0, 8, 0.02), (200.0, 32, 0.02), (1000.0, 32, 0.02))
"""Rate [Hz], samples in a block, how late blocks are at most [s]."""

_NETWORK = 0.2e-3
"""Mean time from when a block is stamped to when it is received, in seconds."""

_NEAR, _LATER = 0.5, 30.0
"""A loss counts as found live if it is told within so many seconds of samples, and as found
later if it is within so many."""

_AT = 60.0
"""When something happens, in seconds."""

_N_ERRORS = 100
"""Clocks for errors of instants: of 20, a single one is what p95 is told from."""

_Floats = NDArray[np.float64]
_Event = Literal["loss", "step", "restart"]


class _Run(NamedTuple):
    """The instant of each sample, and when, in samples, how many were said to be lost."""

    instants: _Floats
    told: list[tuple[int, int]]


def _run(stamps: _Floats, received: _Floats, block: int, sfreq: float, at: int = -1) -> _Run:
    """Feed a clock in blocks; the sender is restarted before sample `at`."""
    clock, instants, told = StreamClock(sfreq), [], []
    for start in range(0, len(stamps), block):
        stretches = clock.reconnect() if start == at else []
        part = slice(start, start + block)
        for s in stretches + clock.feed(stamps[part], received[part][-1]):
            if s.gap is not None and s.gap.reason in {"lost", "filled"}:
                told.append((start, round(s.gap.duration * sfreq)))
            told += [(start, revision.n_times) for revision in s.revisions]
            instants.append(s.t_anchor + (s.first + np.arange(s.n_times)) / sfreq)
    return _Run(np.concatenate(instants), told)


def _deliver(
    truth: _Floats, block: int, late: float, rng: np.random.Generator
) -> tuple[_Floats, _Floats]:
    """Return the timestamps of samples, and when they are received."""
    ends = np.minimum(np.arange(len(truth)) // block * block + block, len(truth)) - 1
    stamps = truth[ends] + rng.uniform(0, late, len(truth))[ends]
    stamps = np.maximum.accumulate(stamps) if late else truth
    return stamps, stamps[ends] + rng.exponential(_NETWORK, len(truth))[ends]


def _truth(seconds: float, sfreq: float, rng: np.random.Generator) -> _Floats:
    ppm = rng.uniform(-100, 100)
    return 1000 + np.arange(round(seconds * sfreq)) / (sfreq * (1 + ppm * 1e-6))


def _p95(errors: Sequence[_Floats]) -> float:
    return float(np.percentile(np.concatenate(errors), 95)) * 1e3


def _print_power(delivery: tuple[float, int, float], n: int, hours: float) -> None:
    """Print how often losses of each length are found, and false alarms."""
    sfreq, block, late = delivery
    found = []
    for loss in _LOSSES:
        live = later = 0
        for seed in range(n):
            rng = np.random.default_rng(seed)
            n_lost, at = round(loss * sfreq), int(rng.uniform(40, 45) * sfreq)
            truth = np.delete(_truth(78, sfreq, rng), slice(at, at + n_lost))
            told = _run(*_deliver(truth, block, late, rng), block, sfreq).told
            since = [(start - at) / sfreq for start, _ in told]
            live += any(-_NEAR < t < _NEAR + 2 * block / sfreq for t in since)
            later += any(-_NEAR < t <= _LATER for t in since)
        found.append(f"{100 * live / n:3.0f}/{100 * later / n:3.0f} %")
    rng = np.random.default_rng(0)
    n_false = 0
    for _ in range(max(1, round(hours * 6))):  # ten minutes each
        delivered = _deliver(_truth(600, sfreq, rng), block, late, rng)
        n_false += len(_run(*delivered, block, sfreq).told)
    print(f"{_name(delivery)} {'  '.join(found)}   {n_false / hours:.1f}", flush=True)


def _after(
    event: _Event, delivery: tuple[float, int, float], seed: int
) -> tuple[_Floats, int, int]:
    """Return each sample's error, where the event is, and how many samples are miscounted."""
    sfreq, block, late = delivery
    rng = np.random.default_rng(seed)
    at, n_lost = round(_AT * sfreq) // block * block, 0
    truth = _truth(_AT + 45, sfreq, rng)
    if event == "loss":
        n_lost = int(rng.integers(round(0.2 * sfreq), round(10 * sfreq)))
        truth = np.delete(truth, slice(at, at + n_lost))
    elif event == "restart":
        truth[at:] += rng.uniform(0.5, 10)
    truth = truth[: round((_AT + 30) * sfreq)]
    stamps, received = _deliver(truth, block, late, rng)
    if event == "step":
        step = rng.choice([-1, 1]) * rng.uniform(0.2, 5)
        truth[at:] += step
        stamps[at:] += step
    run = _run(stamps, received, block, sfreq, at if event == "restart" else -1)
    error = run.instants - truth[: len(run.instants)]
    error = np.abs(error - np.median(error[round(20 * sfreq) : at]))
    return error, at, sum(n for _, n in run.told) - n_lost


def _print_error(delivery: tuple[float, int, float], n: int) -> None:
    """Print errors in a long segment, and after each event."""
    sfreq = delivery[0]
    events: tuple[_Event, ...] = ("loss", "step", "restart")
    runs = {event: [_after(event, delivery, seed) for seed in range(n)] for event in events}
    before = _p95([error[round(20 * sfreq) : at] for error, at, _ in runs["loss"]])
    row = [f"{before:6.2f}"]
    for event in events:
        for start, stop in ((1, 2), (2, 5), (5, 15)):
            soon = slice(round(start * sfreq), round(stop * sfreq))
            row.append(f"{_p95([error[at:][soon] for error, at, _ in runs[event]]):6.2f}")
            if event != "step":
                least = least_error(*delivery, start, stop, whole=event == "loss")
                row[-1] += f" ({1e3 * least:4.2f})"
    exact = sum(wrong == 0 for _, _, wrong in runs["loss"])
    false = sum(wrong != 0 for _, _, wrong in runs["step"])
    print(f"{_name(delivery)} {' '.join(row)}   {exact}/{n} {false}", flush=True)


def _print_counts(delivery: tuple[float, int, float], n: int) -> None:
    """Print which share of losses is counted exactly: when they are told, and in the end."""
    sfreq, block, late = delivery
    cells = []
    for since in _SINCE:
        told = np.zeros((len(_COUNTED), n, 2), int)
        for (row, loss), seed in itertools.product(enumerate(_COUNTED), range(n)):
            rng = np.random.default_rng([seed, row])
            n_lost, at = round(loss * sfreq), round(since * sfreq) // block * block
            truth = _truth(since + loss + _UNTIL, sfreq, rng)
            truth = np.delete(truth, slice(at, at + n_lost))
            counts = [n for _, n in _run(*_deliver(truth, block, late, rng), block, sfreq).told]
            told[row, seed] = (counts or [0])[0] - n_lost, sum(counts) - n_lost
        at_once, in_the_end = 100 * (told == 0).mean(axis=(0, 1))
        cells.append(f"{at_once:3.0f}/{in_the_end:3.0f} %  {np.abs(told[..., 1]).max():3d}")
    print(f"{_name(delivery)} {'        '.join(cells)}", flush=True)


def _name(delivery: tuple[float, int, float]) -> str:
    sfreq, block, late = delivery
    return f"{sfreq:5.0f} {block:6d} {1e3 * late:6.0f}    "


def main() -> None:
    """Print how often losses are found, errors of instants, and the price of a call."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few clocks, to try it out")
    quick = parser.parse_args().quick
    n, hours = (2, 1 / 6) if quick else (30, 0.5)
    print("error, p95 [ms], in brackets the least that anyone could have; from 20 to 60 s, and")
    print("1-2, 2-5 and 5-15 s after a loss, a step and a restart; losses counted exactly, and")
    print("steps taken for a loss")
    print("   Hz  block  late [ms]")
    for delivery in _DELIVERIES:
        _print_error(delivery, n if quick else _N_ERRORS)
    print("\nlosses of 26 ms to 5 s counted exactly at once / in the end, most miscounted")
    print("   Hz  block  late [ms]  after 6 s         after 25 s")
    for delivery in _DELIVERIES:
        _print_counts(delivery, n // 3 or 1)
    print("\nfound within 0.5 s / 30 s, losses of [ms]                          false")
    print("   Hz  block  late [ms]  10        15        25        50        100   an hour")
    for delivery in _DELIVERIES:
        _print_power(delivery, n, hours)
    rng = np.random.default_rng(0)
    delivered = _deliver(_truth(60, 1000.0, rng), 32, 0.02, rng)
    start = time.perf_counter()
    _run(*delivered, 32, 1000.0)
    print(f"\na call takes {1e6 * (time.perf_counter() - start) / (60_000 / 32):.0f} us")


if __name__ == "__main__":
    main()
