"""Where stimuli really began: what `braincast timing` measured, applied to markers."""

from __future__ import annotations

import json
import logging
from collections import deque
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streaming.errors import ConfigError
from streaming.pulses import QUIET
from streaming.signal import Chunk, Gap, Marker, Revision, SignalSpec, SourceState
from streaming.sources.source import Item, Source

__all__ = [
    "TimedSource",
    "Timing",
    "Trigger",
    "choose_timing",
    "read_timing",
    "write_timing",
]

logger = logging.getLogger(__name__)

TOLERANCE = 0.05
"""Farthest that a pulse may be from where its marker says, in seconds."""

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Trigger:
    """A channel whose pulses say when stimuli begin.

    Parameters
    ----------
    channel : str
        Its name.
    threshold : float
        A pulse is beyond it, in the channel's SI unit.
    rising : bool
        Whether beyond is above.
    """

    channel: str
    threshold: float
    rising: bool


@dataclass(frozen=True, slots=True)
class Timing:
    """How markers and samples are late.

    Parameters
    ----------
    onset_offset : float
        From a marker to the sample in which its stimulus shows, in seconds; it is added to
        every marker.
    device_delay : float or None
        From the electrode to the timestamp of the sample, in seconds; it is added to every
        latency. None: not measured.
    trigger : Trigger or None
        Take onsets from this channel, and from markers only what was shown.
    """

    onset_offset: float = 0.0
    device_delay: float | None = None
    trigger: Trigger | None = None


def write_timing(path: Path, timing: Timing, measured: dict[str, Any]) -> None:
    """Save what was measured.

    Parameters
    ----------
    path : Path
        The file, JSON.
    timing : Timing
        What to apply.
    measured : dict
        How it was found out; kept for people.

    Raises
    ------
    ConfigError
        If it cannot be written.
    """
    content = {"format": FORMAT, **asdict(timing), "measured": measured}
    try:
        path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        msg = f"cannot write {path} ({error.strerror}); name another file with --output"
        raise ConfigError(msg) from error


def read_timing(path: Path) -> Timing:
    """Read what was saved.

    Raises
    ------
    ConfigError
        If it is no such file.
    """
    try:
        content = json.loads(path.read_bytes())
        if content["format"] != FORMAT:
            msg = f"{path} has format {content['format']}, this braincast reads {FORMAT}"
            raise ConfigError(msg)
        trigger = content["trigger"]
        return Timing(
            float(content["onset_offset"]),
            None if content["device_delay"] is None else float(content["device_delay"]),
            None if trigger is None else Trigger(**trigger),
        )
    except (OSError, ValueError, TypeError, KeyError) as error:
        msg = f"{path} is no timing file ({error}): make one with braincast timing"
        raise ConfigError(msg) from error


def choose_timing(
    path: Path | None, onsets: str, device_delay: float | None = None
) -> Timing | None:
    """Return what to apply; None for nothing.

    Parameters
    ----------
    path : Path or None
        The timing file.
    onsets : str
        ``"markers"`` or ``"trigger"``.
    device_delay : float or None
        In place of what the file says, in seconds.

    Raises
    ------
    ConfigError
        If the file is none, or onsets are to come from a channel that it does not name.
    """
    if onsets not in {"markers", "trigger"}:
        msg = f"--onsets is {onsets!r}: say markers or trigger"
        raise ConfigError(msg)
    timing = Timing() if path is None else read_timing(path)
    if onsets == "trigger" and timing.trigger is None:
        found = f"{path} names no trigger channel (its baseline wanders)" if path else "no file"
        msg = f"--onsets trigger needs --timing with a trigger channel, and there is {found}"
        raise ConfigError(msg)
    if onsets == "markers":
        timing = replace(timing, trigger=None)
    if device_delay is not None:
        timing = replace(timing, device_delay=device_delay)
    return None if timing == Timing() else timing


