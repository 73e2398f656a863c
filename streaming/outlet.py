"""Streams that we send over LSL, and their descriptions."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import pylsl
from numpy.typing import NDArray

from streaming.errors import SourceError
from streaming.signal import SignalSpec

__all__ = [
    "LslOutput",
    "MarkerOutlet",
    "Output",
    "SignalOutlet",
    "is_published",
    "marker_xml",
    "signal_xml",
    "source_id_for",
]

_MEG_TYPES = {"mag", "grad"}


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


def _signal_info(spec: SignalSpec, name: str) -> pylsl.StreamInfo:
    kind = "MEG" if _MEG_TYPES & set(spec.ch_types) else "EEG"
    info = pylsl.StreamInfo(
        name, kind, len(spec.ch_names), spec.sfreq, "float32", source_id_for(name, "signal")
    )
    info.desc().append_child_value("manufacturer", "braincast")
    channels = info.desc().append_child("channels")
    for label, ch_type, unit in zip(spec.ch_names, spec.ch_types, spec.units, strict=True):
        channel = channels.append_child("channel")
        channel.append_child_value("label", label)
        channel.append_child_value("unit", unit or "none")
        channel.append_child_value("type", ch_type.upper())
    return info


def _marker_info(name: str) -> pylsl.StreamInfo:
    source_id = source_id_for(name, "markers")
    info = pylsl.StreamInfo(name, "Markers", 1, pylsl.IRREGULAR_RATE, "string", source_id)
    info.desc().append_child_value("manufacturer", "braincast")
    return info


def signal_xml(spec: SignalSpec, name: str) -> str:
    """Return LSL's description of a signal, for a recorder."""
    return str(_signal_info(spec, name).as_xml())


def marker_xml(name: str) -> str:
    """Return LSL's description of a stream of markers, for a recorder."""
    return str(_marker_info(name).as_xml())


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
        self._outlet = pylsl.StreamOutlet(_signal_info(spec, name))

    def push(self, data: NDArray[np.float32], timestamps: NDArray[np.float64]) -> None:
        """Send samples.

        Parameters
        ----------
        data : array of shape (n_channels, n_times)
            Samples, in SI units.
        timestamps : array of shape (n_times,)
            When each was taken, in seconds on the LSL clock.
        """
        self._outlet.push_chunk(data.T, timestamps)

    def wait_for_consumer(self, timeout: float) -> bool:
        """Wait until somebody receives the stream and return whether anybody does."""
        return bool(self._outlet.wait_for_consumers(timeout))


class MarkerOutlet:
    """A stream of markers on LSL, as strings.

    Parameters
    ----------
    name : str
        Name of the stream.
    """

    def __init__(self, name: str) -> None:
        self._outlet = pylsl.StreamOutlet(_marker_info(name))

    def push(self, label: str, t: float) -> None:
        """Send a marker for the instant `t`, in seconds on the LSL clock."""
        self._outlet.push_sample([label], t)


def is_published(source_ids: Sequence[str], wait: float = 0.3) -> bool:
    """Return whether a stream with one of these ids is there already."""
    return any(s.source_id() in source_ids for s in pylsl.resolve_streams(wait))


class Output(Protocol):
    """Where a signal and its markers are sent: LSL, or a FieldTrip buffer."""

    def push(self, data: NDArray[np.float32], timestamps: NDArray[np.float64]) -> None:
        """Send samples of shape (n_channels, n_times), and when each was taken [s]."""

    def push_marker(self, label: str, t: float) -> None:
        """Send a marker for the instant `t` [s]; it comes before the samples of its instant."""

    def wait_for_consumer(self, timeout: float) -> bool:
        """Wait until somebody receives the signal and return whether anybody does."""

    def close(self) -> None:
        """Stop sending; more than once is fine."""


class LslOutput:
    """A signal and its markers as two LSL streams: `name`, and ``NAME markers``.

    Parameters
    ----------
    spec : SignalSpec
        What is sent.
    name : str
        Name of the signal's stream.

    Raises
    ------
    SourceError
        If this machine sends a stream of that name already.
    """

    def __init__(self, spec: SignalSpec, name: str) -> None:
        markers = f"{name} markers"
        if is_published([source_id_for(name, "signal"), source_id_for(markers, "markers")]):
            msg = (
                f"a stream {name!r} is already sent from this machine: stop it or choose a name"
            )
            raise SourceError(msg)
        self._signal: SignalOutlet | None = SignalOutlet(spec, name)
        self._markers: MarkerOutlet | None = MarkerOutlet(markers)

    def push(self, data: NDArray[np.float32], timestamps: NDArray[np.float64]) -> None:
        """Send samples; see `SignalOutlet.push`."""
        if self._signal is not None:
            self._signal.push(data, timestamps)

    def push_marker(self, label: str, t: float) -> None:
        """Send a marker; see `MarkerOutlet.push`."""
        if self._markers is not None:
            self._markers.push(label, t)

    def wait_for_consumer(self, timeout: float) -> bool:
        """Wait until somebody receives the signal and return whether anybody does."""
        return self._signal is not None and self._signal.wait_for_consumer(timeout)

    def close(self) -> None:
        """Take the streams off the network, which is what dropping an outlet does."""
        self._signal = self._markers = None
