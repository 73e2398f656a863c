"""Streams that we send over LSL, and their descriptions."""

from __future__ import annotations

import math
import socket
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from streaming.signal import SignalSpec

if TYPE_CHECKING:
    import pylsl  # else where it is used: what only describes a stream needs no liblsl

__all__ = [
    "Desc",
    "MarkerOutlet",
    "Outlet",
    "Output",
    "SignalOutlet",
    "StreamDescription",
    "describe_markers",
    "describe_signal",
    "is_published",
    "marker_xml",
    "number",
    "signal_xml",
    "source_id_for",
    "to_xml",
]

_MEG_TYPES = {"mag", "grad"}

_REPLAY = "replay"
"""What a replay at another speed than that of time adds to the description of a stream."""


def source_id_for(name: str, kind: str) -> str:
    """Return the id of a stream that we send: the same whenever it is sent again.

    A receiver finds a stream again by its id after the sender was restarted, so it holds the
    machine, the name and the kind of stream, and nothing random.

    Parameters
    ----------
    name : str
        Name of the stream.
    kind : str
        ``"signal"`` or ``"markers"``.
    """
    return f"braincast-{kind}-{name}@{socket.gethostname()}"


Desc: TypeAlias = tuple[tuple[str, "str | Desc"], ...]
"""A description as LSL nests it: pairs of a tag and its text, or the pairs below it."""


@dataclass(frozen=True, slots=True)
class StreamDescription:
    """What a stream says of itself.

    Parameters
    ----------
    name, type : str
        What it is called, and what it carries.
    n_channels : int
        Number of channels.
    sfreq : float
        Nominal rate in Hz; 0 for a stream of events.
    channel_format : str
        LSL's word: ``"float32"``, ``"double64"``, ``"int8"`` to ``"int64"``, ``"string"``.
    source_id : str
        By which receivers find it again after a restart.
    desc : tuple
        Everything else, such as the channels' labels; see `Desc`.
    """

    name: str
    type: str
    n_channels: int
    sfreq: float
    channel_format: str
    source_id: str
    desc: Desc = ()

    @classmethod
    def from_xml(cls, xml: str) -> StreamDescription:
        """Read what `pylsl.StreamInfo.as_xml` wrote."""
        info = ET.fromstring(xml)  # noqa: S314 - liblsl has read it already
        return cls(
            info.findtext("name", ""),
            info.findtext("type", ""),
            int(info.findtext("channel_count", "0")),
            float(info.findtext("nominal_srate", "0")),
            info.findtext("channel_format", ""),
            info.findtext("source_id", ""),
            _desc(info.find("desc")),
        )

    @property
    def lag(self) -> float:
        """Seconds by which timestamps are late, as the sender measured it: to be subtracted.

        By XDF's convention it stands in ``synchronization/offset_mean``
        (github.com/sccn/xdf/wiki/Synchronization).
        """
        return number(self._synchronization("offset_mean")) or 0.0

    @property
    def can_drop(self) -> bool:
        """Whether the sender says that samples may be lost before they are sent."""
        return self._synchronization("can_drop_samples").casefold() in {"true", "1"}

    @property
    def is_timed(self) -> bool:
        """Whether its timestamps tell when it was sent: not in a replay at another speed."""
        return not self.below("", _REPLAY)

    def replayed(self, speed: float) -> StreamDescription:
        """Return what a replay of it at `speed` times its own says."""
        desc = tuple((tag, below) for tag, below in self.desc if tag != _REPLAY)
        if speed != 1:
            desc += ((_REPLAY, (("speed", f"{speed:g}"),)),)
        return replace(self, desc=desc)

    def notes(self) -> str:
        """Return what an experimenter should know of it, in words; mostly nothing."""
        notes = [
            f"; a replay at {said.get('speed')} times its speed: latencies mean nothing"
            for said in self.below("", _REPLAY)
        ]
        if self.lag:
            notes.append(f"; {1000 * self.lag:g} ms are taken off its timestamps (offset_mean)")
        if self.can_drop:
            notes.append("; it says that it may drop samples")
        return "".join(notes)

    def _synchronization(self, tag: str) -> str:
        said = [_text(d.get(tag, "")).strip() for d in self.below("", "synchronization")]
        return said[0] if said else ""

    @property
    def is_signal(self) -> bool:
        """Whether it carries numbers at a regular rate."""
        return 0 < self.sfreq < math.inf and self.channel_format != "string"

    def channels(self) -> list[tuple[str, str, str]]:
        """Return label, type and unit of each channel; empty where nothing is said."""
        said = self.below("channels", "channel")
        rows = [tuple(_text(d.get(key, "")) for key in ("label", "type", "unit")) for d in said]
        if len(rows) != self.n_channels:
            rows = [("", "", "")] * self.n_channels
        return rows  # type: ignore[return-value]  # three each

    def below(self, parent: str, tag: str) -> list[dict[str, str | Desc]]:
        """Return what is in each element `tag` of an element `parent`; ``""`` is the top."""
        within = _below(self.desc, parent) if parent else self.desc
        return [dict(d) for name, d in within if name == tag and not isinstance(d, str)]

    def first_channels(self, n_channels: int) -> StreamDescription:
        """Return the description of the first channels alone."""
        rows = _below(self.desc, "channels")
        desc = tuple(
            (tag, rows[:n_channels]) if tag == "channels" else (tag, d) for tag, d in self.desc
        )
        return replace(self, n_channels=n_channels, desc=desc)


def number(text: object) -> float | None:
    """Return a finite number that a description says, or None."""
    try:
        value = float(str(text))
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _desc(element: ET.Element | None) -> Desc:
    below = () if element is None else tuple(element)
    return tuple((e.tag, _desc(e) if len(e) else (e.text or "").strip()) for e in below)


