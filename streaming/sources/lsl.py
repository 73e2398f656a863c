"""Live samples and markers from the Lab Streaming Layer."""

from __future__ import annotations

import logging
import math
import threading
from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from streaming.clock import StreamClock, Stretch
from streaming.description import Described
from streaming.errors import SourceError, UnitError
from streaming.lsl_clock import Clock, lsl_clock
from streaming.lsl_inlet import Finder, Inlet, LostError
from streaming.lsl_streams import (
    StreamQuery,
    find_markers,
    find_signal,
    is_marker_stream,
    is_signal,
    marker_predicate,
)
from streaming.signal import Chunk, Marker, SignalSpec, SourceState
from streaming.sources.source import ClockOffset, Item, RawSamples, StreamHeader, Tap

__all__ = ["LslSource", "marker_label", "to_si"]

logger = logging.getLogger(__name__)

_ANSWER = 2.0
"""Seconds that a stream of markers gets for each answer when it is opened."""

_STALL = 2.0
"""Seconds without a sample after which a stream is said to be stalled."""

_CORRECTION = 5.0
"""Seconds between two readings of a sender's clock; liblsl measures as often by itself."""

_SEARCH = 0.25
"""Seconds between two looks at the streams that are there."""

_IDLE = 0.02
"""Longest wait for samples at a time, in seconds: markers are looked for in between."""

_MARKER_WAIT = 0.5
"""How long a marker waits for the samples of its instant before it is given out."""


def to_si(rows: NDArray[np.generic], factors: Sequence[float]) -> NDArray[np.float32]:
    """Turn samples as they were sent into samples as they are decoded.

    Parameters
    ----------
    rows : array of shape (n_times, n_channels)
        Samples in the sender's type and units.
    factors : sequence of float
        What to multiply each channel with.

    Returns
    -------
    data : array of shape (n_channels, n_times)
        In SI units; rounded to float32 once.
    """
    data = np.empty(rows.shape[::-1], np.float32)
    with np.errstate(over="ignore"):  # a double may be too much for float32: infinite
        np.multiply(rows.T, np.asarray(factors)[:, None], out=data, casting="same_kind")
    return data


