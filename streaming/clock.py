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
22 ms or more. Measured with simulated clocks that are up to 100 ppm off and blocks that are
late by up to 20 ms (``python -m benchmarks clock``; 100 losses each, 1 h without a loss):

=====  =====  ====  =====  =====  =====  ======  =============  ======  ==========  ==========
rate   block  late  losses found, of             false alarms   error of instants, p95 [ms]
-----  -----  ----  ---------------------------  -------------  ------------------------------
[Hz]          [ms]  10 ms  25 ms  50 ms  100 ms  in an hour     steady  1-5 s       1-5 s
                                                                        after loss  after step
=====  =====  ====  =====  =====  =====  ======  =============  ======  ==========  ==========
200    8      0     100 %  100 %  100 %  100 %   0              0.01    0.01        0.01
200    8      20    0 %    100 %  100 %  100 %   0              0.25    0.97        0.84
200    32     20    3 %    100 %  100 %  100 %   0              1.02    2.50        2.83
1000   32     20    0 %    100 %  100 %  100 %   0              0.18    1.01        0.64
=====  =====  ====  =====  =====  =====  ======  =============  ======  ==========  ==========

Six blocks a second, each late by anything up to 20 ms, do not tell more within seconds. The
length of a loss is as uncertain as the delivery (at most 20 ms), and exact with exact
timestamps. What is too short to be found leaves instants early by its length for 10 s, until
the envelope has followed. A call takes 0.05 ms.

An amplifier whose rate is 0.4 % from what it says is followed to 27 ms in its first 30 s and
to 4 ms then. One that is further off is followed where that can be learned before instants are
wrong by more than `THRESHOLD`; where not, such an error ends the segment, after its first 10 s.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from streaming.errors import SourceError
from streaming.signal import Gap

__all__ = ["DECISION", "THRESHOLD", "StreamClock", "Stretch"]

THRESHOLD = 0.1
"""A jump of the timestamps by more than this, in seconds, is beyond any usual delivery."""

_UNSURE = 0.022
"""How late samples must be, in seconds, to be a possible loss, while it is not yet known how
the stream is delivered: 20 ms, and 10 % for what is not known of the envelope."""

_FINEST = 0.008
"""The least that may be a loss where timestamps are exact, in seconds: the clocks of two
machines are compared anew every 5 s, over a network, and that may differ by milliseconds."""

_MARGIN = 1.1
"""A possible loss is later than deliveries usually are by this factor."""

_USUAL = 0.9
"""What is usual: the latest delivery of so many of the last `_MEMORY` seconds. In the others
the amplifier may have been cut off."""

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

_SLEW = 0.02
"""How fast the anchor may move after that, beside the slope, which it follows: by no more than
this share of a chunk's length..."""

_STEP = 0.5
"""...and of a sample, so that instants always increase."""

_ENVELOPE = 10
"""Seconds over which the envelope is the lowest point: with 8 blocks a second that are up to
20 ms late, the lowest of 80 is 0.25 ms late on average."""

_ON_TIME = 0.03
"""Seconds above the envelope from which the lowest point of a second says nothing of the slope:
the amplifier was cut off and sent what it had stored."""

_MEMORY = 60
"""Seconds from which the slope is learned: to 15 ppm in the case above."""