def _text(content: str | Desc) -> str:
    return content if isinstance(content, str) else ""


def _below(desc: Desc, tag: str) -> Desc:
    found = dict(desc).get(tag, ())
    return () if isinstance(found, str) else found


def describe_signal(spec: SignalSpec, name: str) -> StreamDescription:
    """Describe a signal of ours: float32 in SI units.

    Parameters
    ----------
    spec : SignalSpec
        Its channels. The stream's type is MEG if there is a MEG channel, else EEG.
    name : str
        Name of the stream.
    """
    channels = tuple(
        ("channel", (("label", label), ("unit", unit or "none"), ("type", kind.upper())))
        for label, kind, unit in zip(spec.ch_names, spec.ch_types, spec.units, strict=True)
    )
    return StreamDescription(
        name,
        "MEG" if _MEG_TYPES & set(spec.ch_types) else "EEG",
        len(spec.ch_names),
        spec.sfreq,
        "float32",
        source_id_for(name, "signal"),
        (("manufacturer", "braincast"), ("channels", channels)),
    )


def describe_markers(name: str) -> StreamDescription:
    """Describe a stream of markers of ours: strings."""
    made_by = (("manufacturer", "braincast"),)
    return StreamDescription(
        name, "Markers", 1, 0.0, "string", source_id_for(name, "markers"), made_by
    )


def _info(d: StreamDescription) -> pylsl.StreamInfo:
    import pylsl

    info = pylsl.StreamInfo(
        d.name, d.type, d.n_channels, d.sfreq, d.channel_format, d.source_id
    )
    _append(info.desc(), d.desc)
    return info


def _append(element: pylsl.XMLElement, desc: Desc) -> None:
    for tag, content in desc:
        if isinstance(content, str):
            element.append_child_value(tag, content)
        else:
            _append(element.append_child(tag), content)


def signal_xml(spec: SignalSpec, name: str, channel_format: str = "float32") -> str:
    """Return LSL's description of a signal in SI units, for a recorder."""
    description = replace(describe_signal(spec, name), channel_format=channel_format)
    return to_xml(description)


def to_xml(description: StreamDescription) -> str:
    """Return a description as LSL gives it, for a recorder."""
    return str(_info(description).as_xml())


def marker_xml(name: str) -> str:
    """Return LSL's description of a stream of markers, for a recorder."""
    return to_xml(describe_markers(name))


class Outlet:
    """Any stream on LSL.

    Parameters
    ----------
    description : StreamDescription
        What the stream says of itself.
    """

    def __init__(self, description: StreamDescription) -> None:
        import pylsl

        self._outlet: pylsl.StreamOutlet | None = pylsl.StreamOutlet(_info(description))

    def push(
        self, rows: NDArray[np.generic] | list[list[str]], timestamps: NDArray[np.float64]
    ) -> None:
        """Send samples.

        Parameters
        ----------
        rows : array of shape (n_times, n_channels) or list of lists of str
            Samples, in the stream's format and units.
        timestamps : array of shape (n_times,)
            When each was taken, in seconds on the LSL clock.
        """
        if self._outlet is not None and len(rows):
            self._outlet.push_chunk(rows, timestamps)

    def wait_for_consumer(self, timeout: float) -> bool:
        """Wait until somebody receives the stream and return whether anybody does."""
        return self._outlet is not None and bool(self._outlet.wait_for_consumers(timeout))

    def close(self) -> None:
        """Take the stream off the network; what is still on its way is lost."""
        self._outlet = None  # which is how pylsl does it


class Output(Protocol):
    """Where a signal and its markers are sent, other than to LSL: a FieldTrip buffer."""

    def push(self, data: NDArray[np.float32], timestamps: NDArray[np.float64]) -> None:
        """Send samples of shape (n_channels, n_times), and when each was taken [s]."""

    def push_marker(self, label: str, t: float) -> None:
        """Send a marker for the instant `t` [s]; it comes before the samples of its instant."""

    def wait_for_consumer(self, timeout: float) -> bool:
        """Wait until somebody receives the signal and return whether anybody does."""

    def close(self) -> None:
        """Stop sending; more than once is fine."""


class SignalOutlet:
    """A signal on LSL: float32 in SI units, with names, types and units of the channels.

    Parameters
    ----------
    spec : SignalSpec
        What is sent. The stream's type is MEG if there is a MEG channel, else EEG.
    name : str
        Name of the stream.
    """

    def __init__(self, spec: SignalSpec, name: str) -> None:
        self._outlet = Outlet(describe_signal(spec, name))

    def push(self, data: NDArray[np.float32], timestamps: NDArray[np.float64]) -> None:
        """Send samples.

        Parameters
        ----------
        data : array of shape (n_channels, n_times)
            Samples, in SI units.
        timestamps : array of shape (n_times,)
            When each was taken, in seconds on the LSL clock.
        """
        self._outlet.push(data.T, timestamps)

    def wait_for_consumer(self, timeout: float) -> bool:
        """Wait until somebody receives the stream and return whether anybody does."""
        return self._outlet.wait_for_consumer(timeout)


class MarkerOutlet:
    """A stream of markers on LSL, as strings.

    Parameters
    ----------
    name : str
        Name of the stream.
    """

    def __init__(self, name: str) -> None:
        self._outlet = Outlet(describe_markers(name))

    def push(self, label: str, t: float) -> None:
        """Send a marker for the instant `t`, in seconds on the LSL clock."""
        self._outlet.push([[label]], np.array([t]))


def is_published(source_ids: Sequence[str], wait: float = 0.3) -> bool:
    """Return whether a stream with one of these ids is there already."""
    import pylsl

    return any(s.source_id() in source_ids for s in pylsl.resolve_streams(wait))
