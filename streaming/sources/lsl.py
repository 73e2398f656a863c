"""Live samples and markers from the Lab Streaming Layer."""

from __future__ import annotations

import socket
import threading
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import pylsl
from numpy.typing import NDArray

from streaming.description import Described
from streaming.errors import SourceError
from streaming.join import join_specs
from streaming.joined import join_header, join_row
from streaming.joiner import Joiner
from streaming.lsl_clock import Clock, lsl_clock
from streaming.lsl_hosts import Hosts
from streaming.lsl_inlet import Inlet, LostError
from streaming.lsl_side import Role, SideStreams, answering, impedance_of
from streaming.lsl_signal import LslSignal
from streaming.lsl_streams import (
    StreamQuery,
    find_streams,
    marker_search,
    named_search,
    quoted,
    signal_search,
)
from streaming.rows import Piece
from streaming.signal import Impedance, Marker, SignalSpec, SourceState
from streaming.sources.condition import outline, worst
from streaming.sources.source import ClockOffset, Item, RawSamples, StreamHeader, Tap

__all__ = ["LslSource"]

_ANSWER = 2.0
"""Seconds that a stream of markers gets for each answer when it is opened."""

_CORRECTION = 5.0
"""Seconds between two readings of a sender's clock; liblsl measures as often by itself."""

_SEARCH = 0.25
"""Seconds between two looks at the streams that are there."""

_IDLE = 0.02
"""Longest wait for samples at a time, in seconds: markers are looked for in between."""

_MARKER_WAIT = 0.5
"""How long a marker waits for the samples of its instant before it is given out."""


def _hosts(of_signals: Iterable[str]) -> Hosts:
    """Return the machines whose streams are taken without being named."""
    return Hosts([*of_signals, socket.gethostname()])


def _open(info: pylsl.StreamInfo) -> Inlet:
    return Inlet(info, _ANSWER)


def _measure(inlet: Inlet) -> Inlet:
    return inlet.wait_for_clock(_ANSWER)