_PRIOR = 50.0
"""How much the slope is drawn to what is known already [s^2]: (0.7 ms / 100 ppm)^2, the noise
of a second's lowest point over the usual error of a crystal."""


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
    """

    n_times: int
    segment: int
    first: int
    t_anchor: float
    gap: Gap | None = None


class StreamClock:
    """Turn the timestamps of a stream into segments, indices and instants.

    Samples are given out in order, each once. Those after a jump are held back until it is
    decided (`DECISION`); all others are given out at once.

    Parameters
    ----------
    sfreq : float
        Nominal rate of the stream, in Hz.
    """

    def __init__(self, sfreq: float) -> None:
        self._sfreq = sfreq
        self._segment = -1
        self._n = 0  # samples of the segment that were given out
        self._anchor = 0.0
        self._envelope: _Envelope | None = None  # None: the next sample starts a segment
        self._slope = 0.0
        self._lateness = _Lateness(sfreq)
        self._reason: Literal["lost", "reconnect"] = "lost"
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

    def feed(self, stamps: NDArray[np.float64]) -> list[Stretch]:
        """Take timestamps and return the samples that are given out.

        Parameters
        ----------
        stamps : array of shape (n_times,)
            Timestamps of the next samples, in seconds on the LSL clock. Those that are not
            finite or not positive say nothing and are passed over.

        Raises
        ------
        SourceError
            If a segment starts with samples none of which has a usable timestamp.
        """
        # a fresh array, because the unusable are blanked out
        held = np.where(np.isfinite(stamps) & (stamps > 0), stamps, np.nan)
        self._held = np.concatenate([self._held, held])
        return self._decide(now=False)

    def settle(self) -> list[Stretch]:
        """Decide on the samples that are held back without waiting for more."""
        return self._decide(now=True)

    def reconnect(self) -> list[Stretch]:
        """Start another segment with the next sample; return what was held back until now."""
        stretches = self.settle()
        self._leave("reconnect")
        return stretches

    def _leave(self, reason: Literal["lost", "reconnect"]) -> None:
        if self._envelope is not None:
            self._slope = self._envelope.slope
            self._envelope, self._reason = None, reason

    def _decide(self, *, now: bool) -> list[Stretch]:
        stretches: list[Stretch] = []
        while len(self._held):
            if self._envelope is None:
                stretches.append(self._start())
            elif n_good := self._n_plausible(self._envelope):
                stretches.append(self._give(self._envelope, n_good))
            elif self._is_decided(self._envelope, now=now):
                self._leave("lost")
            elif now:  # too little to call it a loss
                stretches.append(self._give(self._envelope, len(self._held)))
            else:
                break
        return stretches

    def _instants(self) -> NDArray[np.float64]:
        """When the held samples were taken, at the nominal rate, from the segment's start."""
        return (self._n + np.arange(len(self._held))) / self._sfreq

    def _n_plausible(self, envelope: _Envelope) -> int:
        """Return how many held samples there are up to the last that is where it should be."""
        x = self._instants()
        late = self._held - x - envelope.at(x)
        threshold = self._lateness.threshold
        if self._n < _ENVELOPE * self._sfreq:
            threshold = max(threshold, _UNSURE)
        earliest = -threshold if self._n > _FIRST * self._sfreq else -_FIRST
        plausible = np.flatnonzero(~((late > threshold) | (late < earliest)))
        return int(plausible[-1]) + 1 if len(plausible) else 0

    def _is_decided(self, envelope: _Envelope, *, now: bool) -> bool:
        span = float(np.ptp(self._held))  # all are implausible, so none is blank
        x = self._instants()
        jump = float(np.abs(self._held - x - envelope.at(x)).min())
        if jump > THRESHOLD and now:
            return True
        needed = DECISION if jump > THRESHOLD else 2 * DECISION
        return span >= needed or len(self._held) >= _LONGEST_HOLD * self._sfreq

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
        self._anchor = float(np.nanmin((self._held - x)[:n_first]))
        self._envelope = envelope = _Envelope(self._slope)
        gap = None
        if not first_ever:
            gap = Gap(t_expected, max(0.0, self._anchor - t_expected), self._reason)
        return self._give(envelope, n_first, gap)

    def _give(self, envelope: _Envelope, n_times: int, gap: Gap | None = None) -> Stretch:
        x, first = self._instants()[:n_times], self._n
        offsets = self._held[:n_times] - x
        # np.nanargmin does the same in 22 us, this in 2
        lowest = int(np.where(np.isnan(offsets), np.inf, offsets).argmin())
        if not np.isnan(offsets[lowest]):
            envelope.add(float(x[lowest]), float(offsets[lowest]))
        if first > _FIRST * self._sfreq:
            self._lateness.add(self._held[:n_times], offsets - envelope.at(x))
        slew = _SLEW if first > _FIRST * self._sfreq else _STEP
        limit = min(slew * n_times, _STEP) / self._sfreq
        drift = envelope.slope * n_times / self._sfreq
        step = float(envelope.at(x[-1:])[0]) - self._anchor
        half = _STEP / (2 * self._sfreq)
        if abs(drift) < half:  # together at most `_STEP`; a rate that is further off needs more
            limit = min(limit, 2 * half - abs(drift))
        correction = min(max(step - drift, -limit), limit)
        self._anchor += drift + correction
        # not before the anchor had the time to come from where it started
        settled = first > _ENVELOPE * self._sfreq
        if settled and abs(step - drift - correction) > THRESHOLD:
            self._leave("lost")
        self._held, self._n = self._held[n_times:], self._n + n_times
        return Stretch(n_times, self._segment, first, self._anchor, gap)


