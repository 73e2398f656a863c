"""The types that flow through the signal path.

Time is the last axis of every array and channels come first. Amplitudes are in SI units
(volts for EEG, tesla for MEG), durations in seconds, instants in seconds on the LSL clock.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import mne

__all__ = [
    "Bad",
    "ChannelQuality",
    "Chunk",
    "Gap",
    "Impedance",
    "Marker",
    "Revision",
    "SignalSpec",
    "SourceState",
    "Window",
]

_SI_UNITS = {"mag": "T", "ref_meg": "T", "grad": "T/m", "stim": "", "misc": ""}


@dataclass(frozen=True, slots=True)
class SignalSpec:
    """What a stream carries.

    Parameters
    ----------
    sfreq : float
        Sampling rate, in Hz.
    ch_names : tuple of str
        Channel names, in the order of the rows.
    ch_types : tuple of str
        MNE's channel types, one for each name; all ``"eeg"`` if not given.
    positions : tuple of float
        Where the channels are, as the source says: x, y, z of one after the other, in meters
        in the head's frame; zeros where it does not say, and empty if it says nothing.
    """

    sfreq: float
    ch_names: tuple[str, ...]
    ch_types: tuple[str, ...] = ()
    positions: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a rate that no clock can have and names that are not unique."""
        if not 0 < self.sfreq < math.inf:
            msg = f"sfreq must be a positive number of Hz, got {self.sfreq}"
            raise ValueError(msg)
        if not self.ch_types:
            object.__setattr__(self, "ch_types", ("eeg",) * len(self.ch_names))
        if len(self.ch_types) != len(self.ch_names):
            msg = (
                f"ch_types has {len(self.ch_types)} entries but ch_names has "
                f"{len(self.ch_names)}; they must match"
            )
            raise ValueError(msg)
        if self.positions and len(self.positions) != 3 * len(self.ch_names):
            msg = (
                f"positions must have 3 numbers for each of {len(self.ch_names)} channels, or "
                f"none, got {len(self.positions)}"
            )
            raise ValueError(msg)
        if len(set(self.ch_names)) != len(self.ch_names):
            twice = sorted({n for n in self.ch_names if self.ch_names.count(n) > 1})
            msg = f"ch_names must be unique, got more than one of {', '.join(twice)}"
            raise ValueError(msg)

    @property
    def units(self) -> tuple[str, ...]:
        """The SI unit of each channel; empty for triggers and other plain numbers."""
        return tuple(_SI_UNITS.get(kind, "V") for kind in self.ch_types)

    def to_samples(self, seconds: float) -> int:
        """Return the number of samples nearest to a duration.

        It rounds, because truncating loses a sample to floating point: ``0.29 * 100`` is
        28.999999999999996.

        Examples
        --------
        >>> SignalSpec(100.0, ("Cz",)).to_samples(0.29)
        29
        """
        return round(seconds * self.sfreq)

    def to_info(self) -> mne.Info:
        """Return the same as an `mne.Info`."""
        import mne

        info = mne.create_info(list(self.ch_names), self.sfreq, list(self.ch_types))
        places = zip(*[iter(self.positions)] * 3, strict=True)
        known = {n: p for n, p in zip(self.ch_names, places, strict=False) if any(p)}
        if known:
            montage = mne.channels.make_dig_montage(known, coord_frame="head")
            info.set_montage(montage, on_missing="ignore", verbose="ERROR")
        return info

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> SignalSpec:
        """Make a spec from what `dataclasses.asdict` and JSON have made of one."""
        names, types = tuple(values["ch_names"]), tuple(values["ch_types"])
        return cls(values["sfreq"], names, types, tuple(values.get("positions", ())))

    @classmethod
    def from_info(cls, info: mne.Info) -> SignalSpec:
        """Make a spec from an `mne.Info`."""
        names = tuple(info["ch_names"])
        return cls(float(info["sfreq"]), names, tuple(info.get_channel_types()))


