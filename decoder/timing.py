"""Hold markers against the pulses of a photodiode, a TTL line or a trigger channel."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from decoder.folder import open_folder
from decoder.reading import read_inputs, signal_of
from streaming.errors import ConfigError, RecordingError, SessionError
from streaming.pulses import Level, find_level, find_pulses
from streaming.signal import Chunk, Marker, SignalSpec
from streaming.sources.opening import open_recording
from streaming.sources.source import Item
from streaming.timing import Trigger

__all__ = [
    "MAX_JITTER",
    "Held",
    "Measured",
    "collect",
    "match",
    "measure",
    "plot",
    "recorded",
]

MAX_JITTER = 0.005
"""Largest SD of the offset with which to go on, in seconds."""

MAX_OFFSET = 0.5
"""A pulse farther from its marker than this is not looked for, in seconds."""

REACH = 0.1
"""Pulses within this of the usual offset belong to their marker, in seconds."""

N_LEAST = 10
"""Pairs that make an SD."""


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """Markers, and the channel that says when stimuli were.

    Parameters
    ----------
    channel : str
        Its name.
    kind : str
        Its type, as MNE has it.
    sfreq : float
        Its rate, in Hz.
    x : tuple of array of shape (n_times,)
        Its samples, one array for each segment.
    t : tuple of array of shape (n_times,)
        Their instants, in seconds on the LSL clock.
    markers : array of shape (n_markers,)
        Instants of the markers, in order.
    """

    channel: str
    kind: str
    sfreq: float
    x: tuple[NDArray[np.float64], ...]
    t: tuple[NDArray[np.float64], ...]
    markers: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """How markers and pulses differ.

    Parameters
    ----------
    offset : float
        Median time from a marker to its pulse, in seconds.
    jitter : float
        SD of it, in seconds.
    t : array of shape (n_pairs,)
        Instants of the markers that have a pulse, in seconds on the LSL clock.
    differences : array of shape (n_pairs,)
        Time from each to its pulse, in seconds.
    n_missed : int
        Markers without a pulse.
    n_extra : int
        Pulses without a marker.
    level : Level
        What tells a pulse.
    trigger : Trigger or None
        How to find pulses live; None if the baseline wanders too much for that.
    """

    offset: float
    jitter: float
    t: NDArray[np.float64]
    differences: NDArray[np.float64]
    n_missed: int
    n_extra: int
    level: Level
    trigger: Trigger | None

    @property
    def good(self) -> bool:
        """Whether the jitter is small enough to go on."""
        return self.jitter <= MAX_JITTER

    def summary(self) -> dict[str, float]:
        """Return what a table shows, in the order of a reader's questions."""
        off = 1000 * np.abs(self.differences - self.offset)
        return {
            "offset_ms": round(1000 * self.offset, 3),
            "jitter_sd_ms": round(1000 * self.jitter, 3),
            "p95_from_median_ms": round(float(np.percentile(off, 95)), 3),
            "most_from_median_ms": round(float(off.max()), 3),
            "markers_with_a_pulse": len(self.t),
            "markers_without": self.n_missed,
            "pulses_without_a_marker": self.n_extra,
        }


def collect(
    items: Iterable[Item], spec: SignalSpec, channel: str, labels: Sequence[str] = ()
) -> Held:
    """Take a channel and the markers from what a source delivers.

    Parameters
    ----------
    items : iterable of Item
        To its end.
    spec : SignalSpec
        Of the source.
    channel : str
        The channel with the pulses.
    labels : sequence of str
        Markers that have a pulse; all if none is given.

    Raises
    ------
    ConfigError
        If there is no such channel.
    """
    if channel not in spec.ch_names:
        names = ", ".join(spec.ch_names[:20])
        found = f"there is no channel {channel!r}, only" if channel else "the channels are"
        msg = f"{found} {names}: name that of the photodiode or trigger with --channel"
        raise ConfigError(msg)
    row = spec.ch_names.index(channel)
    samples: dict[int, list[tuple[NDArray[np.float32], NDArray[np.float64]]]] = {}
    markers = []
    for item in items:
        if isinstance(item, Chunk) and item.n_times:
            t = item.t0 + np.arange(item.n_times) / spec.sfreq
            samples.setdefault(item.segment, []).append((item.data[row].copy(), t))
        elif isinstance(item, Marker) and (not labels or item.label in labels):
            markers.append(item.t)
    return Held(
        channel,
        spec.ch_types[row],
        spec.sfreq,
        tuple(np.concatenate([x for x, _ in s]).astype(float) for s in samples.values()),
        tuple(np.concatenate([t for _, t in s]) for s in samples.values()),
        np.sort(np.array(markers, float)),
    )


def recorded(path: Path) -> tuple[SignalSpec, Iterator[Item]]:
    """Open a session's folder, or a recording (XDF, or any that MNE reads).

    Returns
    -------
    spec : SignalSpec
        Of the signal.
    items : iterator of Item
        What it holds.

    Raises
    ------
    BraincastError
        If it cannot be read, or its markers were moved already.
    """
    if not (path / "manifest.json").exists():
        source = open_recording(path)
        return source.spec, iter(lambda: source.read(0.0), None)
    folder = open_folder(path)
    manifest = folder.manifest()
    if manifest["timing"]:
        msg = (
            f"the markers of {path} were moved by a timing file already; measure with a "
            f"session that was served without --timing"
        )
        raise SessionError(msg)
    inputs = (item for item, _ in read_inputs(folder))
    return signal_of(manifest), (item for item in inputs if isinstance(item, Item))


