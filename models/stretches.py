"""Recordings cut into stretches of a continuous track, to tell which of them went on.

The track goes through the very band-pass and decimation that the brain signal goes through, so
that their delays cancel; then both are cut at the same samples. Stretches follow each other
without overlap.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from models.candidates import Candidates
from models.dataset import N_BLOCKS, Dataset, MakeChain, Progress, read_dataset
from models.heard import Heard, hear
from models.stimuli import Stimulus, StimulusTable
from models.track_encoder import track_shape
from models.tracks import ChannelTrack, Track
from streaming.chain import Chain, standard_chain
from streaming.errors import RecordingError
from streaming.signal import Chunk, Marker, SignalSpec, Window
from streaming.sources.opening import open_recording
from streaming.sources.source import Item, Source
from streaming.window import LockedWindows, Windower

__all__ = ["DURATIONS", "MarkedSource", "read_stretches", "recurring", "track_chain"]

if TYPE_CHECKING:
    import mne

logger = logging.getLogger(__name__)

DURATIONS = (5.0, 3.0, 2.0, 1.0)
"""Seconds of a stretch, unless it is given: the longest of which there are `_ENOUGH`. Longer
stretches are easier to tell apart."""

_ENOUGH = 60
_GRID = 1 / 16
"""Seconds from one stretch to the next that a live decoder chooses from: a quarter of a wave of
4 Hz, of which speech has most. With 0.25 s, stretches half a wave off were found as rarely as
by chance."""

_SAME = 0.98
"""Correlation from which two stretches are repeats of one."""

_SILENT = 0.05
"""Stretches that vary less, in multiples of the median, hold nothing to tell them by."""


def track_chain(spec: SignalSpec, info: mne.Info | None = None) -> Chain:
    """Return the chain for speech and the like: 0.5 to 8 Hz, where the brain follows loudness.

    Parameters
    ----------
    spec : SignalSpec
        Rate of the recording, and the channels to keep.
    info : mne.Info, optional
        Of a recording with these channels.
    """
    return standard_chain(
        spec.ch_names, spec.sfreq, low=0.5, high=8.0, ch_types=spec.ch_types, info=info
    )


class MarkedSource:
    """A recording with other markers than its own.

    Parameters
    ----------
    source : Source
        The recording.
    markers : sequence of Marker
        What comes in place of its markers; each before the chunk with its sample.
    """

    def __init__(self, source: Source, markers: Sequence[Marker]) -> None:
        self._source = source
        self._markers = deque(sorted(markers, key=lambda m: (m.segment, m.sample)))
        self._chunk: Chunk | None = None

    @property
    def spec(self) -> SignalSpec:
        """Rate and channels."""
        return self._source.spec

    @property
    def name(self) -> str:
        """Name of the recording."""
        return self._source.name

    @property
    def to_si(self) -> tuple[float, ...]:
        """What recorded samples are multiplied with."""
        return self._source.to_si

    def read(self, timeout: float) -> Item | None:
        """Return the next item, or None at the end."""
        while self._chunk is None:
            item = self._source.read(timeout)
            if isinstance(item, Chunk):
                self._chunk = item
            elif not isinstance(item, Marker):
                return item
        chunk = self._chunk
        end = (chunk.segment, chunk.first + chunk.n_times)
        if self._markers and (self._markers[0].segment, self._markers[0].sample) < end:
            return self._markers.popleft()
        self._chunk = None
        return chunk

    def close(self) -> None:
        """Close the source."""
        self._source.close()


def read_stretches(  # noqa: PLR0913 - what a fit asks for, each with a default
    recordings: Sequence[str | Path],
    tracks: Sequence[Track],
    make_chain: MakeChain,
    *,
    duration: float | None = None,
    onset: str = "",
    hop: float | None = None,
    picks: str = "eeg",
    drop: Sequence[str] = (),
    unit: str | None = None,
    progress: Progress | None = None,
) -> tuple[Dataset, Candidates, Candidates]:
    """Cut recordings into windows, and what went on into candidates.

    Parameters
    ----------
    recordings : sequence of path
        Files of the same participant and cap.
    tracks : sequence of Track
        One for each recording.
    make_chain : callable
        As for `models.dataset.read_dataset`.
    duration : float, optional
        Of a stretch, in seconds; see `DURATIONS`.
    onset : str
        Label of the marker at which a file began to play; the recording's first sample if not
        given. Each such marker begins the file anew.
    hop : float, optional
        If the track is to be decoded live, without markers.
    picks, drop, unit, progress
        As for `models.dataset.read_dataset`.

    Returns
    -------
    Dataset
        A window for each stretch, and 0.4 s more; blocks are contiguous and at least five.
    Candidates
        The stretches. One that recurs, as when a story is heard twice, is one candidate.
    Candidates
        What to choose from when live: the same, or with `hop` one for each sixteenth of a
        second, as a listener may have begun at any time.

    Raises
    ------
    RecordingError
        If there are too few stretches, or the track never varies.
    """
    paths = [Path(recording) for recording in recordings]
    channels = {name for t in tracks if isinstance(t, ChannelTrack) for name in t.ch_names}
    source = open_recording(paths[0], unit=unit)
    spec = source.spec
    source.close()
    of_kind = {"eeg": {"eeg"}, "meg": {"mag", "grad"}}.get(picks, set())
    kinds = dict(zip(spec.ch_names, spec.ch_types, strict=True))
    drop = [*drop, *(name for name in channels if kinds.get(name) in of_kind)]
    if not (names := tuple(n for n in spec.ch_names if kinds[n] in of_kind and n not in drop)):
        msg = f"{paths[0]} has no {picks} channel beside the track; pick another type"
        raise RecordingError(msg)
    kept = SignalSpec(spec.sfreq, names, tuple(kinds[name] for name in names))
    chain = make_chain(kept, None)
    sfreq = chain.prepare(spec).sfreq
    heard = []
    for path, track in zip(paths, tracks, strict=True):
        source = open_recording(path, unit=unit)
        heard.append(hear(path, source, track, chain, onset))
        if isinstance(track, ChannelTrack) and len(paths) > 1:
            heard[-1].prefix = f"{path.stem} "
        source.close()
    seconds = sum(one.seconds for one in heard)
    duration = duration or next((d for d in DURATIONS if seconds / d >= _ENOUGH), DURATIONS[-1])
    shape = track_shape(sfreq, duration)
    length = shape.n_bins * shape.step / sfreq
    markers, stretches = _cut_all(heard, length, length)
    if len(stretches) < N_BLOCKS:
        msg = (
            f"{paths[0]} gives {len(stretches)} stretches of {duration:g} s of track; record "
            "longer, or check the channel, the file or the label of its onset"
        )
        raise RecordingError(msg)
    vectors = _vectors(stretches, shape.step)
    same = _repeats(vectors)
    distinct = {label: vectors[label] for label in same.values()}
    candidates = _candidates(distinct, tracks[0].name)
    table = StimulusTable(
        Stimulus(marker, "stimulus", candidate_id=name, text=name, stim_file=name)
        for marker, name in same.items()
    )
    dataset = read_dataset(
        paths,
        LockedWindows(0.0, shape.n_times / sfreq),
        table,
        make_chain,
        picks=picks,
        drop=drop,
        unit=unit,
        wrap=lambda n, source: MarkedSource(source, [m for m in markers[n] if m.label in same]),
        progress=progress,
    )
    if hop is None:
        return replace(dataset, groups=_blocks(dataset)), candidates, candidates
    _, dense = _cut_all(heard, length, _GRID)
    live = _candidates(_vectors(dense, shape.step), tracks[0].name)
    return replace(dataset, groups=_blocks(dataset)), candidates, live


def recurring(vectors: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return which stretches are repeats of any of the others.

    Parameters
    ----------
    vectors, others : array of shape (n, n_dims) and (n_others, n_dims)
        As the vectors of candidates.
    """
    unit, known = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (vectors, others))
    parts = (unit[n : n + 512] for n in range(0, len(unit), 512))  # all at once: gigabytes
    return np.concatenate([(part @ known.T > _SAME).any(axis=1) for part in parts])