class Bad(IntEnum):
    """What is wrong with a sample; of two reasons the larger counts.

    No window over any but those that were filled in is decoded.
    """

    FILLED = 1
    """It was lost, and lies on a line between its neighbours."""

    SAMPLES = 2
    """A channel was not measured, and holds a made-up value."""

    CHANNELS = 3
    """More channels are bad than can be interpolated."""

    ARTIFACT = 4
    """The signal is too large or too steep to come from a brain."""


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """Consecutive samples of one stream, possibly none.

    Parameters
    ----------
    data : array of shape (n_channels, n_times)
        Samples, in SI units.
    spec : SignalSpec
        Rate and channels of `data`.
    segment : int
        Which unbroken stretch of the stream it belongs to; a chunk never spans a gap.
    first : int
        Index of the first sample within the segment, at the rate of `spec`.
    t_anchor : float
        When sample 0 of the segment would have been taken at the nominal rate, in seconds on
        the LSL clock. The source may move it from chunk to chunk as it learns how fast the
        amplifier's clock runs, so that `t0` stays right for hours.
    bad : array of uint8 of shape (n_times,) or None
        For each sample 0, or what is wrong with it (`Bad`); None if all are good.
    """

    data: NDArray[np.float32]
    spec: SignalSpec
    segment: int = 0
    first: int = 0
    t_anchor: float = 0.0
    bad: NDArray[np.uint8] | None = None

    def __post_init__(self) -> None:
        """Check that the rows are the channels, and that `bad` has one entry per sample."""
        n_channels = len(self.spec.ch_names)
        if self.data.ndim != 2 or len(self.data) != n_channels:
            msg = (
                f"data must have shape (n_channels, n_times) with n_channels={n_channels} "
                f"as in spec.ch_names, got shape {self.data.shape}"
            )
            raise ValueError(msg)
        if self.bad is not None and self.bad.shape != (self.n_times,):
            msg = f"bad must have shape ({self.n_times},) as data, got {self.bad.shape}"
            raise ValueError(msg)

    def holding(self, data: NDArray[np.float32], spec: SignalSpec | None = None) -> Chunk:
        """Return the same stretch of the stream with other samples, of other channels if given.

        As `dataclasses.replace`, in less than half of its time (0.8 us against 1.8).
        """
        spec = self.spec if spec is None else spec
        return Chunk(data, spec, self.segment, self.first, self.t_anchor, self.bad)

    @property
    def n_times(self) -> int:
        """Number of samples."""
        return int(self.data.shape[-1])

    @property
    def t0(self) -> float:
        """When the first sample was taken, in seconds on the LSL clock.

        Computed from the anchor: adding up sample periods drifts in the last bits, and a
        replay would differ from the session.
        """
        return self.t_anchor + self.first / self.spec.sfreq

    @property
    def t_end(self) -> float:
        """When the sample after the last will be taken, in seconds on the LSL clock."""
        return self.t_anchor + (self.first + self.n_times) / self.spec.sfreq


@dataclass(frozen=True, slots=True)
class ChannelQuality:
    """How each channel was in the last second; one entry for each channel.

    Parameters
    ----------
    verdicts : tuple of str
        ``"good"``; ``"noisy"``, its spread is five times that of its like; ``"line"``, more
        than half of its power is at the mains; ``"flat"``; ``"saturated"``, it keeps touching
        its limit; ``"disconnected"``, no number came from it, or mains fifty times as loud
        as the others' signal; ``"marked"``, bad because the operator said so.
    spread : tuple of float
        Standard deviation, in SI units, to three digits.
    line : tuple of float
        Share of its power at the mains, from 0 to 1.
    """

    verdicts: tuple[str, ...]
    spread: tuple[float, ...]
    line: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Marker:
    """Something that happened in the experiment.

    Parameters
    ----------
    label : str
        What was sent, as text.
    t : float
        When, by the sender's timestamp, in seconds on the LSL clock.
    segment, sample : int
        Where that is in the signal: the segment, and the index within it of the nearest
        sample at the source's rate. Decided once, by the source. The index may lie ahead of
        the samples that were read so far, or be negative (before the segment began).
    """

    label: str
    t: float
    segment: int
    sample: int


