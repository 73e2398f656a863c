"""The ledger of a stream in which everything goes wrong, held against the injector's truth.

Arrivals are simulated, so that nothing depends on how busy the machine is.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from streaming.clock import StreamClock, Stretch
from streaming.outlet import describe_signal
from streaming.signal import SignalSpec
from streaming.sources.faults import Schedule, parse_fault
from streaming.sources.injector import Injector, Piece
from streaming.sources.playable import Block

_SFREQ = 1000.0
_CHUNK = 10
_UNHEARD = 0.37
"""Seconds after an outage until the stream is found again."""

_TOGETHER = (
    "jitter@0:end:20ms",
    "drift@0:end:100ppm",
    "drop@6:500ms",
    "stall@11:3s",
    "disconnect@18:2s",
    "step@28:0.5s",
    "drop@35:2s",
)


def _pieces(faults: Sequence[str], seconds: float, seed: int) -> list[Piece]:
    """Return what a sender sends at which time: ten samples at once."""
    description = describe_signal(SignalSpec(_SFREQ, ("Cz",), ("eeg",)), "amplifier")
    schedule = Schedule(tuple(map(parse_fault, faults)), seed)
    injector = Injector(0, description, schedule, _CHUNK)
    pieces: list[Piece] = []
    for first in range(0, round(seconds * _SFREQ), _CHUNK):
        t = (first + np.arange(_CHUNK)) / _SFREQ
        pieces += injector.feed(Block(0, t, np.zeros((_CHUNK, 1), np.float32)))
    return pieces + list(injector.flush())


def _accounts(faults: Sequence[str], seconds: float, seed: int) -> tuple[int, int]:
    """Return how many samples did not arrive, and how many the clock says were lost."""
    outages = [(f.at, f.end) for f in map(parse_fault, faults) if f.kind == "disconnect"]
    rng, clock, start = np.random.default_rng(seed), StreamClock(_SFREQ), 35_000.0
    stretches: list[Stretch] = []
    lost, is_away = 0, False
    for piece in _pieces(faults, seconds, seed):
        was_away = is_away
        is_away = any(gone <= piece.t[0] < back + _UNHEARD for gone, back in outages)
        lost += len(piece.t) if is_away else len(piece.t) - len(piece.stamps)
        if is_away and not was_away:
            stretches += clock.settle()
        if was_away and not is_away:
            stretches += clock.reconnect()
        if not is_away and len(piece.stamps):
            received = start + piece.due + rng.exponential(0.2e-3)
            stretches += clock.feed(start + piece.stamps, received)
    told = sum(round(s.gap.duration * _SFREQ) for s in stretches if s.gap is not None)
    return lost, told + sum(r.n_times for s in stretches for r in s.revisions)


@pytest.mark.parametrize("seed", range(3))
def test_all_that_is_lost_is_counted_exactly_whatever_else_goes_wrong(seed: int) -> None:
    """The seconds of the benchmark's session: the first loss comes before much is known."""
    lost, told = _accounts(_TOGETHER, 43.0, seed)
    assert lost == 500 + 2000 + 370 + 2000
    assert told == lost


@pytest.mark.parametrize("n_lost", [26, 500, 3000])
def test_a_loss_in_the_first_seconds_is_counted_exactly(n_lost: int) -> None:
    faults = ("jitter@0:end:20ms", "drift@0:end:-80ppm", f"drop@6:{n_lost}ms")
    assert _accounts(faults, 12.0 + n_lost / 1e3, 0) == (n_lost, n_lost)