class TimedSource:
    """A source whose markers are moved to where their stimuli began.

    Without a trigger channel each marker is moved by the offset. With one, it waits until the
    samples around that place are there, and is then moved to the nearest pulse within 50 ms;
    without a pulse it is moved by the offset, which is logged. Samples, gaps and states pass
    at once. As this comes before the journal, a session is fed again with the markers as they
    were moved.

    Parameters
    ----------
    source : Source
        Where items come from.
    timing : Timing
        What to apply.

    Raises
    ------
    ConfigError
        If the source has no such trigger channel.
    """

    def __init__(self, source: Source, timing: Timing) -> None:
        self._source, self._timing = source, timing
        self._pulses: _Pulses | None = None
        if timing.trigger is not None:
            self._pulses = _Pulses(source.spec, timing.trigger)
        self._ready: deque[Item] = deque()
        self._waiting: list[Marker] = []

    @property
    def name(self) -> str:
        """Name of the source."""
        return self._source.name

    @property
    def spec(self) -> SignalSpec:
        """Rate and channels of the source."""
        return self._source.spec

    @property
    def to_si(self) -> tuple[float, ...]:
        """What recorded samples are multiplied with."""
        return self._source.to_si

    def read(self, timeout: float) -> Item | None:
        """Return the next item, waiting up to `timeout` seconds, or None if there is none."""
        while not self._ready:
            item = self._source.read(timeout)
            if isinstance(item, Marker):
                self._waiting.append(self._moved(item))
            elif isinstance(item, Chunk):
                if self._pulses is not None:
                    self._pulses.feed(item)
                self._ready.append(item)
            # after a gap or a state nothing more is sure to come
            self._ready += self._decided(everything=isinstance(item, Gap | SourceState))
            if isinstance(item, Gap | Revision | SourceState):
                self._ready.append(item)
            elif item is None:
                break
        return self._ready.popleft() if self._ready else None

    def close(self) -> None:
        """Close the source."""
        self._source.close()

    def _moved(self, marker: Marker) -> Marker:
        offset = self._timing.onset_offset
        sample = marker.sample + self.spec.to_samples(offset)
        return replace(marker, t=marker.t + offset, sample=sample)

    def _decided(self, *, everything: bool) -> list[Item]:
        pulses, waiting = self._pulses, self._waiting
        if pulses is None:
            self._waiting = []
            return [*waiting]
        passed = [everything or pulses.has_passed(marker) for marker in waiting]
        self._waiting = [m for m, now in zip(waiting, passed, strict=True) if not now]
        return [pulses.snap(m) for m, now in zip(waiting, passed, strict=True) if now]


class _Pulses:
    """The pulses of a trigger channel, as samples come; how they are cut changes nothing."""

    def __init__(self, spec: SignalSpec, trigger: Trigger) -> None:
        if trigger.channel not in spec.ch_names:
            msg = (
                f"the stream has no trigger channel {trigger.channel}; it has "
                f"{', '.join(spec.ch_names)}: name one with braincast timing --channel"
            )
            raise ConfigError(msg)
        self._row = spec.ch_names.index(trigger.channel)
        self._sfreq, self._trigger = spec.sfreq, trigger
        self._quiet = max(1, spec.to_samples(QUIET))
        self._reach = spec.to_samples(TOLERANCE)
        self._segment, self._next, self._last_on = -1, 0, 0
        self._found: deque[int] = deque(maxlen=256)

    def feed(self, chunk: Chunk) -> None:
        if chunk.segment != self._segment or chunk.first != self._next:
            self._segment, self._last_on = chunk.segment, chunk.first - 1
            self._found.clear()
        x = chunk.data[self._row]
        beyond = x > self._trigger.threshold
        if not self._trigger.rising:
            beyond = x < self._trigger.threshold
        for n in _indices(beyond):
            at = chunk.first + n
            if at - self._last_on > self._quiet:
                self._found.append(at)
            self._last_on = at
        self._next = chunk.first + chunk.n_times

    def has_passed(self, marker: Marker) -> bool:
        if marker.segment != self._segment:
            return marker.segment < self._segment
        return self._next > marker.sample + self._reach

    def snap(self, marker: Marker) -> Marker:
        near = [
            at
            for at in self._found
            if marker.segment == self._segment and abs(at - marker.sample) <= self._reach
        ]
        if not near:
            logger.info("no pulse for marker %s: it is placed by the offset", marker.label)
            return marker
        at = min(near, key=lambda n: abs(n - marker.sample))
        self._found.remove(at)
        return replace(marker, t=marker.t + (at - marker.sample) / self._sfreq, sample=at)


def _indices(beyond: NDArray[np.bool_]) -> list[int]:
    found: list[int] = np.flatnonzero(beyond).tolist()
    return found
