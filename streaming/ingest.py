"""From a source to the recording and to the decoder; knows no model.

Nothing that a model or a client does can hold up the source: what goes to the decoder waits in
a bounded queue that drops the oldest samples (and says so), after they were recorded.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from streaming.errors import SessionError
from streaming.lsl_clock import Clock
from streaming.record import XdfWriter
from streaming.signal import Chunk, SourceState
from streaming.sources.source import Item, Source

__all__ = ["Fed", "FeedQueue", "Ingest"]

POLL = 0.1
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
        self._ready = threading.Condition()
        self.n_dropped = 0

    def put(self, fed: Fed) -> None:
        """Add an item; never waits."""
        with self._ready:
            self._items.append(fed)
            self._n_times += _n_times(fed)
            if self._n_times > self._max_times:
                self._drop()
            self._ready.notify()

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
        """Return the oldest item, or None if none came within `timeout` seconds."""
        with self._ready:
            if not self._items and not self._closed:
                self._ready.wait(timeout)
            if not self._items:
                return None
            fed = self._items.popleft()
            self._n_times -= _n_times(fed)
            return fed

    def skip(self) -> None:
        """Drop the samples that wait, for somebody who begins now; all else stays."""
        with self._ready:
            self.n_dropped += self._n_times
            self._items = deque(fed for fed in self._items if not _n_times(fed))
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
    """

    def __init__(
        self, source: Source, recorder: XdfWriter | None, queue: FeedQueue, clock: Clock
    ) -> None:
        self._source = source
        self._recorder = recorder
        self._queue = queue
        self._clock = clock
        self._stop = threading.Event()
        self._row = 0

    def run(self, beat: Callable[[], None] = lambda: None) -> None:
        """Read until the source ends or `stop` is called, then close everything.

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
                self._flush(now)
                if item is not None:
                    self._queue.put(Fed(item, self._row, now))
                    self._row += item.n_times if isinstance(item, Chunk) else 0
                    if isinstance(item, SourceState) and item.state == "ended":
                        break
                if now >= t_beat:
                    t_beat = now + BEAT
                    beat()
        finally:
            self._queue.close()
            self._source.close()
            if self._recorder is not None:
                self._recorder.close()

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
