"""A continuous track as it leaves the filters of the brain signal that it went with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.tracks import FileTrack, Track
from streaming.chain import Chain
from streaming.errors import RecordingError
from streaming.signal import Chunk, Marker, SignalSpec
from streaming.sources.source import Source

__all__ = ["Heard", "Play", "hear"]

_FILTERS = {"notch", "bandpass", "decimate", "resample"}


@dataclass(frozen=True, slots=True)
class Play:
    """Where a track went on without a break.

    Parameters
    ----------
    segment, start, stop : int
        The segment, its first raw sample, and the one after its last.
    t : float
        What time it was at the first, in seconds of the track.
    """

    segment: int
    start: int
    stop: int
    t: float


@dataclass(slots=True)
class Heard:
    """The track of one recording, as it leaves the filters."""

    prefix: str
    """Of each label, so that recordings with a channel of the same name differ."""
    spec: SignalSpec
    spec_out: SignalSpec
    chunks: list[tuple[Chunk, int]]
    """With the raw sample at which each ends."""
    plays: list[Play]

    @property
    def seconds(self) -> float:
        """How long it went on."""
        return sum(play.stop - play.start for play in self.plays) / self.spec.sfreq


def hear(path: Path, source: Source, track: Track, chain: Chain, onset: str) -> Heard:
    """Take the track of a recording through the filters of a chain, so that delays cancel.

    Parameters
    ----------
    path : Path
        The recording, for messages.
    source : Source
        Is read to its end.
    track : Track
        What went on.
    chain : Chain
        Prepared; of its steps, those that filter in time are taken.
    onset : str
        Label of the marker at which a file begins to play; empty for the first sample.

    Raises
    ------
    RecordingError
        If there is no such marker, or the track is flat.
    """
    names = tuple(f"{track.name} {n}" for n in range(track.n_features))
    spec = SignalSpec(source.spec.sfreq, names)
    filters = Chain.from_json([s for s in chain.to_json() if s["transform"] in _FILTERS])
    spec_out = filters.prepare(spec)
    onsets: list[Marker] = []
    chunks: list[tuple[Chunk, int]] = []
    segments: dict[int, Chunk] = {}
    ends: dict[int, int] = {}
    t_first: float | None = None
    low, high = np.inf, -np.inf
    while (item := source.read(0.0)) is not None:
        if isinstance(item, Marker) and onset and item.label == onset:
            onsets.append(item)
        if not isinstance(item, Chunk) or not item.n_times:
            continue
        t_first = item.t0 if t_first is None else t_first
        segments.setdefault(item.segment, item)
        ends[item.segment] = item.first + item.n_times
        began = [marker.t for marker in onsets] if onset else [t_first]
        values = track.during(item, began or [np.inf])
        low, high = min(low, values.min()), max(high, values.max())
        chunk = Chunk(values, spec, item.segment, item.first, item.t_anchor)
        chunks.append((filters(chunk), ends[item.segment]))
    if onset and not onsets:
        msg = f"{path} has no marker {onset!r} at which the track begins; check --track-onset"
        raise RecordingError(msg)
    if not high - low > 1e-6 * abs(high):
        msg = f"{path}: the track {track.name} is flat; name another channel or file"
        raise RecordingError(msg)
    length = track.duration if isinstance(track, FileTrack) else np.inf
    plays = []
    if onset:
        for n, marker in enumerate(onsets):
            following = onsets[n + 1] if n + 1 < len(onsets) else None
            stop = ends.get(marker.segment, marker.sample)
            if following and following.segment == marker.segment:
                stop = min(stop, following.sample)
            stop = min(stop, marker.sample + round(min(length, 1e6) * spec.sfreq))
            plays.append(Play(marker.segment, marker.sample, stop, 0.0))
    else:
        for segment, chunk in segments.items():
            start = chunk.first + spec.to_samples(chain.settling)
            t = chunk.t_anchor + start / spec.sfreq - (t_first or 0.0)
            stop = min(ends[segment], start + round(min(length - t, 1e6) * spec.sfreq))
            plays.append(Play(segment, start, stop, t))
    prefix = f"{track.name} " if isinstance(track, FileTrack) else ""
    return Heard(prefix, spec, spec_out, chunks, [p for p in plays if p.stop > p.start])
