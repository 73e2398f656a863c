"""A recording as a source."""

from __future__ import annotations

import math
import re
from collections import deque
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from streaming.errors import RecordingError
from streaming.outlet import marker_xml, signal_xml
from streaming.signal import Bad, Chunk, Gap, Marker, SignalSpec, SourceState
from streaming.sources.files import UNREADABLE, unreadable
from streaming.sources.raw_file import SIGNAL_TYPES, open_raw
from streaming.sources.source import Item, RawSamples, StreamHeader, Tap

if TYPE_CHECKING:
    import mne

__all__ = ["RecordingSource"]

_BLOCK = 1.0
"""Seconds read at once: a call to MNE costs 1 ms, so much shorter chunks would be slow."""

_BOUNDARIES = {"BAD boundary", "EDGE boundary", "BAD_ACQ_SKIP"}
"""Annotations with which MNE says that the samples on both sides are not neighbours."""

_NO_MARKER = re.compile(r"(BAD|EDGE)(?![a-z])", re.IGNORECASE)
"""Not a badger: the word ends there."""


class RecordingSource:
    """A recording that MNE reads, as fast as it is asked for.

    Annotations are its markers: the label is the description and the sample is the nearest to
    the onset. Annotations that begin with the word ``BAD`` or ``EDGE`` mark bad data by MNE's
    convention and are no markers; where they say that data are missing (``BAD boundary``,
    ``EDGE boundary``, ``BAD_ACQ_SKIP``) the segment ends, and no window over others is used.
    A marker comes before the chunk with its sample. Instants count from the first sample, in
    seconds; in discontinuous EDF+ and BDF+ every break ends a segment, and takes no time. In a
    BIDS dataset the annotations are those of ``events.tsv``.

    Parameters
    ----------
    path : path
        The file, or the folder for formats that are folders.
    tap : callable, optional
        Where everything goes that is read (a recorder).
    start, stop : float
        Which part of it, in seconds since its first sample.

    Raises
    ------
    RecordingError
        If there is no such file, it cannot be read, or it holds no signal.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        tap: Tap | None = None,
        start: float = 0.0,
        stop: float = math.inf,
    ) -> None:
        self._path = Path(path)
        self._raw = _cropped(open_raw(self._path), self._path, start, stop)
        self._spec = _spec_of(self._raw, self._path)
        self._tap = tap
        stretches, self._markers = _timeline(self._raw)
        self._bad = _bad_spans(self._raw)
        if not stretches:
            msg = f"{self._path} has no samples outside BAD_ACQ_SKIP: record it again"
            raise RecordingError(msg)
        self._blocks = _blocks(stretches, self._spec.to_samples(_BLOCK))
        self._starts = [start for start, _ in stretches]
        self._lost = [b[0] - a[1] for a, b in pairwise(stretches)]
        self._segment = 0
        self._ended = False
        if tap is not None:
            tap(StreamHeader(1, signal_xml(self._spec, self._path.name)))
            tap(StreamHeader(2, marker_xml(f"{self._path.name} markers")))

    @property
    def name(self) -> str:
        """Name of the file."""
        return self._path.name

    @property
    def spec(self) -> SignalSpec:
        """Rate and channels of the recording."""
        return self._spec

    @property
    def session(self) -> str:
        """No file that MNE reads says which session of ours it is of."""
        return ""

    @property
    def to_si(self) -> tuple[float, ...]:
        """Samples are in SI units already."""
        return (1.0,) * len(self._spec.ch_names)

    @property
    def n_times(self) -> int:
        """Number of samples in the file."""
        return int(self._raw.n_times)

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of the markers that are still to come, in order."""
        return tuple(marker.label for marker in self._markers)

    def read(self, timeout: float = 0.0) -> Item | None:  # noqa: ARG002 - a file never waits
        """Return the next item; None after the ``"ended"`` that ends every recording."""
        if not self._blocks:
            return self._marker() if self._markers else self._end()
        segment, start, stop = self._blocks[0]
        if segment > self._segment:
            self._segment = segment
            t, lost = self._starts[segment], self._lost[segment - 1]
            sfreq = self._spec.sfreq
            return Gap((t - lost) / sfreq, lost / sfreq, "lost")
        if self._markers and self._sample_of(self._markers[0]) < stop:
            return self._marker()
        self._blocks.popleft()
        return self._chunk(start, stop)

    @property
    def info(self) -> mne.Info:
        """What the file says about its channels: positions, projectors, compensation."""
        return self._raw.info

    def close(self) -> None:
        """Close the file."""
        self._raw.close()

    def _sample_of(self, marker: Marker) -> int:
        return self._starts[marker.segment] + marker.sample

    def _marker(self) -> Marker:
        marker = self._markers.popleft()
        if self._tap is not None:
            self._tap(RawSamples(2, np.array([marker.t]), [marker.label]))
        return marker

    def _chunk(self, start: int, stop: int) -> Chunk:
        try:
            data = self._raw[:, start:stop][0].astype(np.float32)
        except UNREADABLE as error:
            raise unreadable(self._path, error) from error
        begin, sfreq = self._starts[self._segment], self._spec.sfreq
        bad = self._bad_between(start, stop)
        chunk = Chunk(data, self._spec, self._segment, start - begin, begin / sfreq, bad)
        if self._tap is not None:
            self._tap(RawSamples(1, np.arange(start, stop) / sfreq, data.T.copy()))
        return chunk

    def _bad_between(self, start: int, stop: int) -> NDArray[np.uint8] | None:
        bad = np.zeros(stop - start, np.uint8)
        for first, last in self._bad:
            bad[max(first - start, 0) : max(last - start, 0)] = Bad.SAMPLES
        return bad if bad.any() else None

    def _end(self) -> SourceState | None:
        if self._ended:
            return None
        self._ended = True
        t = self.n_times / self._spec.sfreq
        return SourceState("ended", t, f"{self._path.name} is over after {t:.1f} s")


