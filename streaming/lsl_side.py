"""What comes over LSL beside the signal: markers, impedances, and what is only recorded."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
import pylsl
from numpy.typing import NDArray

from streaming.description import parse_unit
from streaming.errors import SourceError
from streaming.lsl_hosts import Hosts
from streaming.lsl_inlet import Finder, Inlet, LostError
from streaming.lsl_streams import IMPEDANCE, is_marker_stream, marker_predicate, named
from streaming.rows import marker_label
from streaming.signal import Impedance
from streaming.sources.source import ClockOffset, RawSamples, StreamHeader, Tap
from streaming.spatial import normal_name

__all__ = ["Role", "SideStreams", "Taken", "answering", "impedance_of"]

MAX_INSTANT = 1e12
"""Seconds that no clock has counted: 30,000 years."""

logger = logging.getLogger(__name__)

Role = Literal["markers", "impedance", "aux"]
T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Taken:
    """What one stream sent.

    Parameters
    ----------
    role : str
        What the stream is for.
    inlet : Inlet
        The stream.
    t : array of shape (n_times,)
        When, in seconds on our clock.
    rows : array of shape (n_times, n_channels) or list of str
        Numbers, or for text the first channel.
    """

    role: Role
    inlet: Inlet
    t: NDArray[np.float64]
    rows: NDArray[np.generic] | list[str]

    def markers(self) -> list[tuple[float, str]]:
        """Return instants and labels; numbers without decimals as whole ones."""
        labels = self.rows
        if not isinstance(labels, list):
            labels = [marker_label(value) for value in labels[:, 0].tolist()]
        found = []
        for t, label in zip(self.t.tolist(), labels, strict=True):
            if abs(t) < MAX_INSTANT:  # and a number
                found.append((t, label))
            else:
                logger.warning("marker %r has the timestamp %s: passed over", label, t)
        return found


def impedance_of(taken: Taken, ch_names: Sequence[str]) -> Impedance | None:
    """Return the newest impedances of a signal's channels, matched by name.

    A unit that is not said is kOhm, as XDF's convention has it; a value that is negative or no
    number says that it is not known.

    Parameters
    ----------
    taken : Taken
        From a stream of type ``Impedance``.
    ch_names : sequence of str
        The signal's channels.

    Returns
    -------
    Impedance or None
        None if the stream is of other electrodes.
    """
    if isinstance(taken.rows, list):
        return None
    wanted = {normal_name(name): name for name in ch_names}
    said = taken.inlet.description.channels()
    names, ohms = [], []
    for (label, _, unit), value in zip(said, taken.rows[-1].tolist(), strict=True):
        name = wanted.get(normal_name(label))
        found = parse_unit(unit) or ("ohm", 1000.0)
        if name is not None and found[0] == "ohm":
            names.append(name)
            ohms.append(value * found[1] if math.isfinite(value) and value >= 0 else None)
    t = float(taken.t[-1])
    return Impedance(tuple(names), tuple(ohms), t) if names and math.isfinite(t) else None


class SideStreams:
    """Streams that are open beside the signal, and a search for those that come later.

    Parameters
    ----------
    first_id : int
        Number of the first in the recording.
    hosts : Hosts
        Machines whose streams are taken without being named.
    markers : sequence of str or None
        Names of the streams of markers; None for all of type Markers of `hosts`.
    aux : sequence of str
        Names of streams that are recorded, and nothing else: of any type and rate.
    send : callable
        Where everything goes that is received.
    clock : callable
        The LSL clock.
    """

    def __init__(
        self,
        first_id: int,
        hosts: Hosts,
        markers: Sequence[str] | None,
        aux: Sequence[str],
        send: Tap,
        clock: Callable[[], float],
    ) -> None:
        self._next_id, self._send, self._clock = first_id, send, clock
        self._open: dict[int, tuple[Role, Inlet]] = {}
        self._searches: dict[Role, tuple[str, Callable[[pylsl.StreamInfo], bool]]] = {
            "markers": (
                marker_predicate(markers),
                lambda i: is_marker_stream(i) and (markers is not None or hosts.takes(i)),
            ),
            "impedance": (f"type='{IMPEDANCE}'", lambda i: _is_numeric(i) and hosts.takes(i)),
        }
        if aux:
            self._searches["aux"] = (named(aux), lambda _: True)
        self._finders: dict[Role, Finder] = {}

    def start(self, inlets: Sequence[tuple[Role, Inlet]]) -> None:
        """Take streams that are open, and begin to look for others."""
        for role, inlet in inlets:
            self._add(role, inlet)
        for role, (predicate, accept) in self._searches.items():
            known = {inlet.uid for other, inlet in inlets if other == role}
            self._finders[role] = Finder(predicate, accept, known)

    def pull(self) -> list[Taken]:
        """Return what came."""
        found = []
        for stream_id, (role, inlet) in list(self._open.items()):
            try:
                rows, stamps = inlet.pull(0.0)
            except LostError:
                logger.info("%s is gone; looking for it", inlet.summary)
                self._finders[role].forget(inlet.uid)
                del self._open[stream_id]
                continue
            if len(stamps):
                found.append(self._take(stream_id, role, inlet, rows, stamps))
        return found

    def find(self) -> None:
        """Take streams that appeared."""
        for role, finder in self._finders.items():
            if (late := finder.poll()) is not None:
                self._add(role, late)

    def measure_clocks(self) -> None:
        """Compare the senders' clocks with ours."""
        for stream_id, (_, inlet) in self._open.items():
            try:
                offset = inlet.measure_offset()
            except LostError:
                continue  # the next pull says so
            self._send(ClockOffset(stream_id, self._clock(), offset))

    def close(self) -> None:
        """Disconnect."""
        for _, inlet in self._open.values():
            inlet.close()
        self._open = {}
        for finder in self._finders.values():
            finder.close()

    def _add(self, role: Role, inlet: Inlet) -> None:
        stream_id = self._next_id
        self._next_id += 1
        self._open[stream_id] = role, inlet
        self._send(StreamHeader(stream_id, inlet.xml))
        self._send(ClockOffset(stream_id, self._clock(), inlet.offset))

    def _take(
        self,
        stream_id: int,
        role: Role,
        inlet: Inlet,
        rows: NDArray[np.generic],
        stamps: NDArray[np.float64],
    ) -> Taken:
        t = stamps + inlet.shift
        if rows.dtype != object:
            rows = rows.copy()  # it is the inlet's buffer
            self._send(RawSamples(stream_id, stamps, rows))
            return Taken(role, inlet, t, rows)
        text = [value.decode("utf-8", "replace") for value in rows.ravel().tolist()]
        self._send(RawSamples(stream_id, stamps, text))
        return Taken(role, inlet, t, text[:: rows.shape[1]])


def _is_numeric(info: pylsl.StreamInfo) -> bool:
    return bool(info.channel_format() != pylsl.cf_string)


def answering(ask: Callable[[T], Inlet], of: Iterable[T], *, asked: bool) -> list[Inlet]:
    """Ask each, and pass over what does not answer, if it was not `asked` for by name.

    Raises
    ------
    SourceError
        If it was.
    """
    inlets = []
    for one in of:
        try:
            inlets.append(ask(one))
        except SourceError as error:
            if asked:
                raise
            logger.info("%s", error)  # somebody else's, that just ended
    return inlets
