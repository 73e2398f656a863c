"""From recordings to the windows that an encoder is fitted to.

Samples go through the very same chain and windower as live, one recording after the other;
nothing looks ahead, and nothing is computed over a whole file but which channels are dead.
"""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from models.stimuli import Stimulus, StimulusTable
from streaming.chain import Chain
from streaming.errors import RecordingError
from streaming.signal import Chunk, Marker, SignalSpec, Window
from streaming.sources.opening import open_recording
from streaming.sources.source import Source
from streaming.timing import TimedSource, Timing
from streaming.window import LockedWindows, Windower

if TYPE_CHECKING:
    import mne

__all__ = ["Dataset", "MakeChain", "Progress", "find_dead_channels", "read_dataset"]

logger = logging.getLogger(__name__)

MakeChain = Callable[[SignalSpec, "mne.Info"], Chain]
"""What makes the chain for the channels that are kept, and what the first file says of them."""

Progress = Callable[[float], None]
"""What is told which share of the work is done, from 0 to 1."""

N_BLOCKS = 5
"""Contiguous blocks that a single run is cut into, where there is nothing else to split by."""

_PICKS = {"eeg": ("eeg",), "meg": ("mag", "grad")}


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Windows with what was shown in each, ready to be fitted to.

    Parameters
    ----------
    windows : array of shape (n, n_channels, n_times)
        The chain's output around each stimulus.
    ids : tuple of str
        The candidate shown in each.
    stim_files : tuple of str
        The file shown in each; empty where unknown.
    files, groups : array of shape (n,)
        Which recording, and which run (or block, where there is a single run), each is from.
    t : array of shape (n,)
        Start of each window within its recording, in seconds.
    spec : SignalSpec
        Rate and channels of the recordings that the chain picks from.
    spec_out : SignalSpec
        Of the windows.
    transforms : list of dict
        The chain, as plain data.
    settling, delay : float
        Its settling time and its group delay at 10 Hz, in seconds.
    windowing : LockedWindows
        How the windows were cut.
    table : StimulusTable
        What the markers meant.
    dropped : dict of str to str
        Channels that were left out, and why.
    withheld : dict of str to int
        How many windows could not be made, by reason.
    hashes : tuple of str
        SHA-256 of the windows of each recording.
    """

    windows: NDArray[np.float32]
    ids: tuple[str, ...]
    stim_files: tuple[str, ...]
    files: NDArray[np.intp]
    groups: NDArray[np.intp]
    t: NDArray[np.float64]
    spec: SignalSpec
    spec_out: SignalSpec
    transforms: list[dict[str, Any]]
    settling: float
    delay: float
    windowing: LockedWindows
    table: StimulusTable
    dropped: dict[str, str]
    withheld: dict[str, int]
    hashes: tuple[str, ...]

    def __len__(self) -> int:
        """Return the number of windows."""
        return len(self.windows)

    def window(self, index: int) -> Window:
        """Return one as an encoder takes it; without its marker, which no encoder reads."""
        return Window(Chunk(self.windows[index], self.spec_out), f"locked/{index}")


def read_dataset(  # noqa: PLR0913 - what a fit asks for, each with a default
    recordings: Sequence[str | Path],
    windowing: LockedWindows,
    table: StimulusTable,
    make_chain: MakeChain,
    *,
    picks: str = "eeg",
    drop: Sequence[str] = (),
    timing: Timing | None = None,
    unit: str | None = None,
    wrap: Callable[[int, Source], Source] | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """Cut recordings into the windows that a model would have seen live.

    Parameters
    ----------
    recordings : sequence of path
        Files of the same participant and cap, in the order in which they were made. Each is
        a run of its own; ``run_start`` markers divide it further.
    windowing : LockedWindows
        Where the windows lie around each stimulus.
    table : StimulusTable
        What the recordings' annotations mean.
    make_chain : callable
        Given the spec of the channels that are kept and the first recording's measurement
        info, returns the chain for them.
    picks : str
        ``"eeg"`` or ``"meg"``.
    drop : sequence of str
        Channels to leave out, besides those that are flat or copies of another.
    timing : Timing, optional
        What is applied to the markers.
    unit : str, optional
        Unit of the samples of XDF that does not say it, such as ``"uV"``.
    wrap : callable, optional
        Given the number of a recording and its source, returns what is read in its place: the
        same samples with other markers.
    progress : callable, optional
        Told the share that is done.

    Raises
    ------
    RecordingError
        If the recordings do not fit together, or lack the events.
    """
    if not recordings:
        msg = "no recording was named; name at least one file"
        raise RecordingError(msg)
    tell = progress or (lambda _: None)
    paths = [Path(recording) for recording in recordings]
    specs = [_picked(path, picks, drop, unit) for path in paths]
    for path, spec in zip(paths[1:], specs[1:], strict=True):
        _check_alike(paths[0], specs[0], path, spec)
    dropped = dict.fromkeys(drop, "named by the user")
    infos: list[mne.Info] = []
    for n, path in enumerate(paths):
        source = open_recording(path, unit=unit)
        infos.append(source.info)
        dropped.update(find_dead_channels(source, specs[n].ch_names))
        source.close()
        tell(0.3 * (n + 1) / len(paths))
    for name, why in dropped.items():
        logger.warning("channel %s is left out: %s", name, why)
    spec = _without(specs[0], dropped)
    if not spec.ch_names:
        msg = f"{paths[0]}: every {picks} channel is flat or left out; check the recording"
        raise RecordingError(msg)
    chain = make_chain(spec, infos[0])
    parts = []
    for n, path in enumerate(paths):
        source = open_recording(path, unit=unit)
        timed: Source = TimedSource(source, timing) if timing else source
        parts.append(_collect(path, wrap(n, timed) if wrap else timed, chain, windowing, table))
        source.close()
        tell(0.3 + 0.7 * (n + 1) / len(paths))
    return _join(parts, spec, chain, windowing, table, dropped)


def find_dead_channels(source: Source, ch_names: Sequence[str]) -> dict[str, str]:
    """Find channels that carry nothing of their own, and say why.

    Parameters
    ----------
    source : Source
        Is read to its end.
    ch_names : sequence of str
        Channels to look at.

    Returns
    -------
    dict of str to str
        Name and reason of each that is flat, or a copy of one before it.
    """
    rows = [source.spec.ch_names.index(name) for name in ch_names]
    kinds = [source.spec.ch_types[row] for row in rows]
    low, high = np.full(len(rows), np.nan), np.full(len(rows), np.nan)
    digests = [hashlib.sha256() for _ in rows]
    while (item := source.read(0.0)) is not None:
        if isinstance(item, Chunk) and item.n_times:
            data = item.data[rows]
            low = np.fmin(low, np.fmin.reduce(data, axis=1))
            high = np.fmax(high, np.fmax.reduce(data, axis=1))
            for digest, samples in zip(digests, data, strict=True):
                digest.update(samples.tobytes())
    reach = np.nan_to_num(high - low)
    typical = {kind: np.median(reach[[k == kind for k in kinds]]) for kind in set(kinds)}
    dead: dict[str, str] = {}
    first: dict[bytes, str] = {}
    for name, kind, span, digest in zip(ch_names, kinds, reach, digests, strict=True):
        if span <= 1e-6 * typical[kind]:
            dead[name] = "it is flat"
        elif first.setdefault(digest.digest(), name) != name:
            dead[name] = f"it is a copy of {first[digest.digest()]}"
    return dead


@dataclass(slots=True)
class _Part:
    """What one recording gave."""

    path: Path
    spec_out: SignalSpec
    windows: list[Window] = field(default_factory=list)
    stimuli: list[Stimulus] = field(default_factory=list)
    runs: list[int] = field(default_factory=list)
    withheld: Counter[str] = field(default_factory=Counter)


def _collect(
    path: Path,
    source: Source,
    chain: Chain,
    windowing: LockedWindows,
    table: StimulusTable,
) -> _Part:
    """Run one recording through the chain, from its start to its end."""
    part = _Part(path, chain.prepare(source.spec))
    windower = Windower(windowing, source.spec, part.spec_out, chain.settling)
    labels: Counter[str] = Counter()
    starts: list[float] = []
    run_of: dict[Marker, int] = {}
    paused = False
    while (item := source.read(0.0)) is not None:
        decided = []
        if isinstance(item, Chunk):
            decided = windower.feed(chain(item))
        elif isinstance(item, Marker):
            labels[item.label] += 1
            stimulus = table.find(item.label)
            role = stimulus.role if stimulus else "unknown"
            paused = role == "pause" or (paused and role != "resume")
            if role == "run_start":
                starts.append(item.t)
            elif role == "stimulus" and not paused:
                run_of[item] = len(starts)
                decided = windower.mark(item)
        for window in decided:
            stimulus = table.find(window.marker.label) if window.marker else None
            if not isinstance(window, Window):
                part.withheld[window.reason] += 1
            elif stimulus and window.marker:
                part.windows.append(window)
                part.stimuli.append(stimulus)
                part.runs.append(run_of[window.marker])
    if not run_of:
        _refuse_without_events(path, labels, table)
    return part


def _join(
    parts: Sequence[_Part],
    spec: SignalSpec,
    chain: Chain,
    windowing: LockedWindows,
    table: StimulusTable,
    dropped: dict[str, str],
) -> Dataset:
    """Put the recordings together and say what to split by."""
    withheld = dict(sum((part.withheld for part in parts), Counter()))
    n_windows = sum(len(part.windows) for part in parts)
    if n_windows == 0:
        why = ", ".join(f"{n} {reason}" for reason, n in withheld.items()) or "cut off"
        msg = (
            f"{parts[0].path} gives no window of {windowing.tmin} to {windowing.tmax} s "
            f"({why}); record at least {chain.settling:.1f} s before the first event"
        )
        raise RecordingError(msg)
    stimuli = [stimulus for part in parts for stimulus in part.stimuli]
    runs = [(n, run) for n, part in enumerate(parts) for run in part.runs]
    groups = np.unique(runs, axis=0, return_inverse=True)[1].reshape(-1)
    if groups.max() == 0:
        groups = np.arange(n_windows) * N_BLOCKS // n_windows
    hashes = []
    for part in parts:
        digest = hashlib.sha256()
        for window, stimulus in zip(part.windows, part.stimuli, strict=True):
            digest.update(window.chunk.data.tobytes() + stimulus.candidate_id.encode() + b"\0")
        hashes.append(digest.hexdigest())
    return Dataset(
        windows=np.stack([w.chunk.data for part in parts for w in part.windows]),
        ids=tuple(stimulus.candidate_id for stimulus in stimuli),
        stim_files=tuple(stimulus.stim_file for stimulus in stimuli),
        files=np.array([n for n, _ in runs]),
        groups=groups,
        t=np.array([w.chunk.t0 for part in parts for w in part.windows]),
        spec=spec,
        spec_out=parts[0].spec_out,
        transforms=chain.to_json(),
        settling=chain.settling,
        delay=chain.delay,
        windowing=windowing,
        table=table,
        dropped=dropped,
        withheld=withheld,
        hashes=tuple(hashes),
    )


def _picked(path: Path, picks: str, drop: Sequence[str], unit: str | None) -> SignalSpec:
    """Return the spec of a recording's channels of one type, without those to leave out."""
    source = open_recording(path, unit=unit)
    spec = source.spec
    source.close()
    if picks not in _PICKS:
        msg = f"picks={picks!r} is unknown; use eeg or meg"
        raise RecordingError(msg)
    for name in drop:
        if name not in spec.ch_names:
            there = ", ".join(spec.ch_names[:20])
            msg = f"{path} has no channel {name!r} to drop; its channels are {there}"
            raise RecordingError(msg)
    others = [
        name
        for name, kind in zip(spec.ch_names, spec.ch_types, strict=True)
        if kind not in _PICKS[picks]
    ]
    if len(others) == len(spec.ch_names):
        kinds = ", ".join(sorted(set(spec.ch_types)))
        msg = f"{path} has no {picks} channel, its channels are of type {kinds}; pick another"
        raise RecordingError(msg)
    return _without(spec, [*others, *drop])


