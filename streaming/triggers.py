"""Triggers that are a channel of the signal, as markers."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streaming.description import find_channel
from streaming.errors import ConfigError
from streaming.signal import Chunk, Marker, SignalSpec
from streaming.sources.source import Item, Source

__all__ = ["TriggerChannel", "TriggerSource", "find_onsets", "with_triggers"]


@dataclass(frozen=True, slots=True)
class TriggerChannel:
    """A channel that holds a number while a trigger is on.

    Parameters
    ----------
    name : str
        What it is called; case, spaces and underscores do not matter.
    mask : int or None
        The bits that count, such as 255 where an amplifier keeps other things in the upper
        ones; None: all.
    """

    name: str
    mask: int | None = None

    def __post_init__(self) -> None:
        """Refuse a mask that leaves nothing."""
        if self.mask is not None and self.mask <= 0:
            msg = f"--trigger-mask must be a positive number, such as 0xFF, got {self.mask}"
            raise ConfigError(msg)


def find_onsets(
    x: NDArray[np.floating], before: int | None, mask: int | None
) -> tuple[list[tuple[int, int]], int | None]:
    """Find where a trigger channel rises.

    As `mne.find_events` does by default: what it falls to is no trigger, and neither is what
    was on from the start.

    Parameters
    ----------
    x : array of shape (n_times,)
        The channel.
    before : int or None
        Its value in the sample before; None at the start of a segment.
    mask : int or None
        The bits that count.

    Returns
    -------
    onsets : list of (int, int)
        Index and new value of each.
    last : int or None
        The value of the last sample, to go on with.

    Examples
    --------
    >>> find_onsets(np.array([0.0, 3, 3, 0, 5, 7]), None, None)
    ([(1, 3), (4, 5), (5, 7)], 7)
    """
    if not len(x):
        return [], before
    values = np.rint(np.where(np.isfinite(x), x, 0.0)).astype(np.int64)
    if mask is not None:
        values &= mask
    start = int(values[0]) if before is None else before
    rises = np.flatnonzero(np.diff(values, prepend=start) > 0)
    return [(int(n), int(values[n])) for n in rises], int(values[-1])


class TriggerSource:
    """A source with the triggers of one of its channels as markers.

    A marker is placed at the very sample in which the channel rises, and its label is the new
    value; it comes before the chunk with that sample. Whatever the source gives passes.

    Parameters
    ----------
    source : Source
        Where items come from.
    trigger : TriggerChannel
        Which channel.

    Raises
    ------
    ConfigError
        If there is no such channel, or it holds a voltage.
    """

    def __init__(self, source: Source, trigger: TriggerChannel) -> None:
        self._source, self._mask = source, trigger.mask
        spec = source.spec
        self._row = find_channel(spec.ch_names, trigger.name)
        name, kind, unit = (x[self._row] for x in (spec.ch_names, spec.ch_types, spec.units))
        if unit:
            msg = (
                f"{name} is a channel of type {kind}, in {unit}, and not of triggers: set its "
                f"type to stim with raw.set_channel_types and save the recording again"
            )
            raise ConfigError(msg)
        self._at: tuple[int, int] | None = None  # segment and index of the next sample
        self._before: int | None = None
        self._ready: deque[Item] = deque()

    @property
    def name(self) -> str:
        """Name of the source."""
        return self._source.name

    @property
    def spec(self) -> SignalSpec:
        """Rate and channels of the source."""
        return self._source.spec

    @property
    def to_si(self) -> tuple[float, ...]:
        """What recorded samples are multiplied with."""
        return self._source.to_si

    def read(self, timeout: float) -> Item | None:
        """Return the next item, waiting up to `timeout` seconds, or None if there is none."""
        if not self._ready:
            item = self._source.read(timeout)
            if isinstance(item, Chunk):
                self._ready += self._markers(item)
            if item is not None:
                self._ready.append(item)
        return self._ready.popleft() if self._ready else None

    def close(self) -> None:
        """Close the source."""
        self._source.close()

    def _markers(self, chunk: Chunk) -> list[Marker]:
        if self._at != (chunk.segment, chunk.first):
            self._before = None
        self._at = chunk.segment, chunk.first + chunk.n_times
        onsets, self._before = find_onsets(chunk.data[self._row], self._before, self._mask)
        return [
            Marker(str(value), chunk.t0 + n / chunk.spec.sfreq, chunk.segment, chunk.first + n)
            for n, value in onsets
        ]


def with_triggers(source: Source, trigger: TriggerChannel | None) -> Source:
    """Return a source with its triggers as markers, if it is to have any."""
    return source if trigger is None else TriggerSource(source, trigger)
