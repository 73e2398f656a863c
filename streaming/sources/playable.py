"""What a replay sends: streams with their descriptions, and their samples in blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from streaming.outlet import StreamDescription, describe_markers, describe_signal
from streaming.signal import Chunk, Gap, Marker, SignalSpec, SourceState
from streaming.sources.source import Source

__all__ = ["Block", "Playable", "Rows", "SourcePlayable"]

Rows = NDArray[np.generic] | list[list[str]]
"""Samples of shape (n_times, n_channels): an array, or lists of text."""

_PAUSE = 0.5
"""Seconds of silence for a boundary of unknown length: LSL has no other way to say it, and
receivers must see that the samples on both sides are not neighbours."""


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Samples of one stream that follow each other.

    Parameters
    ----------
    stream : int
        Which of the streams of its `Playable`, from 0.
    t : array of shape (n_times,)
        When each was taken, in seconds since the start.
    rows : array of shape (n_times, n_channels) or list of lists of str
        The samples, in the stream's format and units.
    """

    stream: int
    t: NDArray[np.float64]
    rows: Rows


class Playable(Protocol):
    """Streams that were recorded together, or are made up.

    Blocks come in the order of their first sample, give or take a second.
    """

    @property
    def streams(self) -> tuple[StreamDescription, ...]:
        """What is sent."""

    @property
    def duration(self) -> float:
        """How long it is, in seconds; infinite if it has no end."""

    def blocks(self) -> Iterator[Block]:
        """Yield everything from the start; each call starts again."""


class SourcePlayable:
    """A source as two streams: the signal, called `name`, and ``NAME markers``.

    The first sample is at 0 s. A boundary of unknown length is a pause of 0.5 s.

    Parameters
    ----------
    spec : SignalSpec
        What the source carries.
    open_source : callable
        Makes the source. It is read to its end, without waiting, and closed.
    name : str
        Name of the signal's stream. The ids are the same each time the name is sent from a
        machine, so that receivers come back after a restart.
    duration : float
        How long it is, in seconds.
    """

    def __init__(
        self,
        spec: SignalSpec,
        open_source: Callable[[], Source],
        name: str,
        duration: float = np.inf,
    ) -> None:
        self.streams = describe_signal(spec, name), describe_markers(f"{name} markers")
        self.duration = duration
        self._open_source = open_source

    def blocks(self) -> Iterator[Block]:
        """Yield chunks and markers."""
        source = self._open_source()
        waiting: list[Marker] = []
        origin: float | None = None
        while (item := source.read(0.0)) is not None:
            if isinstance(item, SourceState) and item.state == "ended":
                break
            if isinstance(item, Gap) and origin is not None:
                origin -= max(0.0, _PAUSE - item.duration)
            elif isinstance(item, Marker):
                waiting.append(item)
            elif isinstance(item, Chunk) and item.n_times:
                origin = item.t0 if origin is None else origin
                # markers wait for their samples: a pause before those moves both
                yield from _markers([m for m in waiting if m.t < item.t_end], origin)
                waiting = [m for m in waiting if m.t >= item.t_end]
                t = item.t0 - origin + np.arange(item.n_times) / item.spec.sfreq
                yield Block(0, t, item.data.T)
        yield from _markers(waiting, origin or 0.0)
        source.close()


def _markers(markers: list[Marker], origin: float) -> Iterator[Block]:
    for marker in sorted(markers, key=lambda m: m.t):
        yield Block(1, np.array([marker.t - origin]), [[marker.label]])
