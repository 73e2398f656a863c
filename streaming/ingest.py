"""From a source to the recording and to the decoder; knows no model.

Nothing that a model or a client does can hold up the source: what goes to the decoder waits in
a bounded queue that drops the oldest samples (and says so), after they were recorded.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np

from streaming.errors import SessionError
from streaming.lsl_clock import Clock
from streaming.record import XdfWriter
from streaming.signal import Chunk, Marker, SourceState
from streaming.sources.source import Item, RawSamples, Source, StreamHeader

__all__ = ["INJECTED", "STOP_MARKER", "Fed", "FeedQueue", "Ingest", "stopped"]

INJECTED = 9999
"""Number in a recording of the stream of markers that came from no stream."""

STOP_MARKER = "braincast.stop"
"""A marker that is the participant's stop, whatever the table of stimuli says."""

POLL = 0.05
"""Longest wait for a sample in one call, in seconds: how soon a stop is noticed."""

BEAT = 1.0
"""Seconds between signs of life."""


@dataclass(frozen=True, slots=True, eq=False)
class Fed:
    """An item on its way to the decoder.

    Parameters
    ----------
    item : Item
        What the source returned.
    row : int
        For a chunk, how many rows were recorded before it.
    t_received : float
        When the source returned it, in seconds on the LSL clock.
    recording : str
        The recording that `row` is of; see `Hello`.
    """

    item: Item
    row: int
    t_received: float
    recording: str = "raw.xdf"


class FeedQueue:
    """Between ingest and decoder: bounded in samples, drops the oldest chunk when full.

    Markers, gaps and states are never dropped. The session sees a drop as a jump of
    `Chunk.first` and says `Overrun`.

    Parameters
    ----------
    max_times : int
        Most samples that may wait.
    """

    def __init__(self, max_times: int) -> None:
        self._max_times = max_times
        self._items: deque[Fed] = deque()
        self._n_times = 0
        self._closed = False
        self._is_out = False  # an item was taken, and may not be where it goes
        self._ready = threading.Condition()
        self.n_dropped = 0
        self._take_at_once: Callable[[Fed], bool] | None = None

    def put(self, fed: Fed) -> None:
        """Add an item; never waits."""
        with self._ready:
            take, is_next = self._take_at_once, not self._items and not self._is_out
            if take is not None and is_next and _n_times(fed) and take(fed):
                return
            self._items.append(fed)
            self._n_times += _n_times(fed)
            if self._n_times > self._max_times:
                self._drop()
            self._ready.notify()

    def offer(self, take: Callable[[Fed], bool] | None) -> None:
        """Offer each chunk, that nothing else is before, to somebody at once.

        Waking the thread that waits in `get` takes longer than sending a chunk.

        Parameters
        ----------
        take : callable or None
            Is called in the thread that puts, must not wait, and says whether it took the
            chunk. None: nobody any more.
        """
        with self._ready:
            self._take_at_once = take

    def _drop(self) -> None:
        kept: deque[Fed] = deque()
        for fed in self._items:
            n_times = _n_times(fed)
            if n_times and self._n_times > self._max_times:
                self._n_times -= n_times
                self.n_dropped += n_times
            else:
                kept.append(fed)
        self._items = kept

    def get(self, timeout: float) -> Fed | None:
        """Return the oldest item, or None if none came within `timeout` seconds.

        Who asks again is done with the one before.
        """
        with self._ready:
            self._is_out = False
            if not self._items and not self._closed:
                self._ready.wait(timeout)
            if not self._items:
                return None
            fed = self._items.popleft()
            self._is_out = True
            self._n_times -= _n_times(fed)
            return fed

    @property
    def n_waiting(self) -> int:
        """How many samples wait."""
        return self._n_times

    def skip(self) -> None:
        """Drop the samples that wait, for somebody who begins now; all else stays."""
        with self._ready:
            self.n_dropped += self._n_times
            self._items = deque(fed for fed in self._items if not _n_times(fed))
            self._n_times = 0

    def purge(self) -> None:
        """Drop all that waits but states: the participant has stopped."""
        with self._ready:
            self._items = deque(fed for fed in self._items if isinstance(fed.item, SourceState))
            self._n_times = 0

    def clear(self) -> None:
        """Drop all that waits."""
        with self._ready:
            self._items.clear()
            self._n_times = 0

    def close(self) -> None:
        """Say that nothing more will be put."""
        with self._ready:
            self._closed = True
            self._ready.notify()

    @property
    def closed(self) -> bool:
        """Whether nothing more will be put."""
        with self._ready:
            return self._closed

    @property
    def ended(self) -> bool:
        """Whether all that will ever be put was taken."""
        with self._ready:
            return self._closed and not self._items


def _n_times(fed: Fed) -> int:
    return fed.item.n_times if isinstance(fed.item, Chunk) else 0


