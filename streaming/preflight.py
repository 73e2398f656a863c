"""Look at streams and the network before they are needed."""

from __future__ import annotations

import math
import socket
import struct
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pylsl

from streaming.errors import BraincastError
from streaming.lsl_inlet import Inlet, LostError
from streaming.lsl_streams import StreamQuery, StreamSummary, is_signal, summarise
from streaming.signal import SignalSpec

__all__ = ["Probe", "probe_multicast", "probe_streams"]

_SEARCH = 1.0
"""Seconds in which streams must answer."""

_OPEN = 5.0
"""Seconds in which a stream must open."""

_POLL = 0.005
"""Longest wait for one stream while others have samples, in seconds."""

_GROUPS = ("239.255.172.215", "224.0.0.183")
"""Where liblsl asks for streams: within the site, and within the network segment."""


@dataclass(frozen=True, slots=True)
class Probe:
    """What a stream did while it was looked at.

    Parameters
    ----------
    summary : StreamSummary
        As it announces itself.
    spec : SignalSpec or None
        Its channels, if it is a signal in known units.
    problem : str
        Why it cannot be used; empty if it can.
    offset : float
        What to add to its timestamps, in seconds: the clocks of two machines may be anything
        apart.
    drift : float
        Difference of the largest and the smallest measurement of that, in seconds.
    n_offsets : int
        How many different measurements there were.
    sfreq : float
        Samples a second, by their timestamps; 0 if fewer than two came.
    n_times : int
        Samples that came.
    age : float
        From the instant of the newest sample to when it came, at least, in seconds; below 0
        if it bears an instant to come.
    """

    summary: StreamSummary
    spec: SignalSpec | None = None
    problem: str = ""
    offset: float = 0.0
    drift: float = 0.0
    n_offsets: int = 0
    sfreq: float = 0.0
    n_times: int = 0
    age: float = 0.0


def probe_streams(
    query: StreamQuery, seconds: float, unit: str | None, clock: Callable[[], float]
) -> list[Probe]:
    """Receive from all streams that answer to a query at once, and see what comes.

    Parameters
    ----------
    query : StreamQuery
        Which streams.
    seconds : float
        How long to receive.
    unit : str or None
        Of signals that do not say theirs.
    clock : callable
        The LSL clock.
    """
    predicate = query.to_xpath()
    found = (
        pylsl.resolve_bypred(predicate, 1024, _SEARCH)
        if predicate
        else pylsl.resolve_streams(_SEARCH)
    )
    if not found:
        return []
    with ThreadPoolExecutor(min(16, len(found))) as pool:
        watches = list(pool.map(lambda info: _Watch(info, unit), found))
    end = clock() + seconds
    while clock() < end:
        for watch in watches:
            watch.look(clock)
    return sorted((w.close() for w in watches), key=lambda p: (p.summary.type, p.summary.name))


class _Watch:
    """One stream, while it is looked at."""

    def __init__(self, info: pylsl.StreamInfo, unit: str | None) -> None:
        self._summary = summarise(info)
        self._inlet: Inlet | None = None
        self._spec: SignalSpec | None = None
        self._problem = ""
        self._offsets: list[float] = []
        self._n, self._first, self._last = 0, 0.0, 0.0
        self._age = math.inf
        try:
            self._inlet = Inlet(info, _OPEN).wait_for_clock(_OPEN)
            self._offsets.append(self._inlet.offset)
            if is_signal(info):
                self._spec = self._inlet.describe(unit).spec
        except BraincastError as error:
            self._problem = str(error)

    def look(self, clock: Callable[[], float]) -> None:
        if self._inlet is None:
            return
        try:
            _, stamps = self._inlet.pull(_POLL)
            offset = self._inlet.measure_offset()
        except LostError:
            self._problem = "it went away while it was looked at"
            self._stop()
            return
        if offset != self._offsets[-1]:
            self._offsets.append(offset)
        if len(stamps):
            self._first = self._first if self._n else float(stamps[0])
            self._last = float(stamps[-1])
            self._age = min(self._age, clock() - self._last - self._inlet.shift)
            self._n += len(stamps)

    def _stop(self) -> None:
        if self._inlet is not None:
            self._inlet.close()
            self._inlet = None

    def close(self) -> Probe:
        self._stop()
        span = self._last - self._first
        return Probe(
            self._summary,
            self._spec,
            self._problem,
            self._offsets[-1] if self._offsets else 0.0,
            float(np.ptp(self._offsets)) if self._offsets else 0.0,
            len(self._offsets),
            (self._n - 1) / span if span > 0 else 0.0,
            self._n,
            self._age if self._n else 0.0,
        )


def probe_multicast() -> str:
    """Send a packet to LSL's multicast groups and wait for it; return what went wrong.

    That it comes back says that this machine lets multicast out and in; what is between two
    machines only a stream of the other can show.
    """
    problems = []
    for group in _GROUPS:
        try:
            _echo(group)
        except OSError as error:
            problems.append(f"{group} ({error.strerror or error})")
    return ", ".join(problems)


def _echo(group: str) -> None:
    family, kind = socket.AF_INET, socket.SOCK_DGRAM
    with socket.socket(family, kind) as receiver, socket.socket(family, kind) as sender:
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        receiver.bind(("", 0))  # not LSL's own port, whose packets are answered
        membership = struct.pack("4sl", socket.inet_aton(group), socket.INADDR_ANY)
        receiver.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
        receiver.settimeout(1.0)
        sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 1)
        sender.sendto(b"braincast", (group, receiver.getsockname()[1]))
        receiver.recv(64)
