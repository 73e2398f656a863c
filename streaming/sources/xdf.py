"""Recordings in LSL's own format (XDF): their streams, to be sent again, or one as a source."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from streaming.description import Described, describe_stream
from streaming.errors import RecordingError, UnitError
from streaming.join import join_specs
from streaming.joiner import Joiner
from streaming.layout import info_of
from streaming.lsl_streams import MARKER_TYPES
from streaming.rows import RowClock, marker_label
from streaming.signal import Marker, SignalSpec, SourceState
from streaming.sources.playable import Block, Rows
from streaming.sources.source import Item
from streaming.sources.xdf_file import XdfStream, in_time, read_xdf

if TYPE_CHECKING:
    import mne

__all__ = ["XdfPlayable", "XdfSource"]

_BLOCK = 0.1
"""Seconds of signal that a source gives at once."""


class XdfPlayable:
    """All streams of a recording, as they were sent: names, types, formats, descriptions.

    The first sample of any stream is at 0 s. Gaps stay gaps, also those of a clock that was
    reset.

    Parameters
    ----------
    path : path
        The file.
    start, stop : float
        Which part of it, in seconds.

    Raises
    ------
    RecordingError
        As `read_xdf`, or if there is no sample in that part.
    """

    def __init__(self, path: Path, *, start: float = 0.0, stop: float = math.inf) -> None:
        streams, _ = read_xdf(path)
        nearby = in_time(path, streams)
        begins = [
            s.t[near].min() for s, near in zip(streams, nearby, strict=True) if near.any()
        ]
        origin = min(begins, default=0.0)
        self._parts: list[tuple[NDArray[np.float64], Rows]] = []
        for stream, near in zip(streams, nearby, strict=True):
            t = stream.t - origin
            inside = np.flatnonzero(near & (t >= start) & (t < stop))
            self._parts.append((t[inside] - start, _taken(stream.rows, inside)))
        self.streams = tuple(stream.description for stream in streams)
        ends = [float(t.max()) for t, _ in self._parts if len(t)]
        if not ends:
            msg = f"{path} has no sample from {start:g} to {stop:g} s: choose another part"
            raise RecordingError(msg)
        self.duration = max(ends)

    def blocks(self) -> Iterator[Block]:
        """Yield all streams in blocks of up to a second."""
        blocks = [
            Block(n, t[start:stop], rows[start:stop])
            for n, (t, rows) in enumerate(self._parts)
            if len(t)
            for start, stop in _seconds(t)
        ]
        yield from sorted(blocks, key=lambda block: float(block.t[0]))


def _taken(rows: Rows, index: NDArray[np.intp]) -> Rows:
    return [rows[n] for n in index.tolist()] if isinstance(rows, list) else rows[index]


def _seconds(t: NDArray[np.float64]) -> Iterator[tuple[int, int]]:
    """Yield where each second begins and ends, of instants that may go back a little."""
    second = np.floor(np.maximum.accumulate(t))
    cuts = [0, *(np.flatnonzero(np.diff(second)) + 1).tolist(), len(t)]
    yield from pairwise(cuts)


class XdfSource:
    """The signal of a recording and its markers, as fast as they are asked for.

    Segments, instants and the samples of markers are found from the timestamps by
    `streaming.clock.StreamClock`, as from the live stream, and several signals are joined as
    there (`streaming.join`). Markers are those of irregular streams of text, and of numbers if
    their type is ``Markers``.

    Parameters
    ----------
    path : path
        The file.
    unit : str, optional
        Unit of the signal, such as ``"uV"``, where the description has none.
    streams : sequence of str
        Name or source_id of each signal; without any, the only one of type EEG or MEG, or the
        only one.
    trigger : str, optional
        The channel that holds triggers, whatever the description says of it.

    Raises
    ------
    RecordingError
        As `read_xdf`, or if there is not exactly one such signal.
    SourceError
        If several do not have the same rate, or share channels.
    UnitError
        If the unit of a channel is not known.
    """

    def __init__(
        self,
        path: Path,
        *,
        unit: str | None = None,
        streams: Sequence[str] = (),
        trigger: str | None = None,
    ) -> None:
        self._path = path
        found, self._session = read_xdf(path)
        self._signals = _signals(path, found, streams)
        try:
            self._described: list[Described] = [
                describe_stream(s.description, unit=unit, trigger=trigger)
                for s in self._signals
            ]
        except UnitError as error:
            msg = f"{path}: {error}"
            raise UnitError(msg) from error
        names = [s.description.name for s in self._signals]
        self._specs = [described.spec for described in self._described]
        self._spec = join_specs(names, self._specs)
        self._markers = sorted(_markers(found, in_time(path, found)))
        self._items: Iterator[Item] | None = self._make_items()

    @property
    def name(self) -> str:
        """Name of the file."""
        return self._path.name

    @property
    def spec(self) -> SignalSpec:
        """Rate and channels of the signal."""
        return self._spec

    @property
    def session(self) -> str:
        """The session that recorded it, which tells its windows from others; or nothing."""
        return self._session

    @property
    def to_si(self) -> tuple[float, ...]:
        """What samples as they were sent are multiplied with, for each channel."""
        return tuple(x for described in self._described for x in described.to_si)

    def read(self, timeout: float = 0.0) -> Item | None:  # noqa: ARG002 - a file never waits
        """Return the next item; None after the ``"ended"`` that ends every recording."""
        return next(self._items, None) if self._items is not None else None

    @property
    def info(self) -> mne.Info:
        """What is known of the channels: names, types, rate and places, if need be by name."""
        return info_of(self.spec)

    def close(self) -> None:
        """Let go of the samples; nothing is read after it."""
        self._items = None

    def _make_items(self) -> Iterator[Item]:
        alone = len(self._described) == 1
        clocks = [RowClock(d.spec.sfreq, d.to_si, alone=alone) for d in self._described]
        joiner = Joiner(self._specs, [rows.clock for rows in clocks], self._spec)
        waiting = deque(self._markers)
        for number, rows, t, last in self._blocks():
            pieces = clocks[number].feed(rows, t)
            if last:
                pieces += clocks[number].settle()
            for joined in joiner.feed(number, pieces):
                yield from joined.news
                yield joined.chunk
            if joiner.started and not joiner.undecided:
                while waiting and waiting[0][0] < joiner.t_next:
                    instant, label = waiting.popleft()
                    yield Marker(label, instant, *joiner.locate(instant))
        if not joiner.started:
            msg = f"{self._path}: its signals have no instant in common: choose others"
            raise RecordingError(msg)
        for instant, label in waiting:
            yield Marker(label, instant, *joiner.locate(instant))
        yield SourceState("ended", joiner.t_next, f"{self._path.name} is over")

    def _blocks(
        self,
    ) -> list[tuple[int, NDArray[np.generic], NDArray[np.float64], bool]]:
        """Return the rows of all signals in blocks, as they came."""
        blocks = []
        for number, (signal, spec) in enumerate(zip(self._signals, self._specs, strict=True)):
            t, rows = signal.t - signal.description.lag, np.asarray(signal.rows)
            came = np.maximum.accumulate(np.where(np.isfinite(t), t, -np.inf))
            length = max(1, spec.to_samples(_BLOCK))
            for start in range(0, len(t), length):
                part = slice(start, start + length)
                block = number, rows[part], t[part], start + length >= len(t)
                blocks.append((float(came[start]), block))
        return [block for _, block in sorted(blocks, key=lambda timed: timed[0])]


def _signals(path: Path, streams: list[XdfStream], names: Sequence[str]) -> list[XdfStream]:
    signals = [s for s in streams if s.description.is_signal and len(s.t)]
    if not names:
        typed = [s for s in signals if s.description.type.upper() in {"EEG", "MEG"}]
        asked = [typed or signals]
    else:
        asked = [
            [s for s in signals if name in {s.description.name, s.description.source_id}]
            for name in names
        ]
    for n, found in enumerate(asked):
        if len(found) != 1:
            there = "; ".join(
                f"{s.description.name!r} ({s.description.type}, {len(s.t)} samples)"
                for s in streams
            )
            called = f" called {names[n]!r}" if names else ""
            msg = (
                f"{path} has {len(found)} signals{called}, and exactly one is needed: a stream "
                f"of numbers at a regular rate, said with --stream; its streams are: {there}"
            )
            raise RecordingError(msg)
    return [signal for (signal,) in asked]


def _markers(
    streams: list[XdfStream], nearby: list[NDArray[np.bool_]]
) -> Iterator[tuple[float, str]]:
    for stream, near in zip(streams, nearby, strict=True):
        d = stream.description
        of_text = d.channel_format == "string"
        if d.sfreq == 0 and (of_text or d.type in MARKER_TYPES):
            instants = (stream.t - d.lag).tolist()
            for n in np.flatnonzero(near).tolist():
                t, row = instants[n], stream.rows[n]
                yield t, str(row[0]) if of_text else marker_label(float(row[0]))