def _cut_all(
    heard: Sequence[Heard], duration: float, every: float
) -> tuple[list[list[Marker]], dict[str, NDArray[np.float32]]]:
    """Return the markers of each recording, and the stretches of all."""
    markers: list[list[Marker]] = []
    stretches: dict[str, NDArray[np.float32]] = {}
    for one in heard:
        placed, found = _cut(one, duration, every)
        markers.append(placed)
        stretches.update(found)
    return markers, stretches


def _cut(
    heard: Heard, duration: float, every: float
) -> tuple[list[Marker], dict[str, NDArray[np.float32]]]:
    """Return a marker for each stretch of a recording, and its samples by the marker's label.

    Parameters
    ----------
    heard : Heard
        The track.
    duration : float
        Of a stretch, in seconds.
    every : float
        From the start of one to the start of the next, in seconds.
    """
    markers = []
    for play in heard.plays:
        room = (play.stop - play.start) / heard.spec.sfreq - duration
        for n in range(int(room / every + 1) if room >= 0 else 0):
            sample = play.start + heard.spec.to_samples(n * every)
            t = play.t + n * every
            label = f"{heard.prefix}{t:.2f}-{t + duration:.2f} s"
            markers.append(Marker(label, sample / heard.spec.sfreq, play.segment, sample))
    markers.sort(key=lambda marker: (marker.segment, marker.sample))
    windower = Windower(LockedWindows(0.0, duration), heard.spec, heard.spec_out, 0.0)
    waiting, stretches = deque(markers), {}
    for chunk, stop in heard.chunks:
        decided = []
        while waiting and (waiting[0].segment, waiting[0].sample) < (chunk.segment, stop):
            decided += windower.mark(waiting.popleft())
        for window in [*decided, *windower.feed(chunk)]:
            if isinstance(window, Window) and window.marker:
                stretches[window.marker.label] = window.chunk.data
    return markers, stretches


