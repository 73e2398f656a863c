"""Windows of exactly the length that a model takes."""

from __future__ import annotations

import heapq
import math
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streaming.errors import ConfigError
from streaming.ring import Ring
from streaming.signal import Bad, Chunk, Marker, SignalSpec, Window

__all__ = [
    "LockedWindows",
    "Reason",
    "SlidingWindows",
    "Windower",
    "Windowing",
    "Withheld",
    "windowing_from_json",
]

Reason = Literal["settling", "gap", "late", "bad samples", "bad channels", "artifact"]

_REASONS: dict[int, Reason] = {
    Bad.SAMPLES: "bad samples",
    Bad.CHANNELS: "bad channels",
    Bad.ARTIFACT: "artifact",
}

_HISTORY = 5.0
"""How late a marker may be, in seconds: ten times what an experiment's network takes."""

_MAX_WAITING = 4096
"""How many markers may wait for their samples: those of an hour, sent ahead."""


@dataclass(frozen=True, slots=True)
class LockedWindows:
    """One window around each marker.

    Parameters
    ----------
    tmin, tmax : float
        Start and end of the window relative to its marker, in seconds; the sample at `tmax`
        is not in it.
    baseline : tuple of float or None
        Start and end, relative to the marker and within the window, of the stretch whose mean
        is subtracted from each channel; None for no baseline.
    latencies : tuple of float
        Ends of the windows that are cut around each marker, one after the other, in seconds:
        all begin at `tmin`, and the last ends at `tmax`. Empty: that one alone.
    """

    tmin: float
    tmax: float
    baseline: tuple[float, float] | None = None
    latencies: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        """Refuse an empty window and a baseline outside of it."""
        if not self.tmin < self.tmax:
            msg = f"locked windows need tmin < tmax, got tmin={self.tmin}, tmax={self.tmax} s"
            raise ConfigError(msg)
        if self.baseline is not None:
            start, stop = self.baseline
            if not self.tmin <= start < stop <= self.tmax:
                msg = (
                    f"baseline must lie within the window of {self.tmin} to {self.tmax} s, "
                    f"got {start} to {stop} s"
                )
                raise ConfigError(msg)
        first = self.tmin if self.baseline is None else self.baseline[1]
        ends = [first, *self.latencies]
        if self.latencies and (
            any(later <= end for end, later in pairwise(ends)) or ends[-1] != self.tmax
        ):
            msg = (
                f"latencies must grow from above {first:g} s to tmax={self.tmax:g} s, "
                f"got {', '.join(f'{end:g}' for end in self.latencies)}"
            )
            raise ConfigError(msg)

    @property
    def ends(self) -> tuple[float, ...]:
        """Where the windows around a marker end, relative to it, in seconds."""
        return self.latencies or (self.tmax,)

    def to_json(self) -> dict[str, Any]:
        """Return the same as plain data, as a model folder stores it."""
        values = asdict(self)
        if not self.latencies:
            del values["latencies"]  # as models have it that were made before
        return {"windows": "locked", **values}


@dataclass(frozen=True, slots=True)
class SlidingWindows:
    """One window every so often.

    Parameters
    ----------
    duration : float
        Length of a window, in seconds.
    hop : float
        From one window to the next, in seconds.
    """

    duration: float
    hop: float

    def __post_init__(self) -> None:
        """Refuse windows without samples and time that stands still."""
        if not (self.duration > 0 and self.hop > 0):
            msg = (
                f"sliding windows need a duration and a hop above 0 s, "
                f"got duration={self.duration}, hop={self.hop}"
            )
            raise ConfigError(msg)

    def to_json(self) -> dict[str, Any]:
        """Return the same as plain data, as a model folder stores it."""
        return {"windows": "sliding", **asdict(self)}


Windowing = LockedWindows | SlidingWindows


def windowing_from_json(values: dict[str, Any]) -> Windowing:
    """Make what `to_json` was called on.

    Examples
    --------
    >>> windowing_from_json({"windows": "sliding", "duration": 1.0, "hop": 0.25})
    SlidingWindows(duration=1.0, hop=0.25)
    """
    kinds = {"locked": LockedWindows, "sliding": SlidingWindows}
    settings = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
    kind = settings.pop("windows", None)
    if kind not in kinds:
        msg = f"windows={kind!r} is none of {', '.join(kinds)}"
        raise ConfigError(msg)
    try:
        made: Windowing = kinds[kind](**settings)
    except (TypeError, ValueError) as error:  # unknown, missing, or of another type
        msg = f"{kind} windows: {error}"
        raise ConfigError(msg) from error
    return made


