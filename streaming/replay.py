"""Send recordings, or any source, over LSL as if they were live; also with faults."""

from __future__ import annotations

import heapq
import itertools
import math
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streaming.errors import ConfigError, SourceError
from streaming.lsl_clock import Clock, lsl_clock
from streaming.outlet import Outlet, Output, StreamDescription, is_published
from streaming.sources.faults import Schedule
from streaming.sources.injector import Injector, Piece, injectors
from streaming.sources.playable import Block, Playable, Rows, SourcePlayable
from streaming.sources.source import Source
from streaming.truth import TruthLog

__all__ = ["play", "publish"]

_LINGER = 0.5
"""Seconds until a stream closes after its last sample: LSL drops what is still on its way."""

_POLL = 0.1
"""Longest wait for a receiver at a time, in seconds."""

_AHEAD = 2.0
"""Seconds of the recording that are read ahead: blocks are of up to a second, and what is due
first may be in one that comes later."""


def publish(  # noqa: PLR0913 - those of `play`
    source: Source,
    output: Output | None = None,
    *,
    name: str = "",
    speed: float = 1.0,
    chunk_size: int = 16,
    wait_for_consumer: float = 0.0,
    schedule: Schedule | None = None,
    truth: Path | None = None,
    stop: threading.Event | None = None,
    clock: Clock = lsl_clock,
    progress: Callable[[float], None] = lambda _: None,
) -> int:
    """Send a source, as `play` sends a recording, and return the number of samples sent.

    Parameters
    ----------
    source : Source
        What to send, which does not wait: it is read to its end, two seconds ahead, and
        closed.
    output : Output, optional
        Where to; LSL if not given.
    name : str
        On LSL, the name of the signal's stream; the markers are ``NAME markers``.
    speed, chunk_size, wait_for_consumer, schedule, truth, stop, clock, progress
        As for `play`.
    """
    return play(
        [SourcePlayable(source.spec, lambda: source, name or source.name)],
        output,
        speed=speed,
        chunk_size=chunk_size,
        wait_for_consumer=wait_for_consumer,
        schedule=schedule,
        truth=truth,
        stop=stop,
        clock=clock,
        progress=progress,
    )


def play(  # noqa: PLR0913 - what the command line asks for, each with a default
    recordings: Sequence[Playable],
    output: Output | None = None,
    *,
    speed: float = 1.0,
    loop: bool = False,
    chunk_size: int = 16,
    wait_for_consumer: float = 0.0,
    hold: Callable[[], None] = lambda: None,
    schedule: Schedule | None = None,
    truth: Path | None = None,
    stop: threading.Event | None = None,
    clock: Clock = lsl_clock,
    progress: Callable[[float], None] = lambda _: None,
) -> int:
    """Send recordings at once and return the number of samples that were sent.

    Every sample and marker carries its own timestamp: the instant in the recording, moved so
    that its start is now. At a `speed` other than 1 the samples leave faster or slower, while
    rate and timestamps stay those of the recording: the stream is the same one, sample for
    sample, only its timestamps run ahead of the clock or behind it, so latencies mean nothing
    then, and the stream says so (``desc/replay/speed``). Each sample leaves when it would have
    been taken, by deadlines that do not depend on each other, so nothing drifts.

    Parameters
    ----------
    recordings : sequence of Playable
        What to send; all begin together.
    output : Output, optional
        Where to: one signal and its markers. If not given, every stream is sent over LSL. It
        is not closed.
    speed : float
        Seconds of the recording for each second of the clock; infinite: as fast as it can be
        read. LSL then loses what a receiver is behind by more than its buffer (360 s of the
        signal).
    loop : bool
        Begin again, one sample after the end, until stopped.
    chunk_size : int
        Samples sent at once; amplifiers send 8 to 32. Fewer if they take more than 0.1 s.
    wait_for_consumer : float
        Wait up to so many seconds until somebody receives every signal before the first
        sample.
    hold : callable
        Called after that; the first sample leaves when it returns.
    schedule : Schedule, optional
        Faults to inject in the signals. Their times count from the first sample.
    truth : Path, optional
        Where to log what they did; see `streaming.truth.TruthLog`.
    stop : threading.Event, optional
        Ends the sending when set.
    clock : callable
        The LSL clock.
    progress : callable
        Told how many seconds were sent; 0.0 as soon as the streams are there.

    Raises
    ------
    SourceError
        If this machine sends one of the streams already, or two are the same.
    ConfigError
        If a setting cannot be used, or a fault concerns nothing.
    """
    if not (speed > 0 and chunk_size > 0):
        msg = f"speed and chunk_size must be positive, got {speed} and {chunk_size}"
        raise ConfigError(msg)
    schedule = schedule or Schedule()
    stop = stop or threading.Event()
    streams = [d.replayed(speed) for recording in recordings for d in recording.streams]
    pipes = injectors(streams, schedule, chunk_size)
    if speed == math.inf and any(f.kind in {"stall", "disconnect"} for f in schedule.faults):
        msg = "stalls and outages take time, of which there is none at speed max: give a number"
        raise ConfigError(msg)
    if output is None:
        _check_free(streams)
    else:
        _check_takes(streams, schedule)
    open_outlet = Outlet if output is None else partial(_Part, output)
    with closing(TruthLog(truth, pipes)) as log:
        outlets: list[Outlet | _Part] = [open_outlet(description) for description in streams]
        progress(0.0)
        signals = [o for o, d in zip(outlets, streams, strict=True) if d.is_signal]
        _wait_for_consumers(signals, wait_for_consumer, stop, clock)
        hold()
        start, n_sent = math.nan, 0
        for item in _in_order(_merged(recordings, loop=loop), pipes, speed):
            start = clock() if math.isnan(start) else start
            if _wait_until(start + item.due / speed, stop, clock):
                break
            if isinstance(item, _Switch):
                outlets[item.stream].close()
                if item.description is not None:
                    outlets[item.stream] = open_outlet(item.description)
                continue
            outlets[item.stream].push(item.rows, start + item.stamps)
            log.note(item, start)
            if streams[item.stream].is_signal:
                n_sent += len(item.rows)
                progress(float(item.t[-1]) + 1 / streams[item.stream].sfreq)
        # Also when stopped: an outlet that is destroyed while its samples are on their way to
        # an inlet has crashed the process (sccn/liblsl#218).
        threading.Event().wait(_LINGER)
        for outlet in outlets:
            outlet.close()
    return n_sent


