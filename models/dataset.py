"""From recordings to the windows that an encoder is fitted to.

Samples go through the very same chain and windower as live, one recording after the other;
nothing looks ahead, and nothing is computed over a whole file but which channels are dead.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from models.channels import choose_channels
from models.collect import Collector
from models.stimuli import StimulusTable
from streaming.chain import Chain
from streaming.errors import ConfigError, RecordingError
from streaming.resample import RATE_TOLERANCE
from streaming.signal import Chunk, SignalSpec, Window
from streaming.sources.opening import open_recording
from streaming.sources.source import Source
from streaming.timing import TimedSource, Timing
from streaming.triggers import TriggerChannel, with_triggers
from streaming.window import LockedWindows

if TYPE_CHECKING:
    import mne

__all__ = [
    "Dataset",
    "MakeChain",
    "Progress",
    "first_part",
    "read_dataset",
    "read_through",
]

MakeChain = Callable[[SignalSpec, "mne.Info"], Chain]
"""What makes the chain for the channels that are kept, and what the first file says of them."""

Progress = Callable[[float], None]
"""What is told which share of the work is done, from 0 to 1."""

N_BLOCKS = 5
"""Contiguous blocks that a single run is cut into, where there is nothing else to split by."""


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
    subjects : tuple of str
        Who each recording is of; if empty, all are of one person.
    sessions : tuple of str
        The session that each recording says it is of, empty if it says none; then `t` is on the
        LSL clock. If empty, none does.
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
    subjects: tuple[str, ...] = ()
    sessions: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Return the number of windows."""
        return len(self.windows)

    @property
    def people(self) -> NDArray[np.intp]:
        """Whose each window is, of shape (n,): counted from 0 in the order of names."""
        names = np.array(self.subjects or ("",) * (int(self.files.max()) + 1))
        return np.unique(names, return_inverse=True)[1].astype(np.intp)[self.files]

    def window(self, index: int) -> Window:
        """Return one as an encoder takes it; without its marker, which no encoder reads."""
        return Window(Chunk(self.windows[index], self.spec_out), f"locked/{index}")

    def take(self, which: NDArray[np.bool_]) -> Dataset:
        """Return some of the windows, those of shape (n,) that are true."""
        rows = np.flatnonzero(which)
        return replace(
            self,
            windows=self.windows[rows],
            ids=tuple(self.ids[n] for n in rows),
            stim_files=tuple(self.stim_files[n] for n in rows),
            files=self.files[rows],
            groups=self.groups[rows],
            t=self.t[rows],
        )


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
    streams: Sequence[str] = (),
    trigger: TriggerChannel | None = None,
    wrap: Callable[[int, Source], Source] | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """Cut recordings into the windows that a model would have seen live.

    Parameters
    ----------
    recordings : sequence of path
        Files of the same cap, in the order in which they were made. Each is
        a run of its own; ``run_start`` markers divide it further.
    windowing : LockedWindows
        Where the windows lie around each stimulus.
    table : StimulusTable
        What the recordings' annotations mean.
    make_chain : callable
        Given the spec of the channels that are kept and the first recording's measurement
        info, returns the chain for them.
    picks : str
        ``"eeg"``, ``"meg"``, or ``"eyes"`` for EOG and EMG.
    drop : sequence of str
        Channels to leave out, besides those that are flat or copies of another.
    timing : Timing, optional
        What is applied to the markers.
    unit : str, optional
        Unit of the samples of XDF that does not say it, such as ``"uV"``.
    streams : sequence of str
        Which signals of XDF, by name or source_id; the only one if not given.
    trigger : TriggerChannel, optional
        A channel whose triggers are markers, beside those that there are.
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
    chosen = choose_channels(
        paths,
        picks,
        drop,
        unit,
        lambda share: tell(0.3 * share),
        streams=streams,
        trigger=trigger.name if trigger is not None else None,
    )
    chain = make_chain(chosen.spec, chosen.info)
    dataset = read_through(
        paths,
        windowing,
        table,
        chain,
        chosen.needed_by(chain),
        timing=timing,
        unit=unit,
        streams=streams,
        trigger=trigger,
        wrap=wrap,
        progress=lambda share: tell(0.3 + 0.7 * share),
    )
    return replace(dataset, dropped=chosen.left_out)


def read_through(  # noqa: PLR0913 - as read_dataset
    recordings: Sequence[Path],
    windowing: LockedWindows,
    table: StimulusTable,
    chain: Chain,
    spec: SignalSpec,
    *,
    timing: Timing | None = None,
    unit: str | None = None,
    streams: Sequence[str] = (),
    trigger: TriggerChannel | None = None,
    wrap: Callable[[int, Source], Source] | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """Cut recordings into windows by a chain that is there, such as a model's.

    Parameters
    ----------
    chain : Chain
        What they go through; channels that have died are its business, as live.
    spec : SignalSpec
        Rate and channels that it picks from.
    recordings, windowing, table, timing, unit, streams, trigger, wrap, progress
        As for `read_dataset`.

    Raises
    ------
    RecordingError
        If a recording has another rate, or lacks the events.
    StreamMismatch
        If it lacks a channel.
    """
    name = trigger.name if trigger is not None else None
    parts, sessions = [], list[str]()
    for n, path in enumerate(recordings):
        source = open_recording(path, unit=unit, streams=streams, trigger=name)
        check_rate(path, source.spec.sfreq, spec.sfreq)
        marked = with_triggers(source, trigger)
        timed = TimedSource(marked, timing) if timing else marked
        read = wrap(n, timed) if wrap else timed
        part = Collector(path, read.spec, chain, windowing, table)
        while (item := read.read(0.0)) is not None:
            part.feed(item)
        part.check_shown()
        parts.append(part)
        sessions.append(source.session)
        source.close()
        if progress:
            progress((n + 1) / len(recordings))
    dataset = _join(parts, spec, chain, windowing, table)
    return replace(dataset, sessions=tuple(sessions))


def first_part(dataset: Dataset, end: float) -> Dataset:
    """Return the trials of a dataset as they are so long after each stimulus.

    Parameters
    ----------
    dataset : Dataset
        Whole windows. As a baseline lies within the first part, it was taken off already.
    end : float
        Where the part ends after the stimulus, in seconds.

    Raises
    ------
    ConfigError
        If it has no sample.
    """
    n_times = dataset.spec_out.to_samples(end - dataset.windowing.tmin)
    if n_times < 1:
        msg = f"up to {end:g} s after the stimulus there is no sample; name later latencies"
        raise ConfigError(msg)
    return replace(dataset, windows=np.ascontiguousarray(dataset.windows[:, :, :n_times]))


def check_rate(path: Path, found: float, needed: float) -> None:
    """Refuse a recording of another rate.

    Parameters
    ----------
    path : Path
        The recording.
    found, needed : float
        Rates, in Hz.

    Raises
    ------
    RecordingError
        If they differ.
    """
    if abs(found / needed - 1) > RATE_TOLERANCE:
        msg = (
            f"{path} has {found:g} Hz, and {needed:g} Hz are needed; name recordings at that "
            "rate"
        )
        raise RecordingError(msg)


def _join(
    parts: Sequence[Collector],
    spec: SignalSpec,
    chain: Chain,
    windowing: LockedWindows,
    table: StimulusTable,
) -> Dataset:
    """Put the recordings together and say what to split by."""
    withheld = dict(sum((part.withheld for part in parts), Counter()))
    n_windows = sum(len(part.windows) for part in parts)
    if n_windows == 0:
        why = ", ".join(f"{n} {reason}" for reason, n in withheld.items()) or "cut off"
        msg = (
            f"{parts[0].path} gives no window of {windowing.tmin} to {windowing.tmax} s "
            f"({why}); record at least {chain.settling:.1f} s before the first event, and to "
            f"the end of the window after it"
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
        dropped={},
        withheld=withheld,
        hashes=tuple(hashes),
    )