def measure(held: Held) -> Measured:
    """Find the pulses, and which marker each belongs to.

    Raises
    ------
    RecordingError
        If there are no markers, no pulses, or too few that belong together.
    """
    inside = [
        n for n in held.markers.tolist() if any(t[0] <= n <= t[-1] for t in held.t if len(t))
    ]
    markers = np.array(inside)
    if not len(markers):
        msg = (
            f"none of {len(held.markers)} markers lies within the signal: send markers while "
            f"it is recorded"
        )
        raise RecordingError(msg)
    parts = _of_one_height(held)
    x, t = np.concatenate(parts), np.concatenate(held.t)
    near = np.searchsorted(t, markers)
    level = find_level(x, held.sfreq, near, round(MAX_OFFSET * held.sfreq))
    if level is None:
        msg = (
            f"channel {held.channel} shows no pulses near the {len(markers)} markers: is the "
            f"sensor on the patch, and is it this channel?"
        )
        raise RecordingError(msg)
    pulses = np.concatenate(
        [
            np.interp(find_pulses(part, held.sfreq, level.height), np.arange(len(part)), at)
            for part, at in zip(parts, held.t, strict=True)
        ]
    )
    pairs = match(markers, pulses)
    if len(pairs) < N_LEAST:
        msg = (
            f"{len(pairs)} of {len(markers)} markers and {len(pulses)} pulses on channel "
            f"{held.channel} belong together, at least {N_LEAST} are needed: record longer"
        )
        raise RecordingError(msg)
    differences = pulses[pairs[:, 1]] - markers[pairs[:, 0]]
    trigger = Trigger(held.channel, level.threshold, level.height > 0)
    return Measured(
        offset=float(np.median(differences)),
        jitter=float(np.std(differences, ddof=1)),
        t=markers[pairs[:, 0]],
        differences=differences,
        n_missed=len(markers) - len(pairs),
        n_extra=len(pulses) - len(pairs),
        level=level,
        trigger=trigger if level.steady else None,
    )


def match(markers: NDArray[np.float64], pulses: NDArray[np.float64]) -> NDArray[np.intp]:
    """Say which pulse belongs to which marker.

    The usual offset is where most differences within 0.5 s lie together; of several such
    places, as with stimuli at a steady pace, the one nearest to zero. A pulse within 0.1 s of
    it is the marker's, the nearest if there are more.

    Parameters
    ----------
    markers : array of shape (n_markers,)
        Instants, in seconds, in order.
    pulses : array of shape (n_pulses,)
        Likewise.

    Returns
    -------
    pairs : array of shape (n_pairs, 2)
        Indices of a marker and of its pulse; each occurs once.
    """
    offset = _usual(markers, pulses)
    if offset is None:
        return np.empty((0, 2), np.intp)
    taken: dict[int, tuple[float, int]] = {}
    for n, t in enumerate((markers + offset).tolist()):
        for m in range(*np.searchsorted(pulses, [t - REACH, t + REACH]).tolist()):
            distance = abs(float(pulses[m]) - t)
            if m not in taken or distance < taken[m][0]:
                taken[m] = (distance, n)
    best: dict[int, tuple[float, int]] = {}
    for m, (distance, n) in taken.items():
        if n not in best or distance < best[n][0]:
            best[n] = (distance, m)
    return np.array(sorted((n, m) for n, (_, m) in best.items()), np.intp).reshape(-1, 2)


def _usual(markers: NDArray[np.float64], pulses: NDArray[np.float64]) -> float | None:
    near = [
        pulses[slice(*np.searchsorted(pulses, [t - MAX_OFFSET, t + MAX_OFFSET]))] - t
        for t in markers
    ]
    differences = np.sort(np.concatenate(near)) if near else np.empty(0)
    if not len(differences):
        return None
    ends = np.searchsorted(differences, differences + REACH, side="right")
    counts = ends - np.arange(len(differences))
    centres = np.array([np.median(differences[n:end]) for n, end in enumerate(ends.tolist())])
    common = counts >= 0.9 * counts.max()
    return float(centres[common][np.argmin(np.abs(centres[common]))])


def plot(held: Held, measured: Measured, path: Path) -> None:
    """Draw what was measured: the pulses from their markers on, and each offset.

    Raises
    ------
    ConfigError
        If it cannot be written.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    x, t = np.concatenate(held.x), np.concatenate(held.t)
    before, after = round(0.1 * held.sfreq), round((measured.offset + 0.3) * held.sfreq)
    for marker in measured.t[:200]:
        n = int(np.searchsorted(t, marker))
        part = slice(max(0, n - before), n + max(after, before))
        left.plot(1000 * (t[part] - marker), x[part], color="C0", alpha=0.2, lw=0.7)
    left.axvline(0, color="0.5", lw=1)
    left.axvline(1000 * measured.offset, color="C3", lw=1)
    left.set(xlabel="time from marker [ms]", title=f"channel {held.channel}")
    right.plot(measured.t - measured.t[0], 1000 * measured.differences, ".", color="C0")
    right.axhline(1000 * measured.offset, color="C3", lw=1)
    right.set(
        xlabel="time in recording [s]",
        ylabel="from marker to pulse [ms]",
        title=f"offset {1000 * measured.offset:.2f} ms, SD {1000 * measured.jitter:.2f} ms",
    )
    try:
        figure.savefig(path, dpi=120)
    except OSError as error:
        msg = f"cannot write {path} ({error.strerror}); name another file with --output"
        raise ConfigError(msg) from error


def _of_one_height(held: Held) -> tuple[NDArray[np.float64], ...]:
    """Make the pulses of a trigger channel, which sends numbers, as high as the smallest."""
    x = np.concatenate(held.x)
    off = x - np.median(x)
    if held.kind != "stim" or not off.any():
        return held.x
    least = np.abs(off[off != 0]).min()
    rest = float(np.median(x))
    return tuple(rest + np.clip(part - rest, -least, least) for part in held.x)
