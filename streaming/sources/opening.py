"""Open a recording, whatever its format: to decode it, or to send it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from streaming.errors import ConfigError
from streaming.sources.playable import Playable, SourcePlayable
from streaming.sources.recording import RecordingSource
from streaming.sources.xdf import XdfPlayable, XdfSource

__all__ = ["open_playable", "open_recording"]


def open_recording(
    path: Path,
    *,
    unit: str | None = None,
    streams: Sequence[str] = (),
    trigger: str | None = None,
) -> RecordingSource | XdfSource:
    """Open a recording with one signal and its markers.

    Parameters
    ----------
    path : Path
        XDF, or anything that MNE reads.
    unit : str, optional
        Unit of the samples of XDF that does not say it, such as ``"uV"``.
    streams : sequence of str
        Which signals of XDF, by name or source_id; the only one if not given.
    trigger : str, optional
        The channel of XDF that holds triggers, whatever it says of it.

    Raises
    ------
    RecordingError
        If it cannot be read or has no signal.
    UnitError
        If it is XDF and does not say its unit, and `unit` neither.
    """
    if _is_xdf(path):
        return XdfSource(path, unit=unit, streams=streams, trigger=trigger)
    if streams:
        msg = f"{path} holds one signal: leave out --stream, which chooses streams of XDF"
        raise ConfigError(msg)
    return RecordingSource(path)


def open_playable(
    path: Path, *, name: str = "", start: float = 0.0, stop: float = math.inf
) -> Playable:
    """Open a recording with all its streams.

    Parameters
    ----------
    path : Path
        XDF, with the names that its streams had; or anything that MNE reads: a signal with the
        name of the file, and its annotations.
    name : str
        Another name for the signal; XDF keeps its own.
    start, stop : float
        Which part of it, in seconds since its first sample.

    Raises
    ------
    RecordingError
        If it cannot be read, or has no sample in that part.
    ConfigError
        If XDF is to have another name.
    """
    if _is_xdf(path):
        if name:
            msg = f"the streams of {path} keep the names they had: leave out --name"
            raise ConfigError(msg)
        return XdfPlayable(path, start=start, stop=stop)

    def source() -> RecordingSource:
        return RecordingSource(path, start=start, stop=stop)

    first = source()
    duration = first.n_times / first.spec.sfreq
    first.close()
    return SourcePlayable(first.spec, source, name or path.stem, duration)


def _is_xdf(path: Path) -> bool:
    return path.suffix.lower() in {".xdf", ".xdfz"} or path.name.lower().endswith(".xdf.gz")