@dataclass(frozen=True, slots=True)
class Impedance:
    """How well electrodes touch the skin, as the amplifier measured it.

    Parameters
    ----------
    ch_names : tuple of str
        Electrodes.
    ohms : tuple of float or None
        Impedance of each, in ohms; None where it is not known.
    t : float
        When it was measured, in seconds on the LSL clock.
    """

    ch_names: tuple[str, ...]
    ohms: tuple[float | None, ...]
    t: float


@dataclass(frozen=True, slots=True)
class Gap:
    """Samples that were lost, so that the next chunk begins another segment.

    Up to 20 ms of them may be filled in instead, if the segment goes on: then the next chunk
    begins as much later in it.

    Parameters
    ----------
    t : float
        When the first lost sample would have been taken, in seconds on the LSL clock.
    duration : float
        How long the loss is, in seconds.
    reason : str
        ``"lost"`` between the amplifier and us, ``"filled"`` lost, but so few that the segment
        goes on, ``"overrun"`` dropped by us because decoding was too slow, ``"reconnect"`` the
        source was away, ``"clock"`` the sender's clock was set, and what `duration` says is
        missing, mostly nothing, ``"restart"`` decoding was restarted, ``"ingest"`` the taking
        in of samples was, ``"stopped"`` the participant had stopped.
    """

    t: float
    duration: float
    reason: Literal[
        "lost", "filled", "overrun", "reconnect", "clock", "restart", "ingest", "stopped"
    ]


@dataclass(frozen=True, slots=True)
class Revision:
    """More samples were lost than was said, or fewer: seen only now.

    Parameters
    ----------
    segment, first, stop : int
        Before which sample they are missing: one from `first` up to, but not including, `stop`
        of a segment. For another length of the gap before a segment that is its sample 0.
    t : float
        When sample `first` was taken, in seconds on the LSL clock.
    n_times : int
        How many samples are missing beyond what was said; below 0 if fewer are. 0 if they are
        of one of several signals that are joined, at the instants of another.
    """

    segment: int
    first: int
    stop: int
    t: float
    n_times: int

    def __post_init__(self) -> None:
        """Refuse a place that is none."""
        if not 0 <= self.first < self.stop:
            msg = (
                f"a revision needs 0 <= first < stop, got first={self.first}, stop={self.stop}"
            )
            raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class SourceState:
    """How a source, or the recording of it, is doing.

    Parameters
    ----------
    state : str
        ``"live"``, ``"stalled"`` (connected, but no sample for 2 s), ``"lost"`` (the stream is
        gone; we look for it), ``"ended"`` (a recording is over), ``"failed"`` (of the
        recorder: the disk takes nothing more) or ``"stopped"`` (of the session: the
        participant's stop was seen where samples are taken in). Of its clock ``"rate"``
        (samples come at another rate than is said), ``"coarse"`` (timestamps come in steps),
        ``"unstamped"`` (samples come without any that is one),
        ``"backwards"`` (some are too early) or ``"good"`` (the rate is right again).
    t : float
        Since when, in seconds on the LSL clock.
    detail : str
        One line for the experimenter.
    what : str
        ``"source"``, ``"clock"``, ``"recorder"`` or ``"session"``.
    timed : bool
        Whether timestamps tell how old samples are: not those of a replay at another speed.
    """

    state: Literal[
        "live",
        "stalled",
        "lost",
        "ended",
        "failed",
        "stopped",
        "rate",
        "coarse",
        "backwards",
        "unstamped",
        "good",
    ]
    t: float
    detail: str
    what: Literal["source", "clock", "recorder", "session"] = "source"
    timed: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """A chunk of exactly the length that a model takes.

    It is a type of its own so that mypy refuses a raw chunk to a model.

    Parameters
    ----------
    chunk : Chunk
        The samples, after the chain of transforms.
    decode_id : str
        Kind of window and index of what triggered it: the same on every replay.
    quality : float
        Share of the samples that were not filled in, from 0 to 1.
    marker : Marker or None
        What a locked window is locked to. Its label is for scoring only: no encoder reads it.
    revision : int
        Which of the windows of this `decode_id` it is, from 0; see `LockedWindows.latencies`.
    """

    chunk: Chunk
    decode_id: str
    quality: float = 1.0
    marker: Marker | None = None
    revision: int = 0
