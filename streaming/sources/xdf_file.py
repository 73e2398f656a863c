"""Reads files in LSL's own format (XDF), and says which of their samples have a time."""

from __future__ import annotations

import gzip
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyxdf
from numpy.typing import NDArray

from streaming.errors import RecordingError
from streaming.outlet import Desc, StreamDescription, source_id_for
from streaming.sources.files import UNREADABLE, check_file, unreadable
from streaming.sources.playable import Rows
from streaming.stamps import LATEST

__all__ = ["XdfStream", "in_time", "read_xdf"]

logger = logging.getLogger(__name__)

_DAY = 86400.0
"""Seconds; what lies further from the signal was stamped by another clock, or not at all."""


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


def in_time(path: Path, streams: Sequence[XdfStream]) -> list[NDArray[np.bool_]]:
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