class _Lateness:
    """How late samples usually are, so that what is later may be a loss.

    Parameters
    ----------
    sfreq : float
        Nominal rate, in Hz.
    """

    def __init__(self, sfreq: float) -> None:
        self.threshold = THRESHOLD
        self._finest = max(_FINEST, 1.5 / sfreq)
        self._latest: deque[float] = deque(maxlen=_MEMORY)  # of each second
        self._usual, self._least = THRESHOLD, _UNSURE
        self._high, self._n, self._n_second = 0.0, 0, round(sfreq)
        self._last = (np.empty(0), np.empty(0))  # stamp and lateness of the newest sample

    def add(self, stamps: NDArray[np.float64], late: NDArray[np.float64]) -> None:
        """Take samples that were not lost.

        Of those that bear the same timestamp only the newest counts: the others waited for it.
        """
        self._n += len(stamps)
        stamps = np.concatenate([self._last[0], stamps])
        late = np.concatenate([self._last[1], late])
        self._last = stamps[-1:], late[-1:]
        delivered = np.abs(late[:-1])[np.diff(stamps) > 0]
        if len(delivered):
            self._high = max(self._high, float(delivered.max()))
        if self._n >= self._n_second:
            self._latest.append(self._high)
            self._usual = float(np.quantile(self._latest, _USUAL))
            self._least = self._finest if len(self._latest) >= _ENVELOPE else _UNSURE
            self._high, self._n = 0.0, 0
        # also at once, where deliveries become worse
        last = self._latest[-1] if self._latest else 0.0
        usual = max(self._usual, last, self._high)
        self.threshold = min(max(_MARGIN * usual, self._least), THRESHOLD)


class _Envelope:
    """Tilted lower envelope of points (x, y) that come in order of x."""

    def __init__(self, slope: float) -> None:
        self.slope = slope
        self._known = slope
        self._lowest: deque[tuple[float, float]] = deque(maxlen=_MEMORY)  # of each second
        self._low = 0.0

    def add(self, x: float, y: float) -> None:
        """Take the lowest point of a block."""
        if self._lowest and int(self._lowest[-1][0]) == int(x):
            if y < self._lowest[-1][1]:
                self._lowest[-1] = (x, y)
        else:
            self._learn()
            self._lowest.append((x, y))
            recent = list(self._lowest)[-_ENVELOPE:]
            self._low = min(y - self.slope * x for x, y in recent)
        self._low = min(self._low, y - self.slope * x)

    def at(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the height of the envelope at `x`."""
        return self._low + self.slope * x

    def _learn(self) -> None:
        """Fit the slope by least squares, drawn to the one that was known at the start."""
        x, y = np.array(self._lowest).reshape(-1, 2).T
        if len(x) < 3:
            return
        # Far off the rate that was said, old points lie far above the envelope, but on a line.
        line = np.polyval(np.polyfit(x, y, 1), x)
        if len(x) < _ENVELOPE or np.ptp(y - line) >= _ON_TIME:
            on_time = y - self.at(x) < _ON_TIME
            x, y = x[on_time], y[on_time]
            if len(x) < 3:
                return
        x, y = x - x.mean(), y - self._known * x
        self.slope = self._known + float(x @ y) / (float(x @ x) + _PRIOR)
