"""Recordings in LSL's own format (XDF): all their streams, or one signal as a source."""

from __future__ import annotations

import gzip
import logging
import math
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyxdf
from numpy.typing import NDArray

from streaming.description import Described, describe_stream
from streaming.errors import RecordingError, UnitError
from streaming.join import join_specs
from streaming.joiner import Joiner
from streaming.layout import info_of
from streaming.lsl_streams import MARKER_TYPES
from streaming.outlet import Desc, StreamDescription, source_id_for
from streaming.rows import RowClock, marker_label
from streaming.signal import Marker, SignalSpec, SourceState
from streaming.sources.files import UNREADABLE, check_file, unreadable
from streaming.sources.playable import Block, Rows
from streaming.sources.source import Item
from streaming.stamps import LATEST

if TYPE_CHECKING:
    import mne

__all__ = ["XdfPlayable", "XdfSource", "XdfStream", "read_xdf"]

logger = logging.getLogger(__name__)

_DAY = 86400.0
"""Seconds; what lies further from the signal was stamped by another clock, or not at all."""

_BLOCK = 0.1
"""Seconds of signal that a source gives at once."""


@dataclass(frozen=True, slots=True, eq=False)
class XdfStream:
    """A stream of a recording, possibly without samples.

    Parameters
    ----------
    description : StreamDescription
        What the stream said of itself when it was recorded.
    t : array of shape (n_times,)
        Timestamps as they were sent, moved to the recorder's clock, in seconds.
    rows : array of shape (n_times, n_channels) or list of lists of str
        Samples as they were sent.
    """

    description: StreamDescription
    t: NDArray[np.float64]
    rows: Rows


def read_xdf(path: Path) -> tuple[list[XdfStream], str]:
    """Read all streams of a recording, and which session it says it is of, if any.

    Timestamps are moved to the recorder's clock by the measurements of both clocks that are
    in the file, also where a clock was reset; they are not smoothed, so that jitter, bunches
    and holes stay as they were.

    Raises
    ------
    RecordingError
        If the file is not there, cannot be read, or holds no sample.
    """
    check_file(path)
    logging.getLogger("pyxdf.pyxdf").addFilter(_is_news)
    try:
        # pyxdf leaves a file open that it refuses
        with path.open("rb") if path.suffix.lower() == ".xdf" else gzip.open(path) as file:
            found, header = pyxdf.load_xdf(
                file, synchronize_clocks=True, dejitter_timestamps=False
            )
        streams = [_stream(s["info"], s["time_stamps"], s["time_series"]) for s in found]
    except UNREADABLE as error:
        raise unreadable(path, error) from error
    if not any(len(stream.t) for stream in streams):
        msg = f"{path} has no samples in any of its {len(streams)} streams: record it again"
        raise RecordingError(msg)
    return streams, _session_of(header)


def _session_of(header: Any) -> str:
    """Return which session the header of a file names: none, if it has none, or no header."""
    said = (header or {}).get("info")
    named = said.get("session", []) if isinstance(said, dict) else []
    return named[0] if len(named) == 1 and isinstance(named[0], str) else ""


def _is_news(record: logging.LogRecord) -> bool:
    if record.exc_info:  # of a file that is cut short, which is no fault of a program
        record.exc_info, record.levelno, record.levelname = None, logging.WARNING, "WARNING"
        record.msg = "the XDF file ends within a chunk: what is whole of it is read"
    # said of every file whose timestamps are not smoothed
    return "clock-segments differ" not in record.getMessage()


def _in_time(path: Path, streams: Sequence[XdfStream]) -> list[NDArray[np.bool_]]:
    """Return which samples of each stream bear a timestamp near those of the signals.

    Others can neither be sent at their time nor placed; it is said how many.
    """
    alone = [_near(stream.t, _middle(stream)) for stream in streams]
    signals = [
        stream.t[near]
        for stream, near in zip(streams, alone, strict=True)
        if stream.description.is_signal and near.any()
    ]
    if not signals:
        return alone
    span = float(signals[0].min()), float(signals[0].max())
    nearby = []
    for stream, found in zip(streams, alone, strict=True):
        near = found & _near(stream.t, span)
        nearby.append(near)
        if not near.all():
            logger.warning(
                "%s: %d of %d samples of %r are left out: they bear no timestamp, or one that "
                "is more than a day from the signal",
                path.name,
                np.count_nonzero(~near),
                len(near),
                stream.description.name,
            )
    return nearby


def _middle(stream: XdfStream) -> tuple[float, float]:
    """Return what a signal as long as this can span around its median timestamp."""
    finite = stream.t[np.isfinite(stream.t)]
    if not stream.description.is_signal or not len(finite):
        return -LATEST, LATEST
    middle, length = float(np.median(finite)), len(stream.t) / stream.description.sfreq
    return middle - length, middle + length


def _near(t: NDArray[np.float64], span: tuple[float, float]) -> NDArray[np.bool_]:
    return (t > span[0] - _DAY) & (t < span[1] + _DAY)


def _stream(info: Mapping[str, Any], t: Any, rows: Any) -> XdfStream:
    number = info["stream_id"]
    said = {key: str(values[0] or "") for key, values in info.items() if _is_said(values)}
    name = said.get("name") or f"stream {number}"
    desc = (info.get("desc") or [None])[0]
    description = StreamDescription(
        name,
        said.get("type", ""),
        int(said["channel_count"]),
        float(said["nominal_srate"]),
        said["channel_format"],
        said.get("source_id") or source_id_for(name, f"stream{number}"),
        _desc(desc) if isinstance(desc, Mapping) else (),
    )
    text = description.channel_format == "string"
    return XdfStream(description, np.array(t, np.float64), rows if text else np.asarray(rows))


def _is_said(values: object) -> bool:
    return isinstance(values, list) and bool(values)


def _desc(found: Mapping[str, Any]) -> Desc:
    return tuple(
        (tag, _desc(value) if isinstance(value, Mapping) else str(value or ""))
        for tag, values in found.items()
        for value in values
    )


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
        nearby = _in_time(path, streams)
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
        self._markers = sorted(_markers(found, _in_time(path, found)))
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