def _without(spec: SignalSpec, names: Sequence[str] | dict[str, str]) -> SignalSpec:
    """Return `spec` without some of its channels."""
    pairs = zip(spec.ch_names, spec.ch_types, strict=True)
    kept = [(name, kind) for name, kind in pairs if name not in names]
    return SignalSpec(spec.sfreq, tuple(n for n, _ in kept), tuple(k for _, k in kept))


def _check_alike(path: Path, spec: SignalSpec, other: Path, found: SignalSpec) -> None:
    """Refuse recordings that do not have the same rate and channels."""
    if found.sfreq != spec.sfreq:
        msg = (
            f"{other} is sampled at {found.sfreq:g} Hz but {path} at {spec.sfreq:g} Hz; "
            "fit them apart, or resample one"
        )
        raise RecordingError(msg)
    missing = sorted(set(spec.ch_names) - set(found.ch_names))
    extra = sorted(set(found.ch_names) - set(spec.ch_names))
    if missing or extra:
        msg = (
            f"{other} and {path} differ in their channels: only the first has "
            f"{', '.join(extra) or 'none'}, only the second {', '.join(missing) or 'none'}; "
            "drop those"
        )
        raise RecordingError(msg)


def _refuse_without_events(path: Path, labels: Counter[str], table: StimulusTable) -> None:
    """Say which events there are instead of those that are wanted."""
    wanted = [row.marker for row in table.rows if row.role == "stimulus"]
    some = ", ".join(wanted[:8]) + (", ..." if len(wanted) > 8 else "")
    there = ", ".join(f"{label} ({n})" for label, n in labels.most_common(12)) or "none"
    msg = f"{path} has none of the events {some}; its events are: {there}"
    raise RecordingError(msg)
