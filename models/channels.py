"""Which channels of recordings a model is fitted to."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from streaming.chain import Chain
from streaming.errors import RecordingError
from streaming.signal import Chunk, SignalSpec
from streaming.sources.opening import open_recording
from streaming.sources.source import Source
from streaming.spatial import Pick, normal_name

if TYPE_CHECKING:
    import mne

__all__ = ["Channels", "choose_channels", "find_dead_channels", "spec_of_type"]

logger = logging.getLogger(__name__)

_PICKS = {"eeg": ("eeg",), "meg": ("mag", "grad"), "eyes": ("eog", "emg")}


@dataclass(frozen=True, slots=True, eq=False)
class Channels:
    """Channels of recordings that fit together.

    Parameters
    ----------
    spec : SignalSpec
        Those of the type that is decoded, without those left out.
    whole : SignalSpec
        All that the first recording has.
    info : mne.Info
        Of the first recording.
    left_out : dict of str to str
        Names of those left out, and why.
    """

    spec: SignalSpec
    whole: SignalSpec
    info: mne.Info
    left_out: dict[str, str]

    def needed_by(self, chain: Chain) -> SignalSpec:
        """Return what a chain picks, which may be eye channels and reference sensors, too.

        Raises
        ------
        RecordingError
            If it picks a channel that is left out.
        """
        picks = [step for step in chain.steps if isinstance(step, Pick)]
        why = {normal_name(name): reason for name, reason in self.left_out.items()}
        for name in (name for step in picks for name in step.settings.ch_names):
            if normal_name(name) in why:
                msg = (
                    f"the chain picks {name}, which is left out ({why[normal_name(name)]}); "
                    "take it out of the chain"
                )
                raise RecordingError(msg)
        return picks[0].prepare(self.whole) if picks else self.spec


def choose_channels(
    paths: Sequence[Path],
    picks: str,
    drop: Sequence[str],
    unit: str | None = None,
    tell: Callable[[float], None] = lambda _: None,
    *,
    streams: Sequence[str] = (),
    trigger: str | None = None,
) -> Channels:
    """Choose the channels of a type that all recordings have and that carry something.

    Parameters
    ----------
    paths : sequence of Path
        Recordings of the same participant and cap.
    picks : str
        ``"eeg"``, ``"meg"``, or ``"eyes"`` for EOG and EMG.
    drop : sequence of str
        Channels to leave out, besides those that are flat or copies of another.
    unit : str, optional
        Unit of the samples of XDF that does not say it, such as ``"uV"``.
    tell : callable
        Told the share that is done.
    streams : sequence of str
        Which signals of XDF, by name or source_id; the only one if not given.
    trigger : str, optional
        The channel of XDF that holds triggers, whatever it says of it.

    Raises
    ------
    RecordingError
        If the recordings differ in rate or channels, or none is left.
    """
    read = partial(open_recording, unit=unit, streams=streams, trigger=trigger)
    specs = []
    for path in paths:
        with closing(read(path)) as source:
            specs.append(spec_of_type(source.spec, path, picks, drop))
    for path, spec in zip(paths[1:], specs[1:], strict=True):
        _check_alike(paths[0], specs[0], path, spec)
    left_out = dict.fromkeys(drop, "named by the user")
    seen: list[tuple[SignalSpec, mne.Info]] = []
    for n, path in enumerate(paths):
        source = read(path)
        seen.append((source.spec, source.info))
        left_out.update(find_dead_channels(source, specs[n].ch_names))
        source.close()
        tell((n + 1) / len(paths))
    for name, why in left_out.items():
        logger.warning("channel %s is left out: %s", name, why)
    spec = _without(specs[0], left_out)
    if not spec.ch_names:
        msg = f"{paths[0]}: every {picks} channel is flat or left out; check the recording"
        raise RecordingError(msg)
    whole, info = seen[0]
    return Channels(spec, whole, info, left_out)


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


def spec_of_type(
    spec: SignalSpec, where: object, picks: str, drop: Sequence[str]
) -> SignalSpec:
    """Return the channels of one type, without those to leave out.

    Parameters
    ----------
    spec : SignalSpec
        All channels.
    where : object
        What has them, for what is said of it.
    picks : str
        ``"eeg"``, ``"meg"``, or ``"eyes"`` for EOG and EMG.
    drop : sequence of str
        Channels to leave out.

    Raises
    ------
    RecordingError
        If there are none, or one to leave out is not there.
    """
    if picks not in _PICKS:
        msg = f"picks={picks!r} is unknown; use eeg or meg, or eyes for what is not the brain"
        raise RecordingError(msg)
    for name in drop:
        if name not in spec.ch_names:
            there = ", ".join(spec.ch_names[:20])
            msg = f"{where} has no channel {name!r} to drop; its channels are {there}"
            raise RecordingError(msg)
    others = [
        name
        for name, kind in zip(spec.ch_names, spec.ch_types, strict=True)
        if kind not in _PICKS[picks]
    ]
    if len(others) == len(spec.ch_names):
        kinds = ", ".join(sorted(set(spec.ch_types)))
        msg = f"{where} has no {picks} channel, its channels are of type {kinds}; pick another"
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