def _vectors(
    stretches: dict[str, NDArray[np.float32]], step: int
) -> dict[str, NDArray[np.float32]]:
    """Return the vector of each stretch in which anything happens, by its label.

    Parameters
    ----------
    stretches : dict of str to array of shape (n_features, n_times)
        What went on.
    step : int
        Samples in a bin.

    Returns
    -------
    dict of str to array of shape (n_features * n_bins,)
        Bins, of variance 1 over all stretches and without the mean of the stretch.
    """
    whole = np.stack(list(stretches.values())).astype(np.float64)
    n, n_features, n_times = whole.shape
    binned = whole[..., : n_times // step * step].reshape(n, n_features, -1, step).mean(-1)
    binned -= binned.mean(axis=-1, keepdims=True)
    scale = binned.std(axis=(0, 2), keepdims=True)
    flat = (binned / np.where(scale > 0, scale, 1.0)).reshape(n, -1).astype(np.float32)
    lengths = np.linalg.norm(flat, axis=1)
    rows = zip(stretches, flat, lengths > _SILENT * np.median(lengths), strict=True)
    return {label: row for label, row, loud in rows if loud}


def _repeats(vectors: dict[str, NDArray[np.float32]]) -> dict[str, str]:
    """Return the first stretch that is like each: itself, unless it is a repeat."""
    labels = list(vectors)
    unit = np.stack(list(vectors.values()))
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    parts = (unit[n : n + 512] for n in range(0, len(unit), 512))  # all at once: gigabytes
    first = np.concatenate([(part @ unit.T > _SAME).argmax(axis=1) for part in parts])
    first = first[first]  # the like of one that is like another
    return {label: labels[index] for label, index in zip(labels, first, strict=True)}


def _candidates(vectors: dict[str, NDArray[np.float32]], name: str) -> Candidates:
    """Return stretches as candidates."""
    ids = tuple(vectors)
    return Candidates(
        ids=ids,
        texts=ids,
        glyphs=("",) * len(ids),
        trained=(True,) * len(ids),
        vectors=np.stack(list(vectors.values())),
        space=f"track:{name}",
    )


def _blocks(dataset: Dataset) -> NDArray[np.intp]:
    """Return contiguous blocks of recordings, at least `N_BLOCKS` in all."""
    files = np.unique(dataset.files)
    n_blocks = -(-N_BLOCKS // len(files))
    groups = np.zeros(len(dataset), np.intp)
    for n, file in enumerate(files):
        here = np.flatnonzero(dataset.files == file)
        groups[here] = n * n_blocks + np.arange(len(here)) * n_blocks // len(here)
    return groups
