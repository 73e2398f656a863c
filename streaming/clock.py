"""When samples were taken, and whether any are missing: LSL has no sample counter.

All it gives is a timestamp for each sample, by the sender. What is known of them:

- They are late, never early: a block is stamped when it arrives at the computer, and radio
  adds up to some 20 ms. So the truth is the lower envelope of ``t_i - i / sfreq``.
- Wireless amplifiers bunch and repeat them without losing a sample, and after a radio dropout
  may send what they had stored: a single interval means nothing. A loss is what timestamps
  say for a whole `DECISION` window without catching up.
- The amplifier's clock differs from ours by 100 millionths and more, and the nominal rate is
  all that is declared; so the envelope is tilted, and its slope is learned.

How late may a sample be and yet not be a loss? Later by a tenth than is usual in this stream,
which is learned: from 8 ms with exact timestamps, through 22 ms where blocks are up to 20 ms
late, to 100 ms. In the first 2 s of a stream it is 100 ms, and in the first 10 s of a segment
22 ms or more. A loss of up to 20 ms is filled in (`MAX_FILL`); what hides among late blocks is
seen within 30 s, when all deliveries since are later than chance allows
(`streaming.envelope`), and said as a `Revision`, as is another length of a gap.

After a loss the offset is told from how late deliveries usually are (`Offset`), and from where
the amplifier's next samples can be (`_Expected`). If it is known when samples arrive, a clock
that was set is told from a loss: its samples arrive as before. ``python -m benchmarks clock``
measures all this with simulated clocks; the table is in docs/reference/benchmarks.md.

A rate that is up to 2.4 % from what the amplifier says is learned in 3 to 5 s; until then
instants are wrong by up to 74 ms, and later by 2.2 ms with blocks of 8 samples that are up to
20 ms late, or by 6 ms with exact ones of a quarter of a second. One that is further off gives
instants that are, and gaps: `doctor` says how many samples come.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from streaming.delays import THRESHOLD, UNSURE, Delays, Deliveries, Lateness, Offset
from streaming.envelope import Envelope
from streaming.errors import SourceError
from streaming.signal import Gap, Revision

__all__ = ["DECISION", "MAX_FILL", "THRESHOLD", "StreamClock", "Stretch"]

MAX_FILL = 0.02
"""Losses up to so many seconds are filled in: the segment goes on."""

DECISION = 0.25
"""How long samples after a jump are held back until it is known whether it was a loss, in
seconds; twice as long if the jump is below `THRESHOLD`. The stored samples of an amplifier that
was cut off arrive within a tenth of that. In the recordings of a Muse, samples are up to 38 ms
late, and all samples of a quarter of a second never by more than 10.4 ms."""

_LONGEST_HOLD = 5.0
"""Decide after so many seconds of samples, also if the timestamps do not move at all; in a
burst of stored samples, all of which bear the same one, they do not."""

_FIRST = 1.0
"""Seconds at the start of a segment in which the anchor may be far too late, as the first
block is only known to have been taken before it came: it moves fast, and early by up to as much
is no error."""

_ONSET = 10.0
"""Seconds at the start of a segment in which its envelope is not yet low enough to tell usual
deliveries from late ones..."""

_TOLD = 25.0
"""...and in which its offset is told from all that is known of the stream (`Offset`,
`_Expected`): with six blocks a second, the lowest of 10 s is 0.9 ms too late at worst (p95)."""

_SLEW = 0.02
"""How fast the anchor may move after `_FIRST`, beside the slope, which it follows: by no more
than this share of a chunk's length..."""

_STEP = 0.5
"""...and of a sample, so that instants always increase."""

_CLEAR = 0.3e-3
"""How well the envelope is known, in seconds, and less than which is no delay."""

_N_SIGMA = 3.0
"""What is so many standard deviations off the lattice is not on it: a new start."""

_STEP_ERROR = 0.5e-3
"""How well a step of the sender's clock is known from the arrival of samples, in seconds."""

_SLOPE_ERROR = 20e-6
"""How well a slope is known, in seconds per second."""

