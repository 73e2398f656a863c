"""The signal of the golden session: of a simulated participant, with all that can go wrong."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from decoder.simulation import live_participant
from streaming.ingest import Fed
from streaming.link import Hello
from streaming.signal import Chunk, Gap, Impedance, Marker, Revision, SourceState
from streaming.sources.simulated import SimulatedSettings
from streaming.sources.source import Item

SETTINGS = SimulatedSettings(n_channels=16, soa=1.2)
N_TRIALS = 44
T0 = 1000.0
"""What the clock reads at the start, in seconds."""

TROUBLES = {
    "impedance": 4.0,
    "unknown marker": 9.0,
    "no number": 14.4,
    "filled": 17.0,
    "lost": 20.0,
    "found": 20.4,
    "revision": 24.0,
    "stalled": 31.0,
    "overrun": 34.0,
}
"""What happens, and when, in seconds from the first sample."""


class Feed:
    """Hands a service the items when they are due, once it is let begin; as a `LinkFeed`."""

    n_dropped = 0

    def __init__(self) -> None:
        self._source = live_participant(SETTINGS, n_trials=N_TRIALS)
        self._began = time.monotonic()
        self._items: Iterator[Item | None] | None = None
        self._marks: deque[Marker] = deque()
        self._stopped = False
        self._row, self._segment, self._anchor = 0, 0, 0
        self.ended = False
        self.begin = threading.Event()
        self.hello = Hello(self._source.name, self._source.spec, self._source.to_si)

    def clock(self) -> float:
        """Return the time, in seconds."""
        return T0 + time.monotonic() - self._began

    def stop(self, _: str) -> None:
        """Record no more."""
        self._stopped = True

    def resume(self) -> None:
        """Go on."""
        self._stopped = False

    def inject(self, label: str, t: float) -> bool:
        """Give a marker to the session, as one of the source."""
        self._marks.append(Marker(label, t, self._segment, self._row))
        return True

    def get(self, timeout: float) -> Fed | None:
        """Return the next item once it is due."""
        if not self.begin.wait(timeout):
            return None
        if self._marks:
            return Fed(self._marks.popleft(), 0, self.clock())
        if self._items is None:
            self._items = self._troubled(self.clock())
        try:
            item = next(self._items)
        except StopIteration:
            self.ended = True
            return None
        if item is None:
            return None
        row = self._row
        self._row += item.n_times if isinstance(item, Chunk) else 0
        return Fed(item, row, self.clock())

    def _due(self, t0: float) -> Iterator[Item]:
        for item in iter(lambda: self._source.read(0.0), None):
            due = item.t_end if isinstance(item, Chunk) else item.t
            time.sleep(max(0.0, due + t0 - self.clock()))
            yield item

    def _troubled(  # noqa: C901, PLR0912 - one for each kind of trouble
        self, t0: float
    ) -> Iterator[Item | None]:
        """Let happen to the signal what can; None is for what is lost."""
        sfreq, lost, why = SETTINGS.sfreq, 0, "lost"
        at = {name: round(t * sfreq) for name, t in TROUBLES.items()}
        for item in self._due(t0):
            if isinstance(item, SourceState):
                yield replace(item, t=item.t + t0)
            elif isinstance(item, Marker) and not self._stopped:
                place = max(item.sample - self._anchor, 0)
                yield Marker(item.label, item.t + t0, self._segment, place)
            elif isinstance(item, Chunk):
                first, stop = item.first, item.first + item.n_times
                here = {name for name, sample in at.items() if first <= sample < stop}
                t = t0 + item.t0
                if at["lost"] <= first < at["found"] or self._stopped:
                    lost, why = lost + item.n_times, "stopped" if self._stopped else "lost"
                    yield None
                    continue
                if lost:
                    yield Gap(t - lost / sfreq, lost / sfreq, why)
                    self._segment, self._anchor, lost = self._segment + 1, first, 0
                place, segment = first - self._anchor, self._segment
                if "impedance" in here:
                    names = item.spec.ch_names
                    yield Impedance(
                        names, tuple(4000.0 + 500 * i for i in range(len(names))), t
                    )
                if "unknown marker" in here:
                    yield Marker("cough", t, segment, place)
                if "revision" in here:
                    yield Revision(segment, place - 200, place - 180, t - 200 / sfreq, 2)
                if "filled" in here:
                    yield Gap(t, 3 / sfreq, "filled")
                if "stalled" in here:
                    yield SourceState("stalled", t, "no samples for 2 s")
                    yield SourceState("live", t, "samples come again")
                if "overrun" in here:
                    continue
                data = item.data
                if "no number" in here:
                    data = np.where(np.arange(data.shape[0])[:, None] == 0, np.nan, data)
                anchor = t0 + self._anchor / sfreq
                yield Chunk(data.astype(np.float32), item.spec, segment, place, anchor)