class LslSource:
    """Signals and streams of markers from LSL, as they arrive; see `open`.

    Timestamps are the senders', moved to our clock by liblsl's measurement of both clocks, and
    by what a sender says that it is late (``offset_mean``). A marker's label is the first
    channel of its stream as text. It is given out as soon as the signal has reached its
    instant, so that it is known which sample that is, or after 0.5 s.

    Several signals become one (`streaming.join`): each keeps a clock of its own, the channels
    of all come at the instants of the first, and a gap in one is a gap of all. Each is
    recorded as it was sent.

    From the sender's call to the chunk it takes 0.9 ms (median; 64 channels at 1 kHz in blocks
    of 10, on two busy cores) and 6 % of a core; 1.0 ms and 7 % with 306 channels.

    If a signal is gone, it is looked for by its source_id and taken again, in another
    segment, if rate, channels, units and format are what they were.

    Parameters
    ----------
    inlets : sequence of Inlet
        The signals, the first of which says when.
    side : sequence of (role, Inlet)
        Streams beside it that are open.
    markers : sequence of str or None
        Names of streams of markers; None: all of type Markers of the signals' machines and of
        ours, also those that come later.
    aux : sequence of str
        Names of streams that are recorded only.
    unit : str or None
        The unit of the signals, if the description is not to be believed.
    trigger : str or None
        The channel that holds triggers.
    clock : callable
        The LSL clock.
    tap : callable, optional
        Where everything goes that is received (a recorder).

    Raises
    ------
    UnitError, SourceError
        If a signal cannot be interpreted, or several do not fit together.
    """

    def __init__(
        self,
        inlets: Sequence[Inlet],
        side: Sequence[tuple[Role, Inlet]],
        *,
        markers: Sequence[str] | None,
        aux: Sequence[str],
        unit: str | None,
        trigger: str | None,
        clock: Clock,
        tap: Tap | None,
    ) -> None:
        def interpret(inlet: Inlet) -> Described:
            return inlet.describe(unit, trigger)

        self._clock, self._tap = clock, tap
        self._ready: deque[Item] = deque()
        self._signals = [
            LslSignal(
                inlet, interpret(inlet), interpret, clock, self._say, alone=len(inlets) == 1
            )
            for inlet in inlets
        ]
        specs = [signal.described.spec for signal in self._signals]
        self._spec = join_specs([s.summary.name for s in self._signals], specs)
        clocks = [signal.rows.clock for signal in self._signals]
        self._joiner = Joiner(specs, clocks, self._spec)
        self._waiting: list[tuple[float, str, float]] = []  # instant, label, arrival
        self._idle = threading.Event()
        self._said: SourceState | None = None
        self._impedances: dict[tuple[str, ...], Impedance] = {}
        self._t_corrected = self._t_searched = clock()
        for number, signal in enumerate(self._signals, 1):
            self._send(StreamHeader(number, signal.xml))
            self._send(ClockOffset(number, clock(), inlets[number - 1].offset))
        self._join_id = len(specs) + 1
        if len(specs) > 1:
            self._send(StreamHeader(self._join_id, join_header(len(specs))))
        hosts = _hosts(inlet.summary.hostname for inlet in inlets)
        self._side = SideStreams(len(specs) + 2, hosts, markers, aux, self._send, clock)
        self._side.start(side)
        for signal in self._signals:
            what = outline(signal.described.spec) + signal.description.notes()
            signal.condition.change("live", f"{signal.summary.name}: {what}")

    @classmethod
    def open(  # noqa: PLR0913 - what the command line asks for, each with a default
        cls,
        *,
        streams: Sequence[str] = (),
        name: str | None = None,
        type: str | None = None,  # noqa: A002 - LSL's own word
        source_id: str | None = None,
        predicate: str | None = None,
        markers: Sequence[str] | None = None,
        aux: Sequence[str] = (),
        unit: str | None = None,
        trigger: str | None = None,
        timeout: float = 10.0,
        clock: Clock = lsl_clock,
        tap: Tap | None = None,
    ) -> LslSource:
        """Find signals and streams of markers, and connect to them.

        Parameters
        ----------
        streams : sequence of str
            Name or source_id of each signal, of which the first says when; without any, the
            one signal that is as described by the next four.
        name, type, source_id : str, optional
            What the signal's stream says of itself: of all streams of numbers at a regular
            rate, exactly one must be as described.
        predicate : str, optional
            LSL's own query (XPath 1.0) beside that, such as ``"starts-with(name, 'Bio')"``.
        markers : sequence of str, optional
            Names of the streams of markers. If not given: all of type Markers of the machines
            that send the signals, and of ours, also those that appear later; of others it is
            said that they are not taken. Streams of text and of numbers will do; 1.0 is the
            label 1.
        aux : sequence of str
            Names of streams to record and not to decode: of any type, also without a rate.
        unit : str, optional
            The unit of the signals, such as ``"uV"``, where the description has none or a
            wrong one.
        trigger : str, optional
            The channel that holds triggers, whatever the description says of it.
        timeout : float
            Seconds to wait for the streams to appear. When they are there, it takes 1.1 s: to
            see that there are no others, and to measure the senders' clocks.
        clock : callable
            The LSL clock.
        tap : callable, optional
            Where everything goes that is received (a recorder).

        Raises
        ------
        StreamNotFound
            If there is no such stream; the message lists those that are there.
        SourceError
            If more than one answers to the query, or one that has no rate; if several do not
            have the same rate, or share channels.
        UnitError
            If the unit of a channel is not known.
        """
        queries = [StreamQuery(name=name, type=type, source_id=source_id, predicate=predicate)]
        if streams:
            queries = [
                StreamQuery(predicate=f"name={quoted(s)} or source_id={quoted(s)}")
                for s in streams
            ]
        searches = [marker_search(markers), named_search(aux), *map(signal_search, queries)]
        sent, recorded, *signals = find_streams(searches, timeout)
        infos = [info for (info,) in signals]
        if markers is None:  # of the others it is said later, as of those that come later
            ours = _hosts(info.hostname() for info in infos).names
            sent = [info for info in sent if info.hostname() in ours]
        if len({info.uid() for info in infos}) < len(infos):
            msg = f"one signal is named twice in {', '.join(streams)}: name each once"
            raise SourceError(msg)
        # markers first: a sender may wait for somebody to take the signal and then start
        asked = markers is not None
        said = answering(_open, sent, asked=asked)
        beside = answering(_open, recorded, asked=True)
        inlets = [Inlet(info) for info in infos]
        for inlet in inlets:
            inlet.wait_for_clock()
        side: list[tuple[Role, Inlet]] = []
        side += [("markers", i) for i in answering(_measure, said, asked=asked)]
        side += [("aux", i) for i in answering(_measure, beside, asked=True)]
        return cls(
            inlets,
            side,
            markers=markers,
            aux=aux,
            unit=unit,
            trigger=trigger,
            clock=clock,
            tap=tap,
        )

    @property
    def name(self) -> str:
        """Names of the signals' streams."""
        return " + ".join(signal.summary.name for signal in self._signals)

    @property
    def spec(self) -> SignalSpec:
        """Rate and channels of the signal."""
        return self._spec

    @property
    def to_si(self) -> tuple[float, ...]:
        """What samples as they are sent are multiplied with, for each channel."""
        return tuple(x for signal in self._signals for x in signal.described.to_si)

    def read(self, timeout: float) -> Item | None:
        """Return the next item, waiting up to `timeout` seconds, or None if there is none."""
        deadline = self._clock() + timeout
        while not self._ready:
            left = deadline - self._clock()
            self._pull_signals(min(max(left, 0.0), _IDLE))
            for taken in self._side.pull():
                if taken.role == "markers":
                    now = self._clock()
                    self._waiting += [(t, label, now) for t, label in taken.markers()]
                elif taken.role == "impedance":
                    said = impedance_of(taken, self._spec.ch_names)
                    self._impedances |= {} if said is None else {said.ch_names: said}
            if self._waiting:
                self._place_markers()
            self._supervise()
            if left <= 0:
                break
        return self._ready.popleft() if self._ready else None

    def close(self) -> None:
        """Disconnect."""
        for signal in self._signals:
            signal.close()
        self._side.close()

    def _send(self, item: StreamHeader | RawSamples | ClockOffset) -> None:
        if self._tap is not None:
            self._tap(item)

    def _say(self, state: SourceState) -> None:
        """Say how the worst of the signals is, as all have to send, or what is odd of one."""
        if state.what == "clock":
            self._ready.append(state)
            return
        conditions = [signal.condition for signal in self._signals]
        bad = worst(conditions)
        if state.state != bad.state:  # this one is better off than another
            state = SourceState(bad.state, state.t, bad.detail)  # type: ignore[arg-type]
        timed = all(signal.description.is_timed for signal in self._signals)
        state = replace(state, timed=timed)
        if self._said is None or (state.state, state.detail) != (
            self._said.state,
            self._said.detail,
        ):
            self._said = state
            self._ready.append(state)

    # -- signals --

    def _pull_signals(self, timeout: float) -> None:
        waited = False
        for number, signal in enumerate(self._signals):

            def receive(
                rows: NDArray[np.generic], stamps: NDArray[np.float64], number: int = number
            ) -> None:
                if self._tap is not None:
                    self._tap(RawSamples(number + 1, stamps, rows.copy()))

            wait = 0.0 if waited else timeout
            waited = waited or signal.inlet is not None
            self._give(number, signal.pull(wait, receive))
        if not waited:
            self._idle.wait(timeout)

    def _give(self, number: int, pieces: Sequence[Piece]) -> None:
        for joined in self._joiner.feed(number, pieces):
            self._ready += joined.news
            if joined.join is not None:
                t = np.array([joined.chunk.t0])
                self._send(RawSamples(self._join_id, t, join_row(joined.join)))
            self._ready.append(joined.chunk)

    # -- markers --

    def _place_markers(self) -> None:
        at = self._joiner
        if not at.started:
            return
        now, waiting = self._clock(), self._waiting
        self._waiting = []
        for t, label, arrived in waiting:
            reached = t < at.t_next and not at.undecided
            if reached or now - arrived > _MARKER_WAIT:
                self._ready.append(Marker(label, t, *at.locate(t)))
            else:
                self._waiting.append((t, label, arrived))

    # -- what is not for every sample --

    def _supervise(self) -> None:
        now = self._clock()
        for number, signal in enumerate(self._signals):
            self._give(number, signal.watch())
        if now - self._t_corrected > _CORRECTION:
            self._t_corrected = now
            self._correct()
        if now - self._t_searched > _SEARCH:
            self._t_searched = now
            self._side.find()
            # the newest alone: some amplifiers send them as often as samples
            self._ready += self._impedances.values()
            self._impedances = {}
            for number, signal in enumerate(self._signals):
                again, pieces = signal.find()
                self._give(number, pieces)
                if again and signal.inlet is not None:
                    offset = signal.inlet.offset
                    self._send(ClockOffset(number + 1, self._clock(), offset))

    def _correct(self) -> None:
        for number, signal in enumerate(self._signals, 1):
            if signal.inlet is not None:
                try:
                    offset = signal.inlet.measure_offset()
                except LostError:
                    continue  # the next pull says so
                self._send(ClockOffset(number, self._clock(), offset))
        self._side.measure_clocks()
