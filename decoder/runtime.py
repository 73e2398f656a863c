"""Drives a session: takes what ingest queued, journals it, feeds it, publishes what follows."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from decoder.control import Control, Input
from decoder.events import (
    GapFound,
    ImagePreview,
    Latency,
    LatentMade,
    Running,
    Signal,
    State,
    TextDecoded,
)
from decoder.journal import RECORDING, Journal
from decoder.log import EventLog
from decoder.session import AHEAD, Session
from decoder.start import Start
from streaming.errors import SessionError
from streaming.ingest import Fed
from streaming.lsl_clock import Clock
from streaming.signal import Chunk, Gap, Impedance, SourceState

__all__ = ["Audience", "Feed", "LatencyMeter", "Place", "Runtime"]

POLL = 0.02
"""Longest wait for an input, in seconds: how soon a control takes effect without signal."""

SIGNAL_FRAME = 0.05
"""Length of the stretches of signal sent to pages, in seconds."""

LATENCY_EVERY = 1.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where the next sample of a session would be.

    Parameters
    ----------
    recording : str
        In which recording.
    row : int
        How many samples that has before it.
    t : float
        When it would be taken, in seconds on the LSL clock.
    """

    recording: str
    row: int
    t: float


class Feed(Protocol):
    """Where a runtime gets its inputs: a `FeedQueue`, or the link to another process."""

    @property
    def n_dropped(self) -> int:
        """Samples dropped on the way so far."""

    def get(self, timeout: float) -> Fed | None:
        """Return the next input, or None if none came within `timeout` seconds."""

    @property
    def ended(self) -> bool:
        """Whether nothing more will come."""


def _ignore(*_: object) -> None:
    """Do nothing."""


@dataclass(frozen=True, slots=True)
class Audience:
    """Who a runtime works for, beside its log.

    Parameters
    ----------
    wants : callable
        Whether anybody subscribed to a stream just now.
    on_session : callable
        Told what the session is doing when that changes, before anybody else is.
    on_decode : callable
        Given each decode that was made, with its window.
    on_withheld : callable
        Given each that was withheld.
    on_withdrawn : callable
        Given each picture that came too late: after a newer decode, or a stop.
    previews : callable
        Returns what became of the decodes that were to be pictured.
    """

    wants: Callable[[str], bool] = lambda _: False
    on_session: Callable[[State], None] = _ignore
    on_decode: Callable[[TextDecoded, LatentMade], None] = _ignore
    on_withheld: Callable[[TextDecoded], None] = _ignore
    on_withdrawn: Callable[[ImagePreview], None] = _ignore
    previews: Callable[[], Mapping[str, int]] = dict


class LatencyMeter:
    """Percentiles of the latency of the last 1,000 decodes, and pictures."""

    def __init__(self) -> None:
        self._stages: dict[str, deque[float]] = {}
        self.n_decodes = 0

    def add(self, latency_ms: dict[str, float]) -> None:
        """Count a decode."""
        self.n_decodes += 1
        for stage, value in latency_ms.items():
            self._take(stage, value)

    def note(self, picture: ImagePreview, t: float) -> None:
        """Note when a decode's first picture went out, and its final one."""
        after_ms = 1000 * (t - picture.t_text)
        if picture.revision == 0:
            self._take("preview_first", after_ms)
        if picture.final:
            self._take("preview", after_ms)

    def _take(self, stage: str, value: float) -> None:
        self._stages.setdefault(stage, deque(maxlen=1000)).append(value)

    def summary(self) -> dict[str, tuple[float, float, float]]:
        """Return p50, p95 and p99 of each stage, in milliseconds."""
        out = {}
        for stage, values in self._stages.items():
            p50, p95, p99 = np.percentile(np.array(values), [50, 95, 99]).round(3).tolist()
            out[stage] = (p50, p95, p99)
        return out


