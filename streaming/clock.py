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
the amplifier's next samples can be (`Expected`). How many are lost is sure as soon as one
number is by far the likeliest for a line below the deliveries before and after
(`streaming.line`): after some seconds, or at the latest 25; another number than was said is a
`Revision`, and both sides then tell the instants. So it is with what was filled in. If it is
known when samples arrive, a clock that was set is told from a loss: its samples arrive as
before. ``python -m benchmarks clock`` measures all this with simulated clocks; the table is in
docs/reference/benchmarks.md.

Timestamps that go backwards say nothing (`streaming.stamps`), nor does a block that is alone
with being early. A rate that is up to 2.4 % off what the amplifier says is learned in 3 to 5 s;
until then instants are wrong by up to 74 ms. One that is further off is told from a loss by
what came so far lying on a line (`streaming.ramp`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streaming.arrivals import Arrivals
from streaming.delays import THRESHOLD, UNSURE, Lateness
from streaming.errors import SourceError
from streaming.offset import Expected
from streaming.rate import RateWatch
from streaming.segment import ONSET, Known, Segment
from streaming.signal import Gap, Revision
from streaming.stamps import Coarse, Unstamped, blank_unusable

__all__ = ["DECISION", "MAX_FILL", "THRESHOLD", "Remark", "StreamClock", "Stretch"]

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

_LEAST_STEP = 0.05
"""A jump with a step of so many seconds, or of half the jump, is no mere loss."""

_Floats = NDArray[np.float64]
_Reason = Literal["lost", "reconnect", "clock"]
_Odd = Literal["rate", "coarse", "backwards", "unstamped", "good"]


class Remark(NamedTuple):
    """What is odd about the timestamps, in a word and in a line; see `SourceState`."""

    state: _Odd
    detail: str


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
    revisions : tuple of Revision
        What is only known by now of samples before.
    """

    n_times: int
    segment: int
    first: int
    t_anchor: float
    gap: Gap | None = None
    revisions: tuple[Revision, ...] = ()

    @property
    def news(self) -> list[Gap | Revision]:
        """What is to be told before the samples."""
        return [*self.revisions, *([] if self.gap is None else [self.gap])]


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
        self._known = Known(Lateness(sfreq))
        self._segment: Segment | None = None
        self._ended: _Reason | None = None  # why the next sample starts another segment
        self._expected: Expected | None = None  # where
        self._n_lost: int | None = None  # before it, if that was counted
        self._arrivals, self._rate = Arrivals(), RateWatch(sfreq)
        self._coarse, self._unstamped = Coarse(), Unstamped()
        self._t_received: float | None = None  # of the last samples
        self._remarks: list[Remark] = []
        self._said_early = False
        self._gap: Gap | None = None  # before the next sample
        self._revisions: list[Revision] = []  # to be told with the next samples
        self._held: _Floats = np.empty(0)

    @property
    def started(self) -> bool:
        """Whether any sample was seen, so that markers can be placed."""
        return self._segment is not None

    @property
    def undecided(self) -> bool:
        """Whether samples are held back."""
        return len(self._held) > 0

    @property
    def t_next(self) -> float:
        """When the sample after the last that was given out is taken."""
        return self._segment.t_next if self._segment is not None else 0.0

    def locate(self, t: float) -> tuple[int, int]:
        """Return the segment and the index in it of the sample nearest to an instant.

        Raises
        ------
        ValueError
            Before the first sample: there is nothing to count from.
        """
        if self._segment is None:
            msg = "no sample was seen yet; wait for one before placing markers"
            raise ValueError(msg)
        return self._segment.number, round((t - self._segment.t_anchor) * self._sfreq)

    def feed(self, stamps: _Floats, t_received: float | None = None) -> list[Stretch]:
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
            If a segment starts with samples none of which has a usable timestamp, and it is not
            known when they arrived.
        """
        held, stretches = blank_unusable(stamps), []
        self._t_received = t_received
        if t_received is not None:
            if self._coarse.add(held, t_received):
                by = f"come in steps of {self._coarse.step:g} s"
                stretches = self._distrust("coarse", f"timestamps {by}")
            if self._unstamped.add(held, t_received):
                stretches = self._distrust("unstamped", "samples bear no usable timestamp")
            if self._coarse.step or self._unstamped.known:
                held = np.full(len(held), t_received)
        said = self._rate.add(held)
        self._remark("rate" if self._rate.wrong else "good", said)
        self._held = np.concatenate([self._held, held])
        if t_received is not None and len(held) and not np.isnan(held).all():
            now = self._now
            is_held = now is not None and now.n_plausible(self._held) < len(self._held)
            self._arrivals.add(float(np.nanmax(held)) - t_received, t_received, held=is_held)
        return stretches + self._decide(now=False)

    def _distrust(self, state: _Odd, why: str) -> list[Stretch]:
        """Go on with arrivals in place of timestamps, in another segment."""
        stretches: list[Stretch] = []
        if self._now is None:  # none was stamped since it began
            self._held = self._by_arrival()
        else:
            stretches = self.settle()
            self._leave("clock")
        self._known = Known(Lateness(self._sfreq))
        self._rate.reset()
        self._remark(
            state,
            f"{why}, so samples are taken to be of when they arrive: let the sender stamp them "
            "(LSL does if it does not)",
        )
        return stretches

    def settle(self) -> list[Stretch]:
        """Decide on the samples that are held back without waiting for more."""
        return self._decide(now=True)

    def reconnect(self, n_lost: int | None = None) -> list[Stretch]:
        """Start another segment with the next sample; return what was held back until now.

        Parameters
        ----------
        n_lost : int or None
            How many samples are lost before it, if the source counts them.
        """
        stretches = self.settle()
        self._leave("reconnect" if n_lost is None else "lost")
        self._n_lost = n_lost
        self._coarse, self._unstamped = Coarse(), Unstamped()
        self._rate.reset()
        return stretches

    def take_remarks(self) -> list[Remark]:
        """Return what was found odd about the timestamps since it was last asked."""
        remarks, self._remarks = self._remarks, []
        return remarks

    def _remark(self, state: _Odd, detail: str) -> None:
        if detail:
            self._remarks.append(Remark(state, detail))

    def _leave(self, reason: _Reason) -> None:
        """Let the next sample start a segment, of which nothing is known."""
        if self._now is not None:
            self._end(self._now, reason, None)
        self._arrivals.reset()

    @property
    def _now(self) -> Segment | None:
        """The segment that the next sample belongs to, unless it starts one."""
        return self._segment if self._ended is None else None

    def _decide(self, *, now: bool) -> list[Stretch]:
        stretches: list[Stretch] = []
        while len(self._held):
            if (segment := self._now) is None:
                if np.isnan(self._held).all():
                    if self._t_received is not None and not now:
                        break  # until one is stamped, or it is known that none is
                    self._held = self._by_arrival()
                stretches.append(self._start())
            elif n_good := segment.n_plausible(self._held):
                stretches.append(self._give(segment, n_good))
            elif self._is_decided(segment, now=now):
                self._break(segment)
            elif now:  # too little to call it a loss
                stretches.append(self._give(segment, len(self._held)))
            else:
                break
        return stretches

    def _by_arrival(self) -> _Floats:
        """Return when the held samples, which bear no timestamp, arrived."""
        if self._t_received is None:
            msg = (
                "samples come without a usable timestamp: the sender must stamp them (LSL does "
                "it by itself if the sender gives none)"
            )
            raise SourceError(msg)
        return np.full(len(self._held), self._t_received)

    def _is_decided(self, segment: Segment, *, now: bool) -> bool:
        span = float(np.ptp(self._held))  # all are implausible, so none is blank
        is_large = abs(segment.jump(self._held)) > THRESHOLD
        if is_large and now:
            return (
                span > 0 or len(self._held) == 1
            )  # else the sample that they waited for is due
        needed = DECISION if is_large else 2 * DECISION
        return span >= needed or len(self._held) >= _LONGEST_HOLD * self._sfreq

    def _break(self, segment: Segment) -> None:
        """Say what a jump was: another rate, a clock that was set, or samples that are lost."""
        if segment.tilt(self._held):
            return
        jump, step = segment.jump(self._held), self._arrivals.step()
        if jump < 0 or (step is not None and step.size > min(jump / 2, _LEAST_STEP)):
            self._arrivals.reset()
            if step is not None and 0 < jump <= MAX_FILL:
                segment.lift(jump)  # two machines' clocks, compared anew
            else:
                self._end(segment, "clock", None if step is None else segment.expect(step=step))
            return
        n_lost = round(segment.excess(self._held) * self._sfreq)
        if n_lost <= self._max_fill * self._sfreq:
            n_lost = max(n_lost, 1)
            self._gap = Gap(self.t_next, n_lost / self._sfreq, "filled")
            segment.skip(n_lost)
        else:
            self._end(segment, "lost", segment.expect())

    def _end(self, segment: Segment, reason: _Reason, expected: Expected | None) -> None:
        segment.end()
        self._revisions += segment.revisions
        self._ended, self._expected = reason, expected

    def _start(self) -> Stretch:
        """Begin a segment with the held samples up to the first jump among them."""
        before, reason = self._segment, self._ended
        number = before.number + 1 if before is not None else 0
        past = None
        if before is not None and reason in {"lost", "reconnect"}:
            past = before.past
        self._segment = segment = Segment(
            number, self._sfreq, self._known, self._expected, past
        )
        self._ended = None
        x = np.arange(len(self._held)) / self._sfreq
        jumps = np.abs(np.diff(self._held - x)) > THRESHOLD
        n_first = int(np.argmax(jumps)) + 1 if jumps.any() else len(x)
        if np.isnan(self._held[:n_first]).all():
            n_first = len(x)
        stretch = self._give(segment, n_first)
        if before is None or reason is None:
            return stretch
        return replace(stretch, gap=self._gap_before(segment, before.t_next, reason))

    def _gap_before(self, segment: Segment, t_expected: float, reason: _Reason) -> Gap:
        """Return what lies before the segment that has just begun."""
        if self._n_lost is not None:
            n_lost, self._n_lost = self._n_lost, None
            return Gap(t_expected, n_lost / self._sfreq, reason)
        t = t_expected if self._expected is None else self._expected.t
        lost = max(0.0, segment.t_anchor - t)
        if reason == "clock" and (self._expected is None or lost < UNSURE):
            lost = 0.0
        if reason in {"lost", "reconnect"}:
            lost /= 1 + self._known.slope  # by the amplifier's clock, which counts samples
            segment.n_told = round(lost * self._sfreq)
        return Gap(t_expected if reason == "clock" else t, lost, reason)

    def _give(self, segment: Segment, n_times: int) -> Stretch:
        given = segment.give(self._held[:n_times])
        self._held = self._held[given.n_times :]
        stretch = Stretch(
            given.n_times,
            segment.number,
            given.first,
            segment.t_anchor,
            self._gap,
            (*self._revisions, *segment.revisions),
        )
        self._gap, self._revisions = None, []
        segment.revisions.clear()
        if segment.early and not self._said_early:
            self._said_early = True
            early = f"a sample is stamped {1e3 * segment.early:.0f} ms too early"
            said = f"{early}, before others that came before it: such stamps are passed over"
            self._remark("backwards", said)
        # not before the anchor had the time to come from where it started
        if given.first > ONSET * self._sfreq and abs(given.away) > THRESHOLD:
            self._gap = Gap(segment.t_next, 0.0, "clock")
            self._segment = segment.renew()
            self._revisions += segment.revisions
        return stretch