_STEADY = 0.05
"""Arrivals tell of steps only where timestamps run along with our clock, to so many seconds:
not if a recording is sent at another speed."""

_N_STEADY, _N_AHEAD = 3, 5
"""Seconds, at least and at most, that tell how far timestamps are ahead of arrivals."""

_MISCOUNTED = 0.65
"""A gap whose length is off by so many samples is told anew."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Samples that follow each other.

    Parameters
    ----------
    n_times : int
        Number of samples.
    segment, first : int
        Where they are: the segment, and the index of the first in it.
    t_anchor : float
        See `streaming.signal.Chunk`.
    gap : Gap or None
        What lies before them.
    revision : Revision or None
        What is only known by now of samples before.
    """

    n_times: int
    segment: int
    first: int
    t_anchor: float
    gap: Gap | None = None
    revision: Revision | None = None

    @property
    def news(self) -> list[Gap | Revision]:
        """What is to be told before the samples."""
        return [item for item in (self.revision, self.gap) if item is not None]


@dataclass(frozen=True, slots=True)
class _Expected:
    """Where a segment may begin, by what was before it.

    Parameters
    ----------
    t : float
        When its first sample is taken if nothing is missing, in seconds.
    period : float
        From each to the next possible instant: an amplifier goes on taking samples while they
        are lost. 0 if there is no other; infinite if nothing is known.
    error : float
        How well that is known, in seconds.
    """

    t: float
    period: float
    error: float

    def adjust(self, t: float, error: float) -> float:
        """Return `t`, which is known to `error`, as it is likely with what is expected."""
        if self.period == 0.0:
            nearest = self.t
        else:
            nearest = self.t + max(0, round((t - self.t) / self.period)) * self.period
        if abs(t - nearest) > _N_SIGMA * error + self.error:
            return t
        weight = error**2 / (error**2 + self.error**2)
        return t + weight * (nearest - t)


class _Ahead:
    """How far timestamps are ahead of our clock when samples arrive: mostly behind it.

    Lost samples do not change that, as they do not arrive either; a clock that is set does.
    """

    def __init__(self) -> None:
        self._most: deque[tuple[int, float]] = deque(maxlen=_N_AHEAD)  # of each second
        self._after = -np.inf

    def add(self, ahead: float, t: float, *, held: bool) -> None:
        """Take how far the newest of some samples is ahead at time `t`."""
        if held:
            self._after = max(self._after, ahead)
            return
        self._after = -np.inf
        if self._most and self._most[-1][0] == int(t):
            ahead = max(self._most.pop()[1], ahead)
        self._most.append((int(t), ahead))

    def step(self) -> float | None:
        """Return by how much the sender's clock was set, or None if that is not known."""
        most = [ahead for _, ahead in self._most]
        if len(most) < _N_STEADY or np.ptp(most) > _STEADY or np.isinf(self._after):
            return None
        return self._after - max(most)

    def reset(self) -> None:
        """Begin anew, after the clock was set."""
        self._most.clear()
        self._after = -np.inf


