"""Live samples and events from a FieldTrip buffer, as MEG systems and amplifiers fill it."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streaming.errors import BraincastError, StreamNotFound
from streaming.fieldtrip_protocol import Address
from streaming.lsl_clock import Clock, lsl_clock
from streaming.outlet import marker_xml, signal_xml
from streaming.rows import Piece, RowClock
from streaming.signal import Marker, SignalSpec, SourceState
from streaming.sources.condition import Condition
from streaming.sources.fieldtrip_client import (
    BROKEN,
    Announced,
    BufferClient,
    Event,
    Header,
    announced,
    connect,
    event_label,
    signed,
)
from streaming.sources.source import Item, RawSamples, StreamHeader, Tap

__all__ = ["FieldTripSource"]

logger = logging.getLogger(__name__)

_RETRY = 0.25
"""Seconds between two attempts to connect, and to see a header that is not there yet."""

_BLOCK = 1.0
"""Seconds of samples that are fetched at most at once."""

_MARKER_WAIT = 0.5
"""How long an event waits for its sample before it is given out."""

_N_KNOWN = 16
"""Samples that are compared after a connection was lost, to know the same buffer again."""


@dataclass(slots=True)
class _Segment:
    number: int
    since: int  # the buffer's count from which on this holds
    start: int  # what that would be at sample 0, with none lost after it
    t_anchor: float


class FieldTripSource:
    """A signal and events from a FieldTrip buffer; see `open`.

    The buffer counts its samples: if some were overwritten before they were read, the `Gap`
    has their exact number. The protocol has no timestamps: instants come from when samples
    arrive, by the same clock model as LSL's (`streaming.clock`), so they contain the delay
    from the sensor to us, which nothing here can observe. Events carry the sample they belong
    to, and become markers at exactly that sample; the label is the value, or the type if there
    is none.

    When the server goes away it is said (`lost`) and looked for. If it is back with the samples
    that were read last, nothing was lost and the segment goes on; otherwise another begins.
    A buffer with another header is not read; both headers are said.

    What is recorded are samples in SI units, as float32 if that is what was sent, and
    otherwise as doubles, with the instant of each at which it arrived.

    Parameters
    ----------
    address : Address
        Where the buffer is.
    found : Announced
        What its header says.
    unit : str or None
        The unit of the samples, where the header does not say.
    trigger : str or None
        The channel that holds triggers.
    clock : callable
        The LSL clock.
    tap : callable, optional
        Where everything goes that is received (a recorder).
    """

    def __init__(
        self,
        address: Address,
        found: Announced,
        *,
        unit: str | None,
        trigger: str | None,
        clock: Clock,
        tap: Tap | None,
    ) -> None:
        self._address, self._announced = address, found
        self._unit, self._trigger = unit, trigger
        self._clock, self._tap = clock, tap
        self._client: BufferClient | None = None
        self._rows = RowClock(self.spec.sfreq, self.to_si)
        self._next = self._given = self._n_events = 0  # counts of the buffer
        self._last: NDArray[np.generic] = np.empty((0, len(self.spec.ch_names)))
        self._segments: deque[_Segment] = deque(maxlen=8)
        self._waiting: list[tuple[int, str, float]] = []  # sample, label, arrival
        self._ready: deque[Item] = deque()
        self._idle = threading.Event()
        self._condition = Condition(self.name, clock, self._ready.append)
        self._t_retry = clock()
        exact = found.number == "float32" and set(found.described.to_si) == {1.0}
        self._number = np.float32 if exact else np.float64
        self._send(
            StreamHeader(
                1, signal_xml(self.spec, self.name, "float32" if exact else "double64")
            )
        )
        self._send(StreamHeader(2, marker_xml(f"{self.name} markers")))

    @classmethod
    def open(
        cls,
        address: Address,
        *,
        unit: str | None = None,
        trigger: str | None = None,
        timeout: float = 10.0,
        clock: Clock = lsl_clock,
        tap: Tap | None = None,
    ) -> FieldTripSource:
        """Connect to a buffer, from its newest sample on.

        Parameters
        ----------
        address : Address
            Where it is.
        unit : str, optional
            The unit of the samples, such as ``"uV"``, where the header does not say.
        trigger : str, optional
            The channel that holds triggers, whatever the header says of it.
        timeout : float
            Seconds to wait for the server and its header.
        clock : callable
            The LSL clock.
        tap : callable, optional
            Where everything goes that is received (a recorder).

        Raises
        ------
        StreamNotFound
            If there is no server, or it has no header.
        UnitError
            If the unit of a channel is not known.
        SourceError
            If the header cannot be used.
        """
        deadline = time.monotonic() + timeout
        while True:
            why = "it has no header yet"
            try:
                client, header = connect(address)
            except ConnectionError as error:
                why = str(error)
            else:
                if header is not None:
                    break
                client.disconnect()
            if time.monotonic() >= deadline:
                msg = f"no FieldTrip buffer at {address} ({why}): start it, check the address"
                raise StreamNotFound(msg)
            time.sleep(_RETRY)
        try:
            found = announced(header, unit, trigger)
            source = cls(address, found, unit=unit, trigger=trigger, clock=clock, tap=tap)
        except BaseException:
            client.disconnect()
            raise
        source._take(client, header, header.nSamples)
        return source

    @property
    def name(self) -> str:
        """The address."""
        return str(self._address)

    @property
    def spec(self) -> SignalSpec:
        """Rate and channels of the signal."""
        return self._announced.described.spec

    @property
    def to_si(self) -> tuple[float, ...]:
        """What is recorded is in SI units."""
        return (1.0,) * len(self.spec.ch_names)

    def read(self, timeout: float) -> Item | None:
        """Return the next item, waiting up to `timeout` seconds, or None if there is none."""
        deadline = self._clock() + timeout
        while not self._ready:
            left = deadline - self._clock()
            if self._client is None:
                self._look(max(left, 0.0))
            else:
                self._poll(self._client, max(left, 0.0))
            if self._waiting:
                self._place_events(now=False)
            if left <= 0:
                break
        return self._ready.popleft() if self._ready else None

    def close(self) -> None:
        """Disconnect."""
        self._drop()

    def _send(self, item: StreamHeader | RawSamples) -> None:
        if self._tap is not None:
            self._tap(item)

    # -- connection --

    def _drop(self) -> None:
        if self._client is not None:
            self._client.disconnect()
            self._client = None

    def _take(self, client: BufferClient, header: Header, start: int) -> None:
        """Read a buffer from the sample `start` on."""
        self._client = client
        self._next = self._given = start
        self._n_events = header.nEvents
        self._last = self._last[:0]
        self._condition.t_sample = self._clock()
        self._condition.change("live", f"{self.name}: {self._announced}")

    def _lose(self, why: str) -> None:
        self._drop()
        self._give(self._rows.settle())
        self._condition.change("lost", f"{self.name} is gone ({why}); looking for it")

    def _look(self, timeout: float) -> None:
        """Try to connect again, every quarter of a second."""
        wait = self._t_retry + _RETRY - self._clock()
        if wait > 0:
            self._idle.wait(min(wait, timeout))
        if wait > timeout:
            return
        self._t_retry = self._clock()
        try:
            client, header = connect(self._address)
        except ConnectionError as error:
            logger.debug("%s: %s", self.name, error)
            return
        try:
            known = header is not None and self._returns(client, header)
        except BROKEN as error:
            logger.debug("%s: %s", self.name, error)
            known = False
        if not known:
            client.disconnect()

    def _returns(self, client: BufferClient, header: Header) -> bool:
        """Go on with a buffer that is there again, if it is as it was."""
        try:
            found = announced(header, self._unit, self._trigger)
        except BraincastError as error:
            self._condition.refuse(str(error))
            return False
        if found != self._announced:
            self._condition.refuse(f"with {found}, and not {self._announced}")
            return False
        if len(self._last) and header.nSamples >= self._next:
            rows = client.getData((self._next - len(self._last), self._next - 1))
            if rows is not None and np.array_equal(rows, self._last, equal_nan=True):
                self._client, self._condition.t_sample = client, self._clock()
                self._condition.change("live", f"{self.name} is back, with all that was missed")
                return True
        self._place_events(now=True)
        self._give(self._rows.reconnect())
        self._segments.clear()
        # what came since the last sample that was read, and no older data
        n_since = self.spec.to_samples(self._clock() - self._condition.t_sample)
        start = max(0, header.nSamples - n_since)
        if start < header.nSamples and client.getData((start, start)) is None:
            start = header.nSamples
        self._take(client, header, start)
        if start == 0:
            self._n_events = 0  # all of them are new
        return True

    # -- samples --

    def _poll(self, client: BufferClient, timeout: float) -> None:
        try:
            n_samples, n_events = client.wait(self._next, self._n_events, round(1000 * timeout))
            now = self._clock()
            if n_samples < self._next:
                self._lose("it started anew")
                return
            if n_events != self._n_events:
                self._take_events(client, n_events)
            if n_samples > self._next:
                self._fetch(client, n_samples, now)
        except BROKEN as error:
            self._lose(str(error))
            return
        if self._condition.is_due():
            self._give(self._rows.settle())
            self._condition.stall()

    def _fetch(self, client: BufferClient, n_samples: int, now: float) -> None:
        stop = min(n_samples, self._next + max(1, self.spec.to_samples(_BLOCK)))
        rows = client.getData((self._next, stop - 1))
        if rows is None:
            self._skip(n_samples)
            return
        if rows.shape != (stop - self._next, len(self.spec.ch_names)):
            msg = f"it sent {rows.shape[0]} x {rows.shape[1]} numbers for {stop - self._next}"
            raise OSError(msg)
        # they count back from the newest there was: taken one after the other, it came last
        stamps = now - (n_samples - 1 - np.arange(self._next, stop)) / self.spec.sfreq
        self._next = stop
        self._last = np.concatenate([self._last, rows])[-_N_KNOWN:]
        self._condition.arrived()
        factors = np.array(self._announced.described.to_si)
        rows = rows if self._number is np.float32 else rows * factors
        self._send(RawSamples(1, stamps, rows))
        self._give(self._rows.feed(rows, stamps))
        for state, detail in self._rows.clock.take_remarks():
            self._ready.append(SourceState(state, now, f"{self.name}: {detail}", "clock"))

    def _skip(self, start: int) -> None:
        """Go on with the newest sample: the oldest that were not read are overwritten."""
        self._give(self._rows.reconnect(n_lost=start - self._next))
        self._next = self._given = start

    def _give(self, pieces: Sequence[Piece]) -> None:
        for piece in pieces:
            s = piece.stretch
            if s.gap is not None or not self._segments:
                start = self._given - s.first
                self._segments.append(_Segment(s.segment, self._given, start, s.t_anchor))
            self._ready += s.news
            self._segments[-1].t_anchor = s.t_anchor
            self._ready.append(piece.to_chunk(self.spec))
            self._given += s.n_times

    # -- events --

    def _take_events(self, client: BufferClient, n_events: int) -> None:
        start = 0 if n_events < self._n_events else self._n_events  # fewer: they were cleared
        self._n_events = n_events
        if n_events == start:
            return
        events: list[Event] = client.getEvents((start, n_events - 1))
        if not events:
            logger.warning(
                "%s: %d events were overwritten before they were read",
                self.name,
                n_events - start,
            )
        now = self._clock()
        self._waiting += [(signed(e.sample), event_label(e), now) for e in events]

    def _place_events(self, *, now: bool) -> None:
        if not self._segments:
            return
        t_now, waiting, self._waiting = self._clock(), self._waiting, []
        for sample, label, arrived in waiting:
            if now or sample < self._given or t_now - arrived > _MARKER_WAIT:
                before = [s for s in self._segments if s.since <= sample]
                segment = before[-1] if before else self._segments[0]
                index = sample - segment.start
                t = segment.t_anchor + index / self.spec.sfreq
                self._send(RawSamples(2, np.array([t]), [label]))
                self._ready.append(Marker(label, t, segment.number, index))
            else:
                self._waiting.append((sample, label, arrived))
