"""Recordings in LSL's own format (XDF): all their streams, or one signal as a source."""

from __future__ import annotations

import gzip
import logging
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyxdf
from numpy.typing import NDArray

from streaming.clock import StreamClock
from streaming.description import Described, describe
from streaming.errors import RecordingError, UnitError
from streaming.outlet import Desc, StreamDescription, source_id_for
from streaming.signal import Chunk, Marker, SignalSpec, SourceState
from streaming.sources.files import UNREADABLE, check_file, unreadable
from streaming.sources.lsl import marker_label, to_si
from streaming.sources.playable import Block, Rows
from streaming.sources.source import Item

if TYPE_CHECKING:
    import mne

__all__ = ["XdfPlayable", "XdfSource", "XdfStream", "read_xdf"]

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


def read_xdf(path: Path) -> list[XdfStream]:
    """Read all streams of a recording.

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
            found, _ = pyxdf.load_xdf(file, synchronize_clocks=True, dejitter_timestamps=False)
        streams = [_stream(s["info"], s["time_stamps"], s["time_series"]) for s in found]
    except UNREADABLE as error:
        raise unreadable(path, error) from error
    if not any(len(stream.t) for stream in streams):
        msg = f"{path} has no samples in any of its {len(streams)} streams: record it again"
        raise RecordingError(msg)
    return streams


def _is_news(record: logging.LogRecord) -> bool:
    # said of every file whose timestamps are not smoothed
    return "clock-segments differ" not in record.getMessage()


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
        streams = read_xdf(path)
        origin = min(float(stream.t.min()) for stream in streams if len(stream.t))
        self._parts: list[tuple[NDArray[np.float64], Rows]] = []
        for stream in streams:
            t = stream.t - origin
            inside = np.flatnonzero((t >= start) & (t < stop))
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
    """The one signal of a recording and its markers, as fast as they are asked for.

    Segments, instants and the samples of markers are found from the timestamps by
    `streaming.clock.StreamClock`, as from the live stream. Markers are those of irregular
    streams of text, and of numbers if their type is ``Markers``.

    Parameters
    ----------
    path : path
        The file.
    unit : str, optional
        Unit of the signal, such as ``"uV"``, where the description has none.

    Raises
    ------
    RecordingError
        As `read_xdf`, or if there is not exactly one signal.
    UnitError
        If the unit of a channel is not known.
    """

    def __init__(self, path: Path, *, unit: str | None = None) -> None:
        self._path = path
        streams = read_xdf(path)
        self._signal = _the_signal(path, streams)
        d = self._signal.description
        try:
            self._described: Described = describe(d.sfreq, d.type, d.channels(), unit=unit)
        except UnitError as error:
            msg = f"{path}: {error}"
            raise UnitError(msg) from error
        self._markers = sorted(_markers(streams))
        self._items: Iterator[Item] | None = self._make_items()

    @property
    def name(self) -> str:
        """Name of the file."""
        return self._path.name

    @property
    def spec(self) -> SignalSpec:
        """Rate and channels of the signal."""
        return self._described.spec

    @property
    def to_si(self) -> tuple[float, ...]:
        """What samples as they were sent are multiplied with, for each channel."""
        return self._described.to_si

    def read(self, timeout: float = 0.0) -> Item | None:  # noqa: ARG002 - a file never waits
        """Return the next item; None after the ``"ended"`` that ends every recording."""
        return next(self._items, None) if self._items is not None else None

    @property
    def info(self) -> mne.Info:
        """What is known of the channels: names, types and rate."""
        return self.spec.to_info()

    def close(self) -> None:
        """Let go of the samples; nothing is read after it."""
        self._items = None

    def _make_items(self) -> Iterator[Item]:
        clock, waiting = StreamClock(self.spec.sfreq), list(self._markers)
        t, rows = self._signal.t, np.asarray(self._signal.rows)
        length, given = max(1, self.spec.to_samples(_BLOCK)), 0
        for start in range(0, len(t), length):
            stretches = clock.feed(t[start : start + length])
            if start + length >= len(t):
                stretches += clock.settle()
            for s in stretches:
                if s.gap is not None:
                    yield s.gap
                data = to_si(rows[given : given + s.n_times], self.to_si)
                given += s.n_times
                yield Chunk(data, self.spec, s.segment, s.first, s.t_anchor)
            while waiting and not clock.undecided and waiting[0][0] < clock.t_next:
                instant, label = waiting.pop(0)
                yield Marker(label, instant, *clock.locate(instant))
        for instant, label in waiting:
            yield Marker(label, instant, *clock.locate(instant))
        yield SourceState("ended", clock.t_next, f"{self._path.name} is over")


def _the_signal(path: Path, streams: list[XdfStream]) -> XdfStream:
    signals = [s for s in streams if s.description.is_signal and len(s.t)]
    typed = [s for s in signals if s.description.type.upper() in {"EEG", "MEG"}]
    chosen = typed or signals
    if len(chosen) == 1:
        return chosen[0]
    there = "; ".join(
        f"{s.description.name!r} ({s.description.type}, {len(s.t)} samples)" for s in streams
    )
    msg = (
        f"{path} has {len(chosen)} signals, and exactly one is needed: a stream of numbers at "
        f"a regular rate; its streams are: {there}"
    )
    raise RecordingError(msg)


def _markers(streams: list[XdfStream]) -> Iterator[tuple[float, str]]:
    for stream in streams:
        d = stream.description
        of_text = d.channel_format == "string"
        if d.sfreq == 0 and (of_text or d.type == "Markers"):
            for t, row in zip(stream.t.tolist(), stream.rows, strict=True):
                yield t, str(row[0]) if of_text else marker_label(float(row[0]))