class Ingest:
    """Reads a source to its end, or until stopped.

    Parameters
    ----------
    source : Source
        Its tap, if any, is `recorder`.
    recorder : XdfWriter or None
        Flushed before anything goes to the queue: what is decoded is in the recording, however
        we end. If the disk fails, that is said once and decoding goes on.
    queue : FeedQueue
        Where items go.
    clock : Clock
        Says when an item was received.
    stop_markers : collection of str
        Markers that are the participant's stop, beside `STOP_MARKER`.
    on_withdraw : callable
        Gets the reason of a participant's stop, to keep it before anybody is told of it.

    Attributes
    ----------
    withdrawn : str
        Why the participant's stop ended it; empty if that did not.
    """

    def __init__(
        self,
        source: Source,
        recorder: XdfWriter | None,
        queue: FeedQueue,
        clock: Clock,
        stop_markers: Collection[str] = (),
        on_withdraw: Callable[[str], None] = lambda _reason: None,
    ) -> None:
        self._source = source
        self._recorder = recorder
        self._queue = queue
        self._clock = clock
        self._stop = threading.Event()
        self._row = 0
        self._stop_markers = {STOP_MARKER, *stop_markers}
        self._newest: Chunk | None = None
        self._injected: deque[tuple[str, float]] = deque()
        self._has_stream = False  # for what is injected, in the recording
        self._on_withdraw = on_withdraw
        self.withdrawn = ""

    def run(self, beat: Callable[[], None] = lambda: None) -> None:
        """Read until the source ends, or `stop` or `withdraw` is called, then close everything.

        After `withdraw` the queue stays open, and holds nothing but states.

        Parameters
        ----------
        beat : callable
            Called about once a second, as long as all is well.
        """
        t_beat = self._clock()
        try:
            while not self._stop.is_set():
                item = self._source.read(POLL)
                now = self._clock()
                self._inject(now)
                self._flush(now)
                if item is not None and not self.withdrawn:
                    self._take(item, now)
                    if isinstance(item, SourceState) and item.state == "ended":
                        break
                if now >= t_beat:
                    t_beat = now + BEAT
                    beat()
        finally:
            if not self.withdrawn:
                self._queue.close()
            self._source.close()
            if self._recorder is not None:
                self._recorder.close()

    def _take(self, item: Item, now: float) -> None:
        self._queue.put(Fed(item, self._row, now))
        if isinstance(item, Chunk):
            self._newest = item
            self._row += item.n_times
        elif isinstance(item, Marker) and _plain(item.label) in self._stop_markers:
            self.withdraw(f"the marker {item.label!r} stopped the session", tell=True)

    def withdraw(self, reason: str, *, tell: bool) -> None:
        """End at once: the participant stopped; any thread may call it.

        Parameters
        ----------
        reason : str
            Who stopped, or how, in one line for a person.
        tell : bool
            Whether the decoder has to be told.
        """
        self.withdrawn = self.withdrawn or reason
        self._stop.set()
        self._queue.purge()
        self._on_withdraw(reason)  # before anybody is told, who could resume
        if tell:
            self._queue.put(stopped(reason, self._clock()))

    def inject(self, label: str, t: float) -> None:
        """Take a marker that comes from no stream; any thread may call it.

        Parameters
        ----------
        label : str
            What it says.
        t : float
            When, in seconds on the LSL clock.
        """
        self._injected.append((label, t))

    def _inject(self, now: float) -> None:
        """Record what was injected, and give it the sample that it belongs to."""
        while self._injected and self._newest is not None:
            label, t = self._injected.popleft()
            at = self._newest
            if self._recorder is not None:
                self._record(self._recorder, label, t)
            sample = round((t - at.t_anchor) * at.spec.sfreq)
            self._take(Marker(label, t, at.segment, sample), now)

    def _record(self, recorder: XdfWriter, label: str, t: float) -> None:
        if not self._has_stream:
            from streaming.outlet import marker_xml  # pylsl: where it is loaded already

            self._has_stream = True
            recorder(StreamHeader(INJECTED, marker_xml("braincast injected")))
        recorder(RawSamples(INJECTED, np.array([t]), [label]))

    def _flush(self, now: float) -> None:
        if self._recorder is None:
            return
        try:
            self._recorder.flush()
        except SessionError as error:
            self._recorder = None
            self._queue.put(
                Fed(SourceState("failed", now, str(error), "recorder"), self._row, now)
            )

    def stop(self) -> None:
        """Make `run` return within about a tenth of a second; any thread may call it."""
        self._stop.set()


def stopped(reason: str, t: float) -> Fed:
    """Return what tells a decoder of the participant's stop."""
    return Fed(SourceState("stopped", t, reason, "session"), 0, t)


def _plain(label: str) -> str:
    """Return a label as a table of stimuli spells it: of a number without its zeros."""
    label = label.strip()
    whole, point, zeros = label.partition(".")
    return whole if point and not zeros.strip("0") else label