@dataclass(frozen=True, slots=True)
class Withheld:
    """A window that no model may see.

    Parameters
    ----------
    decode_id : str
        Kind of window and index of what triggered it, as for a `Window`.
    reason : str
        ``"settling"``: the chain had not settled. ``"gap"``: it reaches over an end of its
        segment. ``"late"``: its marker came when the samples were gone. ``"bad samples"``:
        some were not measured. ``"bad channels"``: more than can be interpolated.
        ``"artifact"``: too large or too steep, by the chain's `streaming.gate.Gate`.
    marker : Marker or None
        What a locked window is locked to.
    segment, first, n_times : int
        The samples it would have covered, at the rate of the chain's output.
    t_start, t_end : float
        The same in seconds on the LSL clock.
    revision : int
        Which of the windows of its `decode_id` it would have been.
    """

    decode_id: str
    reason: Reason
    marker: Marker | None
    segment: int
    first: int
    n_times: int
    t_start: float
    t_end: float
    revision: int = 0


class _Trigger(NamedTuple):
    """What asks for a window; they sort in the order in which their windows are complete."""

    segment: int
    stop: int  # index of the sample after the window's last
    number: int
    revision: int = 0
    marker: Marker | None = None


class Windower:
    """Cuts a chain's output into windows.

    A window is decided on when its last sample is there: made, or withheld. How the stream is
    cut changes nothing about the windows, their ids or their order. Ids count all triggers
    from 0, those of withheld windows too.

    Parameters
    ----------
    windowing : LockedWindows or SlidingWindows
        Which windows.
    spec_in : SignalSpec
        Of the source, whose rate markers are counted at.
    spec_out : SignalSpec
        Of the chain's output.
    settling : float
        How long after the start of a segment that output cannot be trusted, in seconds.
    first_trigger : int
        Where ids begin to count: above 0 when a session goes on after a crash.
    """

    def __init__(
        self,
        windowing: Windowing,
        spec_in: SignalSpec,
        spec_out: SignalSpec,
        settling: float,
        first_trigger: int = 0,
    ) -> None:
        self.windowing = windowing
        self._spec = spec_out
        self._rate_ratio = spec_out.sfreq / spec_in.sfreq
        self._n_settling = math.ceil(settling * spec_out.sfreq)
        self._n_history = spec_out.to_samples(_HISTORY)
        if isinstance(windowing, LockedWindows):
            self._kind = "locked"
            durations = [end - windowing.tmin for end in windowing.ends]
        else:
            self._kind, durations = "sliding", [windowing.duration]
            self._hop = max(spec_out.to_samples(windowing.hop), 1)
        self._lengths = [spec_out.to_samples(duration) for duration in durations]
        self.n_times = self._lengths[-1]
        if self._lengths[0] < 1:
            msg = f"a window of {durations[0]:g} s has no sample at {spec_out.sfreq:g} Hz"
            raise ConfigError(msg)
        # A piece of up to n_history samples is written before the windows in it are cut.
        capacity = self.n_times + self._n_history
        self._samples = Ring(len(spec_out.ch_names), capacity)
        self._bad = Ring(1, capacity, np.uint8)
        self._bad_stop = 0  # no sample from here on, nor before its start, is bad or in `_bad`
        self._waiting: list[_Trigger] = []  # a heap
        self._n_triggers = first_trigger
        self._segment = -1
        self._segment_first = 0  # index of the segment's first sample
        self._t_anchor = 0.0

    def feed(self, chunk: Chunk) -> list[Window | Withheld]:
        """Take the chain's next output and return the windows that it decides, in order."""
        if chunk.n_times == 0:
            return []
        decided: list[Window | Withheld] = []
        if chunk.segment != self._segment:
            decided += self._begin_segment(chunk)
        self._t_anchor = chunk.t_anchor
        for at in range(0, chunk.n_times, self._n_history):
            piece = slice(at, at + self._n_history)
            data = chunk.data[:, piece]
            self._samples.write(data)
            if chunk.bad is not None:
                self._note_bad(chunk.bad[piece])
            decided += self._decide_complete()
        return decided

    def mark(self, marker: Marker) -> list[Window | Withheld]:
        """Ask for the windows around `marker`, and return those that are decided already.

        The marker may come before its samples or after them, and out of order.
        """
        if not isinstance(self.windowing, LockedWindows):
            return []
        # Decimate keeps the last of n samples. Of two that are as near, take the later.
        at = math.floor((marker.sample + 1) * self._rate_ratio + 0.5) - 1
        start = at + self._spec.to_samples(self.windowing.tmin)
        number, newest = self._n_triggers, (self._segment, self._samples.stop)
        self._n_triggers += 1
        decided: list[Window | Withheld] = []
        for revision, length in enumerate(self._lengths):
            trigger = _Trigger(marker.segment, start + length, number, revision, marker)
            if trigger.segment < self._segment:
                decided.append(self._withhold(trigger, "late"))
            elif trigger[:2] <= newest:
                decided.append(self._decide(trigger))
            else:
                heapq.heappush(self._waiting, trigger)
        while len(self._waiting) > _MAX_WAITING:
            furthest = max(self._waiting)
            self._waiting.remove(furthest)
            heapq.heapify(self._waiting)
            decided.append(self._withhold(furthest, "gap"))
        return decided

    @property
    def n_triggers(self) -> int:
        """How many windows were asked for: where another windower begins to count."""
        return self._n_triggers

    def abandon(self) -> list[Withheld]:
        """Give up the windows that markers still wait for: another chain decodes from now on.

        That one has to settle, and says so of windows of its own.
        """
        lost = [heapq.heappop(self._waiting) for _ in range(len(self._waiting))]
        if not isinstance(self.windowing, LockedWindows):
            return []  # nobody asked for those: they come by themselves
        return [self._withhold(trigger, "settling") for trigger in lost]

    def _begin_segment(self, chunk: Chunk) -> list[Window | Withheld]:
        """Start afresh with the first samples of a segment; what waited for others is lost."""
        lost = []
        while self._waiting and self._waiting[0].segment < chunk.segment:
            lost.append(heapq.heappop(self._waiting))
        self._segment, self._segment_first = chunk.segment, chunk.first
        self._samples.clear(chunk.first)
        self._bad.clear(chunk.first)
        self._bad_stop = chunk.first
        if isinstance(self.windowing, LockedWindows):
            return [self._withhold(trigger, "gap") for trigger in lost]
        # Sliding windows start at multiples of the hop. One that ends with its segment never
        # was asked for, as its last sample is what asks for it.
        start = math.ceil(chunk.first / self._hop) * self._hop
        self._await_sliding(start + self.n_times)
        return []

    def _await_sliding(self, stop: int) -> None:
        """Wait for the sliding window that ends before `stop`."""
        heapq.heappush(self._waiting, _Trigger(self._segment, stop, self._n_triggers))

    def _decide_complete(self) -> list[Window | Withheld]:
        """Decide on all windows whose last sample is there."""
        decided: list[Window | Withheld] = []
        newest = (self._segment, self._samples.stop)
        while self._waiting and self._waiting[0][:2] <= newest:
            trigger = heapq.heappop(self._waiting)
            decided.append(self._decide(trigger))
            if isinstance(self.windowing, SlidingWindows):
                self._n_triggers += 1
                self._await_sliding(trigger.stop + self._hop)
        return decided

    def _decide(self, trigger: _Trigger) -> Window | Withheld:
        """Cut one window whose last sample is there, or say why not."""
        start, stop = trigger.stop - self._lengths[trigger.revision], trigger.stop
        if start < self._segment_first:
            return self._withhold(trigger, "gap")
        if start < self._samples.start:
            return self._withhold(trigger, "late")
        if start < self._segment_first + self._n_settling:
            return self._withhold(trigger, "settling")
        quality = 1.0
        known = max(start, self._bad.start), min(stop, self._bad_stop)
        if known[0] < known[1]:
            bad = self._bad.read(*known)
            if (worst := int(bad.max())) > Bad.FILLED:
                return self._withhold(trigger, _REASONS[worst])
            quality = 1.0 - np.count_nonzero(bad == Bad.FILLED) / (stop - start)
        data = self._samples.read(start, stop).copy()
        if isinstance(self.windowing, LockedWindows) and self.windowing.baseline is not None:
            from_, to = (
                self._spec.to_samples(t - self.windowing.tmin) for t in self.windowing.baseline
            )
            data -= data[:, from_:to].mean(axis=1, dtype=np.float64, keepdims=True)
        chunk = Chunk(data, self._spec, self._segment, start, self._t_anchor)
        name = f"{self._kind}/{trigger.number}"
        return Window(chunk, name, quality, trigger.marker, trigger.revision)

    def _note_bad(self, bad: NDArray[np.uint8]) -> None:
        """Keep what is wrong with the samples that were just written; those before are good."""
        first = self._samples.stop - len(bad)
        if first - self._bad_stop >= self._bad.capacity:
            self._bad.clear(first)
        elif first > self._bad_stop:
            self._bad.write(np.zeros((1, first - self._bad_stop), np.uint8))
        self._bad.write(bad[None, :])
        self._bad_stop = self._samples.stop

    def _withhold(self, trigger: _Trigger, reason: Reason) -> Withheld:
        """Say why there is no window."""
        n_times = self._lengths[trigger.revision]
        first = trigger.stop - n_times
        if isinstance(self.windowing, LockedWindows) and trigger.marker is not None:
            # By the marker's own time, as its segment may be another than the anchor's.
            t_start = trigger.marker.t + self.windowing.tmin
        else:
            t_start = self._t_anchor + first / self._spec.sfreq
        return Withheld(
            decode_id=f"{self._kind}/{trigger.number}",
            reason=reason,
            marker=trigger.marker,
            segment=trigger.segment,
            first=first,
            n_times=n_times,
            t_start=t_start,
            t_end=t_start + n_times / self._spec.sfreq,
            revision=trigger.revision,
        )