class _Part:
    """The signal or the markers of an output, in place of an LSL stream."""

    def __init__(self, output: Output, description: StreamDescription) -> None:
        self._output, self._is_signal = output, description.is_signal

    def push(self, rows: Rows, timestamps: NDArray[np.float64]) -> None:
        if self._is_signal:
            if len(rows):
                self._output.push(np.asarray(rows, np.float32).T, timestamps)
            return
        for row, t in zip(rows, timestamps.tolist(), strict=True):
            self._output.push_marker(str(row[0]), t)

    def wait_for_consumer(self, timeout: float) -> bool:
        return self._output.wait_for_consumer(timeout)

    def close(self) -> None:
        """Leave the output to whoever opened it."""


@dataclass(frozen=True, slots=True)
class _Switch:
    """An outlet that is taken away, or comes back as described."""

    stream: int
    due: float
    description: StreamDescription | None


def _merged(recordings: Sequence[Playable], *, loop: bool) -> Iterator[Block]:
    """Yield the blocks of all recordings by time, with the streams counted through."""
    offset = 0.0
    while True:
        end, n_blocks = 0.0, 0
        for block in heapq.merge(*_numbered(recordings), key=lambda block: float(block.t[0])):
            n_blocks += 1
            sfreq = _stream(recordings, block.stream).sfreq
            end = max(end, float(block.t.max()) + (1 / sfreq if sfreq else 0.0))
            yield replace(block, t=block.t + offset)
        if not (loop and n_blocks):
            return
        offset += end


def _numbered(recordings: Sequence[Playable]) -> list[Iterator[Block]]:
    firsts = itertools.accumulate((len(r.streams) for r in recordings), initial=0)
    return [_shifted(r.blocks(), first) for r, first in zip(recordings, firsts, strict=False)]


def _shifted(blocks: Iterator[Block], first: int) -> Iterator[Block]:
    for block in blocks:
        yield replace(block, stream=first + block.stream)


def _stream(recordings: Sequence[Playable], number: int) -> StreamDescription:
    return [description for r in recordings for description in r.streams][number]


def _in_order(
    blocks: Iterator[Block], pipes: Sequence[Injector], speed: float
) -> Iterator[Piece | _Switch]:
    """Yield pieces and switches in the order in which they are due.

    An outlet goes `_LINGER` after its last sample: LSL drops what is still on its way.
    """
    count = itertools.count()
    heap: list[tuple[float, int, Piece | _Switch]] = []

    def push(item: Piece | _Switch) -> None:
        heapq.heappush(heap, (item.due, next(count), item))

    for n, pipe in enumerate(pipes):
        for gone, back, description in pipe.outages:
            push(_Switch(n, min(gone + _LINGER * speed, back), None))
            push(_Switch(n, back, description))
    for block in blocks:
        for piece in pipes[block.stream].feed(block):
            push(piece)
        while heap and heap[0][0] <= float(block.t[0]) - _AHEAD:
            yield heapq.heappop(heap)[2]
    for pipe in pipes:
        for piece in pipe.flush():
            push(piece)
    while any(isinstance(item, Piece) for _, _, item in heap):
        yield heapq.heappop(heap)[2]


def _check_free(streams: Sequence[StreamDescription]) -> None:
    ids = [description.source_id for description in streams]
    twice = [d for n, d in enumerate(streams) if d.source_id in ids[:n]]
    if twice:
        msg = (
            f"two of the streams are called {twice[0].name!r}: rename a file or replay it alone"
        )
        raise SourceError(msg)
    if is_published(ids):
        names = ", ".join(repr(description.name) for description in streams)
        msg = f"a stream of {names} is already sent from this machine: stop it or rename this"
        raise SourceError(msg)


def _check_takes(streams: Sequence[StreamDescription], schedule: Schedule) -> None:
    signals = [description.name for description in streams if description.is_signal]
    if len(signals) != 1:
        msg = (
            f"{len(signals)} signals cannot be sent to what takes one ({', '.join(signals)}): "
            f"choose a recording with one"
        )
        raise SourceError(msg)
    if any(fault.kind == "disconnect" for fault in schedule.faults):
        msg = "disconnect is a fault of LSL streams: leave it out, or send over LSL"
        raise ConfigError(msg)


def _wait_until(t: float, stop: threading.Event, clock: Clock) -> bool:
    """Wait and return whether to stop."""
    while (left := t - clock()) > 0:
        if stop.wait(left):
            return True
    return stop.is_set()


def _wait_for_consumers(
    outlets: Sequence[Outlet | _Part], timeout: float, stop: threading.Event, clock: Clock
) -> None:
    deadline = clock() + timeout
    for outlet in outlets:
        while not stop.is_set() and clock() < deadline:
            if outlet.wait_for_consumer(_POLL):
                break