class StreamClock:
    """Turn the timestamps of a stream into segments, indices and instants.

    Samples are given out in order, each once. Those after a jump are held back until it is
    decided (`DECISION`); all others are given out at once.

    Parameters
    ----------
    sfreq : float
        Nominal rate of the stream, in Hz.
    max_fill : float
        Losses up to so many seconds do not end the segment.
    """

    def __init__(self, sfreq: float, max_fill: float = MAX_FILL) -> None:
        self._sfreq, self._max_fill = sfreq, max_fill
        self._segment = -1
        self._n = 0  # samples of the segment that were given out or filled in
        self._anchor = 0.0
        self._envelope: Envelope | None = None  # None: the next sample starts a segment
        self._offset: Offset | None = None  # None: its own envelope tells the offset
        self._expected: _Expected | None = None
        self._slope, self._n_known = 0.0, 0  # of the segment before
        self._deliveries = Deliveries()
        self._lateness, self._delays = Lateness(sfreq), Delays()
        self._ahead = _Ahead()
        self._gap: Gap | None = None  # before the next sample
        self._n_told: int | None = None  # samples that were said to be lost before the segment
        self._revision: Revision | None = None  # to be told with the next samples
        self._reason: Literal["lost", "reconnect", "clock"] = "lost"
        self._held: NDArray[np.float64] = np.empty(0)

    @property
    def started(self) -> bool:
        """Whether any sample was seen, so that markers can be placed."""
        return self._segment >= 0

    @property
    def undecided(self) -> bool:
        """Whether samples are held back."""
        return len(self._held) > 0

    @property
    def t_next(self) -> float:
        """When the sample after the last that was given out is taken."""
        return self._anchor + self._n / self._sfreq

    def locate(self, t: float) -> tuple[int, int]:
        """Return the segment and the index in it of the sample nearest to an instant.

        Raises
        ------
        ValueError
            Before the first sample: there is nothing to count from.
        """
        if self._segment < 0:
            msg = "no sample was seen yet; wait for one before placing markers"
            raise ValueError(msg)
        return self._segment, round((t - self._anchor) * self._sfreq)

    def feed(
        self, stamps: NDArray[np.float64], t_received: float | None = None
    ) -> list[Stretch]:
        """Take timestamps and return the samples that are given out.

        Parameters
        ----------
        stamps : array of shape (n_times,)
            Timestamps of the next samples, in seconds on the LSL clock. Those that are not
            finite or not positive say nothing and are passed over.
        t_received : float or None
            When they arrived, in seconds on the LSL clock, if they are live: so that a step of
            the sender's clock can be told from a loss.

        Raises
        ------
        SourceError
            If a segment starts with samples none of which has a usable timestamp.
        """
        # a fresh array, because the unusable are blanked out
        held = np.where(np.isfinite(stamps) & (stamps > 0), stamps, np.nan)
        self._held = np.concatenate([self._held, held])
        if t_received is not None and len(held) and not np.isnan(held).all():
            is_held = self._envelope is not None and self._n_plausible(self._envelope) < len(
                self._held
            )
            self._ahead.add(float(np.nanmax(held)) - t_received, t_received, held=is_held)
        return self._decide(now=False)

    def settle(self) -> list[Stretch]:
        """Decide on the samples that are held back without waiting for more."""
        return self._decide(now=True)

    def reconnect(self) -> list[Stretch]:
        """Start another segment with the next sample; return what was held back until now."""
        stretches = self.settle()
        self._leave("reconnect")
        self._ahead.reset()
        return stretches

    def _leave(
        self, reason: Literal["lost", "reconnect", "clock"], step: float | None = None
    ) -> None:
        """End the segment, and note what is known of the next, such as a step of the clock."""
        if self._envelope is None:
            return
        self._recount(self._envelope)
        x, slope = self._n / self._sfreq, self._envelope.slope
        t = self._target(self._envelope, x) + x
        self._slope, self._n_known = slope, self._envelope.n_known
        self._expected = None
        if reason == "lost":
            self._expected = _Expected(t, (1 + slope) / self._sfreq, _CLEAR)
        elif step is not None:
            self._expected = _Expected(t + step, 0.0, _STEP_ERROR)
        self._envelope, self._reason = None, reason

    def _decide(self, *, now: bool) -> list[Stretch]:
        stretches: list[Stretch] = []
        while len(self._held):
            if self._envelope is None:
                stretches.append(self._start())
            elif n_good := self._n_plausible(self._envelope):
                stretches.append(self._give(self._envelope, n_good))
            elif self._is_decided(self._envelope, now=now):
                self._break(self._envelope)
            elif now:  # too little to call it a loss
                stretches.append(self._give(self._envelope, len(self._held)))
            else:
                break
        return stretches

    def _instants(self) -> NDArray[np.float64]:
        """When the held samples were taken, at the nominal rate, from the segment's start."""
        return (self._n + np.arange(len(self._held))) / self._sfreq

    def _n_plausible(self, envelope: Envelope) -> int:
        """Return how many held samples there are up to the last that is where it should be."""
        x = self._instants()
        late = self._held - x - envelope.at(x)
        threshold = self._lateness.threshold
        if self._n < _ONSET * self._sfreq:
            threshold = max(threshold, UNSURE)
        earliest = -threshold if self._n > _FIRST * self._sfreq else -_FIRST
        plausible = np.flatnonzero(~((late > threshold) | (late < earliest)))
        return int(plausible[-1]) + 1 if len(plausible) else 0

    def _jump(self, envelope: Envelope) -> float:
        """Return by how much the held samples are late at least, all of them implausible."""
        x = self._instants()
        late = self._held - x - envelope.at(x)
        return float(late[np.abs(late).argmin()])

    def _is_decided(self, envelope: Envelope, *, now: bool) -> bool:
        span = float(np.ptp(self._held))  # all are implausible, so none is blank
        is_large = abs(self._jump(envelope)) > THRESHOLD
        if is_large and now:
            return True
        needed = DECISION if is_large else 2 * DECISION
        return span >= needed or len(self._held) >= _LONGEST_HOLD * self._sfreq

    def _break(self, envelope: Envelope) -> None:
        """Say what a jump was: a clock that was set, a loss to fill in, or a longer one."""
        jump, step = self._jump(envelope), self._ahead.step()
        if jump < 0 or (step is not None and step > min(jump / 2, _STEADY)):
            self._ahead.reset()
            if step is not None and 0 < jump <= MAX_FILL:
                envelope.lift(jump)  # two machines' clocks, compared anew
            else:
                self._leave("clock", step)
        elif (
            n_lost := round(self._excess(envelope) * self._sfreq)
        ) <= self._max_fill * self._sfreq:
            n_lost = max(n_lost, 1)
            self._gap = Gap(self.t_next, n_lost / self._sfreq, "filled")
            self._n += n_lost
        else:
            self._leave("lost")

    def _excess(self, envelope: Envelope) -> float:
        """Return by how much the held samples are likely to be too late, in seconds."""
        if not self._delays.learned:
            return self._jump(envelope)
        x = self._instants()
        offset, deliveries = Offset(self._delays, envelope.slope), Deliveries()
        offset.add(*deliveries.add(self._held, x))
        estimate = offset.estimate(deliveries.pending)
        at_zero = float(envelope.at(np.zeros(1))[0])
        return self._jump(envelope) if estimate is None else estimate[0] - at_zero

    def _start(self) -> Stretch:
        """Begin a segment with the held samples up to the first jump among them."""
        if np.isnan(self._held).all():
            msg = (
                "samples come without a usable timestamp: the sender must stamp them (LSL does "
                "it by itself if the sender gives none)"
            )
            raise SourceError(msg)
        t_expected, first_ever = self.t_next, self._segment < 0
        self._segment, self._n = self._segment + 1, 0
        x = self._instants()
        jumps = np.abs(np.diff(self._held - x)) > THRESHOLD
        n_first = int(np.argmax(jumps)) + 1 if jumps.any() else len(x)
        if np.isnan(self._held[:n_first]).all():
            n_first = len(x)
        self._envelope = envelope = Envelope(self._sfreq, self._slope, self._n_known)
        self._offset = Offset(self._delays, self._slope) if self._delays.learned else None
        self._deliveries = Deliveries()
        stretch = self._give(envelope, n_first)
        return stretch if first_ever else replace(stretch, gap=self._gap_before(t_expected))

    def _gap_before(self, t_expected: float) -> Gap:
        """Return what lies before the segment that has just begun."""
        t = t_expected if self._expected is None else self._expected.t
        lost = max(0.0, self._anchor - t)
        if self._reason == "clock" and (self._expected is None or lost < UNSURE):
            lost = 0.0
        if self._reason == "lost" and self._offset is not None:
            self._n_told = round(lost * self._sfreq)
        return Gap(t_expected if self._reason == "clock" else t, lost, self._reason)

    def _give(self, envelope: Envelope, n_times: int) -> Stretch:
        x, first = self._instants()[:n_times], self._n
        self._learn(envelope, x)
        target = self._target(envelope, float(x[-1]))
        drift = envelope.slope * n_times / self._sfreq
        if first == 0:
            self._anchor = target - drift
        self._follow(target, drift, n_times)
        if self._offset is not None and x[-1] > _TOLD:
            self._recount(envelope)
            self._offset = None
        self._held, self._n = self._held[n_times:], self._n + n_times
        gap, revision = self._gap, self._revision
        self._gap = self._revision = None
        return Stretch(n_times, self._segment, first, self._anchor, gap, revision)

    def _learn(self, envelope: Envelope, x: NDArray[np.float64]) -> None:
        """Take what the timestamps of the next samples say."""
        y = self._held[: len(x)] - x
        x_delivered, y_delivered = self._deliveries.add(self._held[: len(x)], x)
        if self._offset is not None and len(x_delivered):
            self._offset.add(x_delivered, y_delivered)
        # np.nanargmin does the same in 22 us, this in 2
        lowest = int(np.where(np.isnan(y), np.inf, y).argmin())
        if np.isnan(y[lowest]):
            return
        high = float(y_delivered.max()) if len(y_delivered) else float(y[lowest])
        rise = envelope.add(float(x[lowest]), float(y[lowest]), high=high, n=len(x_delivered))
        if rise is not None:
            first, stop = (round(t * self._sfreq) + 1 for t in (rise.start, rise.stop))
            t = self._anchor + first / self._sfreq
            self._revision = Revision(self._segment, first, stop, t, rise.n_times)
        late = y_delivered - envelope.at(x_delivered)
        if x[0] > _FIRST:
            self._lateness.add(late, len(x))
        if x[0] > _ONSET:
            self._delays.add(late, len(x) / self._sfreq)

    def _target(self, envelope: Envelope, x: float) -> float:
        """Return what the anchor should be, as far as is known."""
        height = envelope.height(x)
        if self._offset is None:
            return height
        offset, _ = self._estimate(envelope, self._offset)
        return height + offset - envelope.height(0.0)

    def _estimate(self, envelope: Envelope, offset: Offset) -> tuple[float, float]:
        """Return the likely offset at the segment's start, and how well it is known."""
        estimate = offset.estimate(self._deliveries.pending)
        lowest = envelope.height(0.0)
        if estimate is None:
            return lowest, _CLEAR
        likely, error = estimate
        if error <= _CLEAR and lowest - likely < _CLEAR:  # nothing is late
            return lowest, _CLEAR
        if self._expected is not None:
            likely = self._expected.adjust(likely, error)
        return likely, error

    def _recount(self, envelope: Envelope) -> None:
        """Say so if the gap before this segment turns out to be longer or shorter."""
        if self._n_told is None or self._offset is None or self._expected is None:
            return
        offset, error = self._estimate(envelope, self._offset)
        n_lost = (offset - self._expected.t) / self._expected.period
        if error < self._expected.period and abs(n_lost - self._n_told) > _MISCOUNTED:
            n_times = round(n_lost) - self._n_told
            self._revision = Revision(self._segment, 0, 1, offset, n_times)
        self._n_told = None

    def _follow(self, target: float, drift: float, n_times: int) -> None:
        """Move the anchor towards its target, with the amplifier's clock."""
        is_new = self._n <= _FIRST * self._sfreq
        limit = min((_STEP if is_new else _SLEW) * n_times, _STEP) / self._sfreq
        half = _STEP / (2 * self._sfreq)
        if abs(drift) < half:  # together at most `_STEP`; a rate that is further off needs more
            limit = min(limit, 2 * half - abs(drift))
        away = target - self._anchor - drift
        correction = min(max(away, -limit), limit)
        self._anchor += drift + correction
        # not before the anchor had the time to come from where it started
        if self._n > _ONSET * self._sfreq and abs(away - correction) > THRESHOLD:
            self._leave("clock")
