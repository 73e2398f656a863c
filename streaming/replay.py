"""Send any source as if it were live, at the pace at which it was recorded or at another."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import numpy as np

from streaming.errors import ConfigError
from streaming.lsl_clock import Clock, lsl_clock
from streaming.outlet import Output
from streaming.signal import Chunk, Gap, Marker, SourceState
from streaming.sources.source import Source

__all__ = ["publish"]

_PAUSE = 0.5
"""Seconds of silence for a boundary of unknown length: LSL has no other way to say it, and
receivers must see that the samples on both sides are not neighbours."""

_LINGER = 0.5
"""Seconds until the streams close after the last sample: LSL drops what is still on its way."""

_POLL = 0.1
"""Longest wait for a source that has nothing yet, in seconds."""


def publish(
    source: Source,
    output: Output,
    *,
    speed: float = 1.0,
    chunk_size: int = 16,
    wait_for_consumer: float = 0.0,
    stop: threading.Event | None = None,
    clock: Clock = lsl_clock,
    progress: Callable[[float], None] = lambda _: None,
) -> int:
    """Send a source and return the number of samples that were sent.

    Every sample and marker carries its own timestamp: the instant in the source, moved so that
    the first sample is now, and a marker's timestamp is exactly that of its sample. At a
    `speed` other than 1 the samples leave faster or slower, while rate and timestamps stay
    those of the source: the stream is the same one, sample for sample, only its timestamps run
    ahead of the clock or behind it, so latencies mean nothing then. Each sample leaves when it
    would have been taken, by deadlines that do not depend on each other, so nothing drifts.

    Parameters
    ----------
    source : Source
        What to send. It is read to its end and not closed.
    output : Output
        Where to, such as `streaming.outlet.LslOutput`. It is not closed.
    speed : float
        Seconds of the source for each second of the clock.
    chunk_size : int
        Samples sent at once; amplifiers send 8 to 32.
    wait_for_consumer : float
        Wait up to so many seconds until somebody receives the signal before the first sample.
    stop : threading.Event, optional
        Ends the sending when set.
    clock : callable
        The LSL clock.
    progress : callable
        Told how many seconds of the source were sent; 0.0 as soon as the streams are there.
    """
    if not (speed > 0 and chunk_size > 0):
        msg = f"speed and chunk_size must be positive, got {speed} and {chunk_size}"
        raise ConfigError(msg)
    stop = stop or threading.Event()
    progress(0.0)
    _wait_for_consumer(output, wait_for_consumer, stop, clock)
    start: float | None = None
    n_sent = 0
    for t, item in _due(source, chunk_size, stop):
        start = clock() if start is None else start
        end = t if isinstance(item, Marker) else t + item.n_times / item.spec.sfreq
        if _wait_until(start + end / speed, stop, clock):
            break
        if isinstance(item, Marker):
            output.push_marker(item.label, start + t)
        else:
            output.push(item.data, start + t + np.arange(item.n_times) / item.spec.sfreq)
            n_sent += item.n_times
            progress(n_sent / source.spec.sfreq)
    stop.wait(_LINGER)
    return n_sent


def _due(
    source: Source, chunk_size: int, stop: threading.Event
) -> Iterator[tuple[float, Chunk | Marker]]:
    """Yield slices and markers in the order in which they are due.

    With each comes the instant of its first sample, in seconds since the very first sample.
    """
    waiting: list[Marker] = []
    origin: float | None = None
    while not stop.is_set():
        item = source.read(_POLL)
        if isinstance(item, SourceState) and item.state == "ended":
            break
        if isinstance(item, Gap) and origin is not None:
            origin -= max(0.0, _PAUSE - item.duration)
        elif isinstance(item, Marker):
            waiting = sorted([*waiting, item], key=lambda marker: marker.t)
        elif isinstance(item, Chunk):
            origin = item.t0 if origin is None else origin
            for piece in _slices(item, chunk_size):
                while waiting and waiting[0].t < piece.t_end:
                    marker = waiting.pop(0)
                    yield marker.t - origin, marker
                yield piece.t0 - origin, piece
    for marker in waiting:
        yield marker.t - (origin or 0.0), marker


def _slices(chunk: Chunk, length: int) -> Iterator[Chunk]:
    for start in range(0, chunk.n_times, length):
        data = chunk.data[:, start : start + length]
        yield Chunk(data, chunk.spec, chunk.segment, chunk.first + start, chunk.t_anchor)


def _wait_until(t: float, stop: threading.Event, clock: Clock) -> bool:
    """Wait and return whether to stop."""
    while (left := t - clock()) > 0:
        if stop.wait(left):
            return True
    return stop.is_set()


def _wait_for_consumer(
    output: Output, timeout: float, stop: threading.Event, clock: Clock
) -> None:
    deadline = clock() + timeout
    while not stop.is_set() and clock() < deadline and not output.wait_for_consumer(_POLL):
        pass