class LslSource:
    """A signal and streams of markers from LSL, as they arrive; see `open`.

    Timestamps are the senders', moved to our clock by liblsl's measurement of both clocks. A
    marker's label is the first channel of its stream as text. It is given out as soon as the
    signal has reached its instant, so that it is known which sample that is, or after 0.5 s.

    From the sender's call to the chunk it takes 0.9 ms (median; 64 channels at 1 kHz in blocks
    of 10, on two busy cores) and 6 % of a core; 1.0 ms and 7 % with 306 channels.

    If the signal is gone, it is looked for by its source_id and taken again, in another
    segment, if rate, channels, units and format are what they were.

    Parameters
    ----------
    signal : Inlet
        The signal.
    described : Described
        Its channels.
    markers : sequence of Inlet
        Streams of markers that are open.
    late_markers : Finder
        Where those come from that appear later.
    unit : str or None
        The unit of the signal, if the description is not to be believed.
    clock : callable
        The LSL clock.
    tap : callable, optional
        Where everything goes that is received (a recorder).
    """

    def __init__(
        self,
        signal: Inlet,
        described: Described,
        markers: Sequence[Inlet],
        late_markers: Finder,
        *,
        unit: str | None,
        clock: Clock,
        tap: Tap | None,
    ) -> None:
        self._signal: Inlet | None = signal
        self._described, self._unit = described, unit
        self._summary, self._format, self._uid = (
            signal.summary,
            signal.channel_format,
            signal.uid,
        )
        self._clock, self._tap = clock, tap
        self._samples = StreamClock(described.spec.sfreq)
        self._held: NDArray[np.generic] = np.empty((0, len(described.to_si)))
        self._waiting: list[tuple[float, str, float]] = []  # instant, label, arrival
        self._ready: deque[Item] = deque()
        self._late_markers = late_markers
        self._lost_signal: Finder | None = None
        self._idle = threading.Event()
        self._state = ""
        self._t_sample = self._t_corrected = self._t_searched = clock()
        self._send(StreamHeader(1, signal.xml))
        self._send(ClockOffset(1, clock(), signal.offset))
        self._markers: dict[int, Inlet] = {}
        self._n_streams = 1
        for inlet in markers:
            self._add_markers(inlet)
        self._say("live", f"{signal.summary.name}: {_what(described.spec)}")

    @classmethod
    def open(  # noqa: PLR0913 - what the command line asks for, each with a default
        cls,
        *,
        name: str | None = None,
        type: str | None = None,  # noqa: A002 - LSL's own word
        source_id: str | None = None,
        predicate: str | None = None,
        markers: Sequence[str] | None = None,
        unit: str | None = None,
        timeout: float = 10.0,
        clock: Clock = lsl_clock,
        tap: Tap | None = None,
    ) -> LslSource:
        """Find a signal and streams of markers, and connect to them.

        Parameters
        ----------
        name, type, source_id : str, optional
            What the signal's stream says of itself: of all streams of numbers at a regular
            rate, exactly one must be as described.
        predicate : str, optional
            LSL's own query (XPath 1.0) beside that, such as ``"starts-with(name, 'Bio')"``.
        markers : sequence of str, optional
            Names of the streams of markers. If not given: all of type Markers, also those
            that appear later. Streams of text and of numbers will do; 1.0 is the label 1.
        unit : str, optional
            The unit of the signal, such as ``"uV"``, where the description has none or a
            wrong one.
        timeout : float
            Seconds to wait for the streams to appear.
        clock : callable
            The LSL clock.
        tap : callable, optional
            Where everything goes that is received (a recorder).

        Raises
        ------
        StreamNotFound
            If there is no such stream; the message lists those that are there.
        SourceError
            If more than one answers to the query, or one that has no rate.
        UnitError
            If the unit of a channel is not known.
        """
        query = StreamQuery(name=name, type=type, source_id=source_id, predicate=predicate)
        info = find_signal(query, timeout)
        # markers first: a sender may wait for somebody to take the signal and then start
        inlets = []
        for found in find_markers(markers, timeout):
            try:
                inlets.append(Inlet(found, _ANSWER))
            except SourceError as error:
                if markers is not None:  # it was asked for by name
                    raise
                logger.info("%s", error)  # somebody else's, that just ended
        signal = Inlet(info)
        described = signal.describe(unit)
        known = {inlet.uid for inlet in inlets}
        finder = Finder(marker_predicate(markers), is_marker_stream, known)
        return cls(signal, described, inlets, finder, unit=unit, clock=clock, tap=tap)

    @property
    def name(self) -> str:
        """Name of the signal's stream."""
        return self._summary.name

    @property
    def spec(self) -> SignalSpec:
        """Rate and channels of the signal."""
        return self._described.spec

    @property
    def to_si(self) -> tuple[float, ...]:
        """What samples as they are sent are multiplied with, for each channel."""
        return self._described.to_si

    def read(self, timeout: float) -> Item | None:
        """Return the next item, waiting up to `timeout` seconds, or None if there is none."""
        deadline = self._clock() + timeout
        while not self._ready:
            left = deadline - self._clock()
            self._pull_signal(min(max(left, 0.0), _IDLE))
            self._pull_markers()
            self._supervise()
            if left <= 0:
                break
        return self._ready.popleft() if self._ready else None

    def close(self) -> None:
        """Disconnect."""
        for inlet in [*self._markers.values(), *([self._signal] if self._signal else [])]:
            inlet.close()
        self._markers, self._signal = {}, None
        self._late_markers.close()
        self._stop_looking()

    def _send(self, item: StreamHeader | RawSamples | ClockOffset) -> None:
        if self._tap is not None:
            self._tap(item)

    def _say(self, state: str, detail: str) -> None:
        self._state = state
        self._ready.append(SourceState(state, self._clock(), detail))  # type: ignore[arg-type]

    # -- signal --

    def _pull_signal(self, timeout: float) -> None:
        if self._signal is None:
            self._idle.wait(timeout)
            return
        try:
            rows, stamps = self._signal.pull(timeout)
        except LostError:
            self._lose_signal()
            return
        if not len(stamps):
            return
        self._t_sample = self._clock()
        if self._state != "live":
            self._stop_looking()
            self._say("live", f"{self._summary.name} sends again")
        if self._tap is not None:
            self._tap(RawSamples(1, stamps, rows.copy()))
        if len(self._held):
            rows = np.concatenate([self._held, rows])
        self._give(rows, self._samples.feed(stamps + self._signal.offset))

    def _give(self, rows: NDArray[np.generic], stretches: Sequence[Stretch]) -> None:
        start = 0
        for s in stretches:
            if s.gap is not None:
                self._ready.append(s.gap)
            data = to_si(rows[start : start + s.n_times], self._described.to_si)
            self._ready.append(Chunk(data, self.spec, s.segment, s.first, s.t_anchor))
            start += s.n_times
        self._held = rows[start:].copy()  # `rows` is the inlet's buffer

    def _lose_signal(self) -> None:
        assert self._signal is not None  # noqa: S101 - it has just been pulled from
        self._signal = None
        self._give(self._held, self._samples.settle())
        self._look_again()
        self._say("lost", f"{self._summary.name} is gone; looking for it")

    def _look_again(self) -> None:
        if self._lost_signal is None:
            s = self._summary
            again = StreamQuery(source_id=s.source_id)
            if not s.source_id:  # the sender does not identify itself
                again = StreamQuery(name=s.name, type=s.type)
            known = {self._uid} if self._signal is not None else set()
            self._lost_signal = Finder(again.to_xpath(), is_signal, known)
        elif self._signal is None:
            self._lost_signal.forget(self._uid)

    def _stop_looking(self) -> None:
        if self._lost_signal is not None:
            self._lost_signal.close()
            self._lost_signal = None

    def _take_again(self, inlet: Inlet) -> None:
        difference = self._difference(inlet)
        if difference:
            inlet.close()
            self._say("lost", f"{self._summary.name} is back, but {difference}; looking on")
            return
        self._give(self._held, self._samples.reconnect())
        if self._signal is not None:
            self._signal.close()
        self._signal, self._uid = inlet, inlet.uid
        self._t_sample = self._clock()
        self._send(ClockOffset(1, self._clock(), inlet.offset))

    def _difference(self, inlet: Inlet) -> str:
        try:
            found = inlet.describe(self._unit)
        except UnitError as error:
            return str(error)
        if found.spec != self.spec:
            return f"with {_what(found.spec)}, and not {_what(self.spec)}"
        if found.to_si != self._described.to_si or inlet.channel_format != self._format:
            return "in another unit or number format"
        return ""

    # -- markers --

    def _add_markers(self, inlet: Inlet) -> None:
        self._n_streams += 1
        self._markers[self._n_streams] = inlet
        self._send(StreamHeader(self._n_streams, inlet.xml))
        self._send(ClockOffset(self._n_streams, self._clock(), inlet.offset))

    def _pull_markers(self) -> None:
        for stream_id, inlet in list(self._markers.items()):
            try:
                rows, stamps = inlet.pull(0.0)
            except LostError:
                logger.info("%s is gone; looking for it", inlet.summary)
                self._late_markers.forget(inlet.uid)
                del self._markers[stream_id]
                continue
            if len(stamps):
                self._take_markers(stream_id, inlet, rows, stamps)
        if self._waiting:
            self._place_markers()

    def _take_markers(
        self,
        stream_id: int,
        inlet: Inlet,
        rows: NDArray[np.generic],
        stamps: NDArray[np.float64],
    ) -> None:
        if rows.dtype == object:
            text = [value.decode("utf-8", "replace") for value in rows.ravel().tolist()]
            labels = text[:: rows.shape[1]]
            self._send(RawSamples(stream_id, stamps, text))
        else:
            labels = [marker_label(value) for value in rows[:, 0].tolist()]
            self._send(RawSamples(stream_id, stamps, rows.copy()))
        now = self._clock()
        instants = (stamps + inlet.offset).tolist()
        for t, label in zip(instants, labels, strict=True):
            if math.isfinite(t):
                self._waiting.append((t, label, now))
            else:
                logger.warning("marker %r has the timestamp %s: passed over", label, t)

    def _place_markers(self) -> None:
        if not self._samples.started:
            return
        now, waiting = self._clock(), self._waiting
        self._waiting = []
        for t, label, arrived in waiting:
            reached = t < self._samples.t_next and not self._samples.undecided
            if reached or now - arrived > _MARKER_WAIT:
                self._ready.append(Marker(label, t, *self._samples.locate(t)))
            else:
                self._waiting.append((t, label, arrived))

    # -- what is not for every sample --

    def _supervise(self) -> None:
        now = self._clock()
        if self._state == "live" and now - self._t_sample > _STALL:
            self._give(self._held, self._samples.settle())
            self._look_again()
            self._say("stalled", f"{self._summary.name} sent no sample for {_STALL:g} s")
        if now - self._t_corrected > _CORRECTION:
            self._t_corrected = now
            self._correct()
        if now - self._t_searched > _SEARCH:
            self._t_searched = now
            if (late := self._late_markers.poll()) is not None:
                self._add_markers(late)
            if self._lost_signal is not None and (found := self._lost_signal.poll()):
                self._take_again(found)

    def _correct(self) -> None:
        streams = {**self._markers, **({1: self._signal} if self._signal else {})}
        for stream_id, inlet in streams.items():
            try:
                offset = inlet.measure_offset()
            except LostError:
                continue  # the next pull says so
            self._send(ClockOffset(stream_id, self._clock(), offset))


def marker_label(value: float) -> str:
    """Return a marker that is a number as a table of stimuli writes it: 1 for 1.0."""
    return str(int(value)) if value == math.floor(value) else str(value)


def _what(spec: SignalSpec) -> str:
    names = ", ".join(spec.ch_names[:4]) + (", ..." if len(spec.ch_names) > 4 else "")
    return f"{len(spec.ch_names)} channels ({names}) at {spec.sfreq:g} Hz"
