"""A segment of a stream while it lasts: what its timestamps have said so far.

For `streaming.clock`; x, y and deliveries are as in `streaming.delays`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streaming.anchor import FIRST, Anchor
from streaming.arrivals import Step
from streaming.delays import UNSURE, Delays, Deliveries, Lateness
from streaming.envelope import USUAL, Envelope
from streaming.offset import Expected, Offset
from streaming.ramp import Ramp
from streaming.signal import Revision
from streaming.stamps import InOrder

__all__ = ["ONSET", "Given", "Known", "Past", "Segment"]

ONSET = 10.0
"""Seconds at the start of a segment in which its envelope is not yet low enough to tell usual
deliveries from late ones..."""

_TOLD = 25.0
"""...and in which its offset is told from all that is known of the stream (`Offset`,
`Expected`): with six blocks a second, the lowest of 10 s is 0.9 ms too late at worst (p95)."""

_CLEAR = 0.3e-3
"""How well the envelope is known, in seconds, and less than which is no delay."""

_SURE, _LIKELY = 12.0, 4.0
"""How many samples are lost is told for good once that is likelier than any other number by e
to this; and at last, if it is by e to that."""

_NO_WHOLE = 30.0
"""It was not the same amplifier that went on taking samples if that is less likely by e to this
(with uniform delays e to 13 comes by chance)."""

_EARLY = 0.008
"""A sample whose timestamp goes backwards to so many seconds before the envelope is worth being
told."""

_MEMORY = 0.25
"""Seconds of samples in which timestamps that go backwards are passed over."""

_SMOOTH = 0.25
"""Samples by which the anchor drifts at most within those that are given out together, where
the rate is not what was said."""

_Floats = NDArray[np.float64]


@dataclass(slots=True)
class Known:
    """What is known of a stream from its segments before.

    Parameters
    ----------
    lateness, delays : Lateness, Delays
        How late samples are delivered.
    slope, unsure : float
        How its clock runs against ours, and how well that is known, in seconds per second...
    n_seconds : int
        ...known from so many seconds.
    """

    lateness: Lateness
    delays: Delays = field(default_factory=Delays)
    slope: float = 0.0
    unsure: float = USUAL
    n_seconds: int = 0


class Past(NamedTuple):
    """What timestamps said before samples were lost, and how many samples that was."""

    envelope: Envelope
    n: int


class Given(NamedTuple):
    """Samples that were given out.

    Their number, the index of the first, and how far instants are off what is known [s].
    """

    n_times: int
    first: int
    away: float


class Segment:
    """Samples without a break.

    Parameters
    ----------
    number : int
        Which segment.
    sfreq : float
        Nominal rate, in Hz.
    known : Known
        Of the stream; learns.
    expected : Expected or None
        Where it begins, as far as is known.
    before : Past or None
        What was before the samples that are missing.

    Attributes
    ----------
    n : int
        Samples that were given out or filled in.
    n_told : int or None
        Samples that were said to be lost before it, if that is not sure.
    revisions : list of Revision
        What was found late; whoever tells it takes it away.
    early : float
        By how much a sample was stamped too early and out of order, in seconds; 0 if none was.
    """

    def __init__(
        self,
        number: int,
        sfreq: float,
        known: Known,
        expected: Expected | None = None,
        before: Past | None = None,
    ) -> None:
        self.number, self.n = number, 0
        self.n_told: int | None = None
        self.revisions: list[Revision] = []
        self.early = 0.0
        self._before = before
        self._is_same = expected is not None  # its samples are those of the same amplifier
        self._sfreq, self._known = sfreq, known
        self._anchor: Anchor | None = None  # before the first sample
        self._filled: tuple[int, int] | None = None  # where, how many; not sure yet
        self._envelope = Envelope(sfreq, known.slope, known.unsure, known.n_seconds)
        self._offset: Offset | None = None  # None: the envelope tells it
        if known.delays.learned:
            self._offset = Offset(known.delays, known.slope, expected)
        self._deliveries = Deliveries()
        self._in_order = InOrder(round(_MEMORY * sfreq))
        self._ramp = Ramp()

    @property
    def t_anchor(self) -> float:
        """See `streaming.signal.Chunk`."""
        return self._anchor.t if self._anchor is not None else 0.0

    @property
    def t_next(self) -> float:
        """When the sample after the last that was given out is taken."""
        return self.t_anchor + self.n / self._sfreq

    # -- samples that are not given out yet --

    def _instants(self, n_times: int) -> _Floats:
        """When the next samples are taken, at the nominal rate, from the segment's start."""
        return (self.n + np.arange(n_times)) / self._sfreq

    def late(self, stamps: _Floats) -> _Floats:
        """Return how late the next samples are by their timestamps, in seconds."""
        x = self._instants(len(stamps))
        return stamps - x - self._envelope.at(x)

    def n_plausible(self, stamps: _Floats) -> int:
        """Return how many samples there are up to the last that is where it should be."""
        late, threshold = self.late(stamps), self._known.lateness.threshold
        if self.n < ONSET * self._sfreq:
            threshold = max(threshold, UNSURE)
        earliest = -threshold if self.n > FIRST * self._sfreq else -FIRST
        plausible = np.flatnonzero(~((late > threshold) | (late < earliest)))
        return int(plausible[-1]) + 1 if len(plausible) else 0

    def jump(self, stamps: _Floats) -> float:
        """Return by how much samples are late at least, all of them implausible."""
        late = self.late(stamps)
        return float(late[np.abs(late).argmin()])

    def excess(self, stamps: _Floats) -> float:
        """Return by how much samples are likely to be too late, in seconds."""
        if not self._known.delays.learned:
            return self.jump(stamps)
        offset = Offset(self._known.delays, self._envelope.slope)
        deliveries = Deliveries()
        offset.add(*deliveries.add(stamps, self._instants(len(stamps))))
        estimate = offset.estimate(deliveries.pending)
        if estimate is None:
            return self.jump(stamps)
        return estimate[0] - self._envelope.height(0.0)

    def tilt(self, stamps: _Floats) -> bool:
        """Follow another rate than was said, if that is what the next samples say too."""
        if self.n > ONSET * self._sfreq:
            return False
        x = self._instants(len(stamps))
        slope = self._ramp.slope(x, stamps, self._envelope.slope)
        if slope is None:
            return False
        self._envelope = Envelope(self._sfreq, slope)
        for x, y in zip(*self._ramp.points, strict=True):
            self._envelope.add(float(x), float(y), high=float(y), n=1)
        self._offset = None
        return True

    # -- samples that are given out --

    def give(self, stamps: _Floats) -> Given:
        """Give out the next samples, or as many of them as have one anchor."""
        slope = abs(self._envelope.slope)
        if self.n and slope * len(stamps) > _SMOOTH:
            stamps = stamps[: max(1, int(_SMOOTH / slope))]
        n_times, first = len(stamps), self.n
        x = self._instants(n_times)
        self._learn(stamps, x)
        if x[-1] < 1 or int(x[-1]) > int(x[0] - 1 / self._sfreq):  # once a second
            self._recount(_SURE if x[-1] <= _TOLD else _LIKELY)
            self._recount_filled()
        target = self._target(float(x[-1]))
        drift = self._envelope.slope * n_times / self._sfreq
        if self._anchor is None:
            self._anchor = Anchor(self._sfreq, target - drift)
        away = self._anchor.follow(target, drift, n_times, n_before=first)
        if x[-1] > _TOLD:
            self._offset = None
        self.n += n_times
        return Given(n_times, first, away)

    def skip(self, n_times: int) -> None:
        """Leave out samples that are to be filled in."""
        self._filled = self.n, n_times
        self.n += n_times

    def lift(self, by: float) -> None:
        """Follow a clock that was set by so many seconds."""
        self._envelope.lift(by)

    def _learn(self, stamps: _Floats, x: _Floats) -> None:
        """Take what the timestamps of the next samples say."""
        n_times, x_first = len(x), x[0]
        raw, stamps = stamps, self._in_order.blank(stamps)
        says = ~np.isnan(stamps)
        if not says.all():
            late = raw[~says] - x[~says] - self._envelope.at(x[~says])
            if n_times < self.n and (late < -_EARLY).any():  # there is an envelope
                self.early = float(-np.nanmin(late))
            stamps, x = stamps[says], x[says]
        if not len(x):
            return
        y = stamps - x
        x_delivered, y_delivered = self._deliveries.add(stamps, x)
        at = int(y.argmin())
        lowest = float(x[at]), float(y[at])
        if self._envelope.is_odd(*lowest):
            return
        if x_first < ONSET:
            self._ramp.add(x_delivered, y_delivered)
        if self._offset is not None and len(x_delivered):
            self._offset.add(x_delivered, y_delivered)
        high = float(y_delivered.max()) if len(y_delivered) else lowest[1]
        rise = self._envelope.add(*lowest, high=high, n=len(x_delivered))
        if rise is not None:
            first, stop = (round(t * self._sfreq) + 1 for t in (rise.start, rise.stop))
            first, stop = max(first, 0), max(stop, 1)  # what is seen may be of before a gap
            t = self.t_anchor + first / self._sfreq
            self._revise(Revision(self.number, first, stop, t, rise.n_times))
        late = y_delivered - self._envelope.at(x_delivered)
        if x_first > FIRST:
            self._known.lateness.add(late, n_times)
        if x_first > ONSET:
            self._known.delays.add(late, n_times / self._sfreq)

    def _target(self, x: float) -> float:
        """Return what the anchor should be, as far as is known."""
        height = self._envelope.height(x)
        if self._offset is None:
            return height
        offset, _ = self._estimate(self._offset)
        return height + offset - self._envelope.height(0.0)

    def _estimate(self, offset: Offset) -> tuple[float, float]:
        """Return the likely offset at the segment's start, and how well it is known."""
        estimate = offset.estimate(self._deliveries.pending)
        lowest = self._envelope.height(0.0)
        if estimate is None:
            return lowest, _CLEAR
        likely, error = estimate
        if error <= _CLEAR and lowest - likely < _CLEAR:  # nothing is late
            return lowest, _CLEAR
        return likely, error

    # -- its end --

    def end(self) -> None:
        """Keep what is known of the stream; no more samples follow."""
        self._recount(_LIKELY)
        self._before = None
        self._known.slope = self._envelope.slope
        self._known.unsure = self._envelope.unsure
        self._known.n_seconds = self._envelope.n_known

    def expect(self, *, step: Step | None = None) -> Expected:
        """Return where the next segment may begin: after a loss, or a step of the clock."""
        x, slope = self.n / self._sfreq, self._envelope.slope
        t = self._target(x) + x
        if step is None:
            return Expected(t, (1 + slope) / self._sfreq, _CLEAR)
        return Expected(t + step.size, 0.0, step.error)

    @property
    def past(self) -> Past:
        """What it leaves to the next, if samples are missing between the two."""
        return Past(self._envelope, self.n)

    def renew(self) -> Segment:
        """Return the next, which begins where this one's timestamps say it does."""
        self.end()
        renewed = Segment(self.number + 1, self._sfreq, self._known)
        self._envelope.rebase(self.n / self._sfreq)
        renewed._envelope, renewed._offset = self._envelope, None
        renewed._anchor = Anchor(self._sfreq, self._envelope.height(0.0))
        return renewed

    def _revise(self, revision: Revision) -> None:
        """Say that samples are missing within the segment."""
        self.revisions.append(revision)
        if (
            self.n_told is not None
        ):  # the envelope up to there was lifted, as if they were before
            self.n_told += revision.n_times

    def _recount(self, margin: float) -> None:
        """Say so if the gap before this segment turns out to be longer or shorter."""
        before, told = self._before, self.n_told
        if before is None or told is None:
            return
        count = self._envelope.count_since(before.envelope, before.n, told)
        if count.margin < margin:
            return
        self._before = self.n_told = None
        if count.misfit > _NO_WHOLE:
            return
        if count.n_times != told:
            missing = count.n_times - told
            self.revisions.append(Revision(self.number, 0, 1, self.t_anchor, missing))
        if self._is_same and before.envelope.mean_delay > _CLEAR:
            self._envelope.join(before.envelope, (before.n + count.n_times) / self._sfreq)
            self._offset = None

    def _recount_filled(self) -> None:
        """Say so if more samples were missing than were filled in, or fewer."""
        if self._filled is None:
            return
        first, n_filled = self._filled
        x = first / self._sfreq
        count = self._envelope.count_at(x, n_filled)
        if count is None or count.margin < _SURE:
            if self.n / self._sfreq > x + _TOLD:
                self._filled = None
            return
        self._filled = None
        if count.n_times and count.misfit < _NO_WHOLE:
            self._envelope.insert(x, count.n_times)
            t = self.t_anchor + x
            self._revise(Revision(self.number, first, first + 1, t, count.n_times))