def _cropped(raw: mne.io.BaseRaw, path: Path, start: float, stop: float) -> mne.io.BaseRaw:
    sfreq, n_times = float(raw.info["sfreq"]), int(raw.n_times)
    first, last = round(start * sfreq), n_times
    if stop * sfreq < n_times:
        last = round(stop * sfreq)
    if not 0 <= first < last:
        msg = (
            f"{path} has no sample from {start:g} to {stop:g} s: it is "
            f"{n_times / sfreq:.1f} s long"
        )
        raise RecordingError(msg)
    if (first, last) != (0, n_times):
        # MNE would move the onset of what lasts into the part to its start
        at = raw.time_as_index(raw.annotations.onset - raw.first_time, use_rounding=True)
        outside = [
            n
            for n, label in enumerate(raw.annotations.description)
            if not (_NO_MARKER.match(label) or first <= at[n] < last)
        ]
        raw.annotations.delete(outside)
        raw.crop(first / sfreq, (last - 1) / sfreq)
    return raw


def _spec_of(raw: mne.io.BaseRaw, path: Path) -> SignalSpec:
    spec = SignalSpec.from_info(raw.info)
    if not SIGNAL_TYPES & set(spec.ch_types):
        msg = (
            f"{path} has no signal: its {len(spec.ch_names)} channels are of type "
            f"{', '.join(sorted(set(spec.ch_types)))}, and EEG or MEG is needed; set the "
            f"types with raw.set_channel_types and save it again"
        )
        raise RecordingError(msg)
    return spec


def _timeline(raw: mne.io.BaseRaw) -> tuple[list[tuple[int, int]], deque[Marker]]:
    """Return the unbroken stretches, as (start, stop) in samples, and the markers."""
    notes, sfreq, n_times = raw.annotations, float(raw.info["sfreq"]), int(raw.n_times)
    # In a raw object onsets count from sample 0 of the acquisition, of which a cropped file
    # does not hold the first `first_samp`, with a measurement date and without.
    at = raw.time_as_index(notes.onset - raw.first_time, use_rounding=True)
    order = np.argsort(at, kind="stable")
    stretches: list[tuple[int, int]] = []
    start = 0
    for n in order:
        if notes.description[n] in _BOUNDARIES:
            lost = round(notes.duration[n] * sfreq) if "SKIP" in notes.description[n] else 0
            stop = int(np.clip(at[n], start, n_times))
            if stop > start:
                stretches.append((start, stop))
            start = max(start, min(stop + lost, n_times))
    if start < n_times:
        stretches.append((start, n_times))
    markers: deque[Marker] = deque()
    for n in order:
        label, sample = str(notes.description[n]), int(at[n])
        if not _NO_MARKER.match(label):
            segment = sum(stop <= sample for _, stop in stretches[:-1])
            begin = stretches[segment][0] if stretches else 0
            markers.append(Marker(label, sample / sfreq, segment, sample - begin))
    return stretches, markers


def _bad_spans(raw: mne.io.BaseRaw) -> list[tuple[int, int]]:
    """Return what somebody marked as bad, as (start, stop) in samples."""
    notes, sfreq = raw.annotations, float(raw.info["sfreq"])
    starts = raw.time_as_index(notes.onset - raw.first_time, use_rounding=True)
    return [
        (int(start), int(start) + round(duration * sfreq))
        for start, duration, label in zip(
            starts, notes.duration, notes.description, strict=True
        )
        if label.upper().startswith("BAD") and _NO_MARKER.match(label) and duration > 0
    ]


def _blocks(stretches: list[tuple[int, int]], length: int) -> deque[tuple[int, int, int]]:
    """Return (segment, start, stop) of each chunk."""
    return deque(
        (segment, start, min(start + length, stop))
        for segment, (begin, stop) in enumerate(stretches)
        for start in range(begin, stop, max(length, 1))
    )