class Runtime:
    """The loop between ingest and the log.

    Parameters
    ----------
    session : Session
        What decodes.
    feed : Feed
        Where inputs come from.
    journal : Journal
        Where they are written down, before what follows from them is published.
    log : EventLog
        Where events go.
    audience : Audience
        Who is told.
    clock : Clock
        LSL's, where the samples are taken in.
    place : Place or None
        Where the next sample would have been when a decoder died, to say what was missed.
    device_delay : float or None
        From the electrode to a sample's timestamp, in seconds; it is part of the latency
        where it is known.
    """

    def __init__(
        self,
        session: Session,
        feed: Feed,
        journal: Journal,
        log: EventLog,
        audience: Audience,
        clock: Clock,
        place: Place | None = None,
        device_delay: float | None = None,
    ) -> None:
        self.meter = LatencyMeter()
        self.counts: Counter[str] = Counter()
        self.states: dict[str, State] = {}
        self.running: tuple[Running, ...] = ()
        self._session = session
        self._source = feed
        self._journal: Journal | None = journal
        self._log = log
        self._audience = audience
        self._clock = clock
        self._place = place
        self._recording = place.recording if place is not None else RECORDING
        self._resumed = place is not None
        self._device_delay = device_delay
        self._signal: list[Signal] = []
        self._stopped = threading.Event()
        self._controls: deque[tuple[Control, Future[None], bool]] = deque()
        self._was_stopped = False
        self._ended = False
        self.dropped: Counter[str] = Counter()
        self._said: deque[tuple[ImagePreview | State, Mapping[str, bytes]]] = deque()
        self._newest = ""

    def begin(self, start: Start) -> None:
        """Write down how the session begins, or goes on."""
        self._write(lambda journal: journal.start(start, self._clock()))

    def stop(self) -> None:
        """Make `run` return soon; any thread may call it."""
        self._stopped.set()

    def run(self, beat: Callable[[], None] = lambda: None) -> None:
        """Go on until ingest has ended and all that it queued was decoded.

        An error ends the loop: it is published as a state, then raised.

        Parameters
        ----------
        beat : callable
            Called about once a second, as long as all is well.
        """
        t_latency = self._clock() + LATENCY_EVERY
        try:
            while not self._source.ended and not self._stopped.is_set():
                while self._controls:
                    self._say(*self._controls.popleft())
                fed = self._source.get(POLL)
                if fed is not None:
                    self._take(fed)
                while self._said:
                    self._pass_on(*self._said.popleft())
                if self._clock() >= t_latency:
                    t_latency += LATENCY_EVERY
                    self._log.emit(self.latency())
                    beat()
        except BaseException as error:
            detail = f"decoding failed: {type(error).__name__}: {error}"
            self.states["decoder"] = State("decoder", "failed", self._clock(), detail)
            self._log.emit(self.states["decoder"])
            raise
        finally:
            if self._journal is not None:
                self._journal.close(self._clock())
            self._log.close()
            self._ended = True
            self._refuse()

    def _say(self, control: Control, done: Future[None], held: bool) -> None:
        """Feed what somebody said, who may have gone meanwhile: it holds nevertheless."""
        awaited = done.set_running_or_notify_cancel()
        try:
            self._feed(control, 0, self._clock(), held=held)
        except BaseException:
            if awaited:
                done.set_exception(_too_late(control))
            raise
        if awaited:
            done.set_result(None)

    def _refuse(self) -> None:
        """Tell those who wait that nothing is fed any more."""
        while self._controls:
            try:
                control, done, _ = self._controls.popleft()
            except IndexError:  # another thread was quicker
                return
            if done.set_running_or_notify_cancel():
                done.set_exception(_too_late(control))

    @property
    def n_controls(self) -> int:
        """How many controls wait to be fed."""
        return len(self._controls)

    def latency(self) -> Latency:
        """Return how the service keeps up."""
        gaps = self.counts["GapFound"]
        drops = self._source.n_dropped
        previews = dict(self._audience.previews())
        return Latency(self.meter.summary(), self.meter.n_decodes, gaps, drops, previews)

    def _take(self, fed: Fed) -> None:
        """Feed what came, after what was missed before it."""
        item = fed.item
        if self._session.state == "stopped" and not isinstance(item, SourceState | Impedance):
            self.dropped["stopped"] += item.n_times if isinstance(item, Chunk) else 0
            return  # it is nobody's any more
        if fed.recording != self._recording:
            self._recording = fed.recording
            self._write(lambda journal: journal.recording(fed.recording, self._clock()))
        if isinstance(item, Chunk):
            gap = self._missed(fed, item)
            if gap is not None:
                self._feed(gap, fed.row, fed.t_received)
            self._place = Place(fed.recording, fed.row + item.n_times, item.t_end)
        self._feed(item, fed.row, fed.t_received)

    def _missed(self, fed: Fed, chunk: Chunk) -> Gap | None:
        """Return what was not decoded while there was no decoder, or no ingest."""
        place, resumed, self._resumed = self._place, self._resumed, False
        stopped, self._was_stopped = self._was_stopped, False
        if place is None:
            return None
        if stopped:
            return Gap(place.t, max(chunk.t0 - place.t, 0.0), "stopped")
        if place.recording != fed.recording:
            return Gap(place.t, max(chunk.t0 - place.t, 0.0), "ingest")
        n_missed = fed.row - place.row
        if not resumed or not n_missed:
            return None
        self.dropped["restart"] += n_missed
        duration = n_missed / chunk.spec.sfreq
        return Gap(chunk.t0 - duration, duration, "restart")

    def control(self, control: Control, *, held: bool = False) -> Future[None]:
        """Feed what somebody said before the next input; any thread may call it.

        Parameters
        ----------
        control : Control
            What.
        held : bool
            It was said before, to a decoder that died.

        Returns
        -------
        Future
            Done once it was fed, and its events were published; raises a `SessionError` if
            the session ended before.
        """
        future: Future[None] = Future()
        self._controls.append((control, future, held))
        if self._ended:  # asked after it was put there: `run` may have looked before
            self._refuse()
        return future

    def say(self, event: ImagePreview | State, pictures: Mapping[str, bytes]) -> None:
        """Log and publish what a job beside the session says, soon; any thread may call it.

        Parameters
        ----------
        event : ImagePreview or State
            What.
        pictures : mapping of str to bytes
            The picture, by format, where it is one.
        """
        self._said.append((event, pictures))

    def drop(self) -> None:
        """Withdraw the pictures that did not go out before the end."""
        while self._said:
            event, _ = self._said.popleft()
            if isinstance(event, ImagePreview):
                self._audience.on_withdrawn(event)

    def _pass_on(self, event: ImagePreview | State, pictures: Mapping[str, bytes]) -> None:
        """Log it, in one order with all else; but not the picture of a decode that is old."""
        if isinstance(event, State):
            self._note(event)
        elif self._session.state != "decoding" or event.decode_id != self._newest:
            self._audience.on_withdrawn(event)
            return
        else:
            self.meter.note(event, self._clock())
        self._log.emit(event, pictures)

    def _feed(self, item: Input, row: int, t_received: float, *, held: bool = False) -> None:
        t_fed = self._clock()
        self._write(lambda journal: journal.write(item, row, t_fed, held=held))
        events = self._session.feed(item, t_fed)
        t_decoded = self._clock()
        decoded: TextDecoded | None = None
        for event in events:
            self.counts[type(event).__name__] += 1
            if isinstance(event, Signal):
                self._collect(event)
            elif isinstance(event, LatentMade):
                assert decoded is not None  # noqa: S101 - it follows its decode
                self._audience.on_decode(decoded, event)
                if self._audience.wants("latent"):
                    self._log.emit(event)
            elif isinstance(event, TextDecoded):
                decoded = event
                self._newest = event.decode_id
                self._log.emit(self._timed(event, t_received, t_fed, t_decoded))
                if event.abstained:
                    self._audience.on_withheld(event)
            else:
                if isinstance(event, GapFound):
                    self._signal.clear()
                elif isinstance(event, State):
                    self._note(event)
                self._log.emit(event)

    def _note(self, state: State) -> None:
        self.states[state.what] = state
        if state.what == "session":
            self._was_stopped = self._was_stopped or state.state == "stopped"
            self._audience.on_session(state)

    def _write(self, write: Callable[[Journal], None]) -> None:
        """Write an input down; if the disk fails, say so once and go on without a record."""
        if self._journal is None:
            return
        failure = self._log.failure  # a session without its log needs no journal
        try:
            if not failure:
                write(self._journal)
        except SessionError as error:
            failure = str(error)
        if failure:
            self._journal.abandon()
            self._journal = None
            self.states["recorder"] = State("recorder", "failed", self._clock(), failure)
            self._log.emit(self.states["recorder"])

    def _timed(
        self, event: TextDecoded, t_received: float, t_fed: float, t_decoded: float
    ) -> TextDecoded:
        stages = {
            "acquire": t_received - event.t_end,
            "queue": t_fed - t_received,
            "decode": t_decoded - t_fed,
            "total": self._clock() - event.t_end,
        }
        if self._device_delay is not None:
            stages = {"device": self._device_delay, **stages}
            stages["total"] += self._device_delay
        if not self._session.timed or event.t_end - t_fed > AHEAD:  # only our part is known
            stages = {stage: stages[stage] for stage in ("queue", "decode")}
        latency_ms = {stage: round(1000 * value, 3) for stage, value in stages.items()}
        if not event.abstained:
            self.meter.add(latency_ms)
            self.running = event.running or self.running
        return replace(event, latency_ms=latency_ms)

    def _collect(self, signal: Signal) -> None:
        if not self._audience.wants("signal"):
            self._signal.clear()
            return
        self._signal.append(signal)
        n_times = sum(s.data.shape[1] for s in self._signal)
        if n_times >= SIGNAL_FRAME * signal.sfreq:
            first = self._signal[0]
            data = np.concatenate([s.data for s in self._signal], axis=1)
            self._signal.clear()
            self._log.emit(Signal(data, first.t0, first.sfreq))


def _too_late(control: Control) -> SessionError:
    return SessionError(f"{type(control).__name__} was not done: the session has ended")
