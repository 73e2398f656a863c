"""How late samples are delivered: what is usual, and what that says of a segment that begins.

For `streaming.clock`. A delivery is the newest of the samples that bear the same timestamp; the
others waited for it. It is late by what amplifier, radio and driver take, and never early. For
each, x is the time since the start of its segment by the nominal rate, and y how much its
timestamp is above x: the true offset (slightly tilted, as clocks differ) and the delay.
"""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "BIN",
    "EARLY_BINS",
    "N_BINS",
    "THRESHOLD",
    "UNSURE",
    "Delays",
    "Deliveries",
    "Lateness",
    "bins",
]

THRESHOLD = 0.1
"""A jump of the timestamps by more than this, in seconds, is beyond any usual delivery."""

UNSURE = 0.022
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

_MEMORY, _N_SECONDS = 60, 10
"""Seconds from which it is learned what is usual, and from how many on it is believed..."""

_N_USUAL, _EXACT = 2.5, 0.002
"""...if there are so many deliveries in each, or none is usually late by so many seconds."""

_FEW = 0.03
"""How late samples must be, in seconds, to be a possible loss, if deliveries are too few to
tell what is usual: with one a second the envelope is only known to some milliseconds."""

_SAME = 1e-5
"""Deliveries that are late by the same, to so many seconds, are one."""

BIN = 0.25e-3
"""Resolution of delays, in seconds."""

EARLY_BINS, N_BINS = 4, 204
"""Delays are told apart from -1 to 50 ms: the envelope is only known to a millisecond."""

_ODD = 0.02
"""Share of deliveries that may be late by anything."""

_FORGET = 1 / 60
"""What a second of deliveries forgets of those before."""

_N_LEARNED = 60.0
"""Deliveries from which it is known how late they are."""

_Floats = NDArray[np.float64]


class Deliveries:
    """Picks the deliveries out of samples that come in order."""

    def __init__(self) -> None:
        self.pending = (np.nan, np.nan)  # x and y of the newest sample: others may wait for it
        self._stamp = self._y = np.nan

    def add(self, stamps: _Floats, x: _Floats) -> tuple[_Floats, _Floats]:
        """Return x and y of the deliveries that are complete.

        Of a block whose timestamps were made from one there is one delivery, as its samples
        are late by the same.
        """
        stamps, x = np.append(self._stamp, stamps), np.append(self.pending[0], x)
        y = stamps - x
        newest = np.flatnonzero(np.diff(stamps) > 0)
        self._stamp, self.pending = stamps[-1], (x[-1], y[-1])
        is_new = np.abs(np.diff(np.append(self._y, y[newest]))) > _SAME
        kept = newest[is_new | np.isnan(np.append(self._y, y[newest]))[:-1]]
        self._y = y[newest[-1]] if len(newest) else self._y
        return x[kept], y[kept]


class Delays:
    """How deliveries of this stream are spread, from the last minute or so."""

    def __init__(self) -> None:
        self._counts = np.zeros(N_BINS)

    @property
    def learned(self) -> bool:
        """Whether there were enough of them."""
        return float(self._counts.sum()) >= _N_LEARNED

    def add(self, late: _Floats, n_seconds: float) -> None:
        """Take how late some deliveries were, in seconds; and how much time they are from."""
        self._counts *= max(1 - _FORGET * n_seconds, 0.0)
        np.add.at(self._counts, bins(late), 1.0)

    def log_density(self) -> _Floats:
        """Return the logarithm of the share of deliveries in each bin."""
        shares = self._counts / self._counts.sum()
        kernel = np.array([1, 4, 6, 4, 1]) / 16
        shares = np.convolve(shares, kernel, mode="same")
        return np.asarray(np.log((1 - _ODD) * shares + _ODD / N_BINS))


def bins(late: _Floats) -> NDArray[np.intp]:
    """Return in which bin each delay is, in seconds; the last takes all that are later."""
    return np.clip((late / BIN + EARLY_BINS).astype(np.intp), 0, N_BINS - 1)


class Lateness:
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
        self._usual, self._least = THRESHOLD, UNSURE
        self._high, self._n, self._n_second = 0.0, 0, round(sfreq)
        self._n_delivered = 0.0

    def add(self, late: _Floats, n_times: int) -> None:
        """Take how late some deliveries were, in seconds, and how many samples have come."""
        self._n += n_times
        self._n_delivered += len(late)
        if len(late):
            self._high = max(self._high, float(np.abs(late).max()))
        if self._n >= self._n_second:
            self._latest.append(self._high)
            self._usual = float(np.quantile(self._latest, _USUAL))
            n_seconds = len(self._latest)
            is_known = self._usual < _EXACT or self._n_delivered >= _N_USUAL * n_seconds
            is_old = n_seconds >= _N_SECONDS
            self._least = self._finest if is_known else _FEW
            if not is_old:
                self._least = UNSURE
            if n_seconds == _MEMORY:
                self._n_delivered *= 1 - 1 / _MEMORY  # about as many as in the seconds kept
            self._high, self._n = 0.0, 0
        # also at once, where deliveries become worse
        last = self._latest[-1] if self._latest else 0.0
        usual = max(self._usual, last, self._high)
        self.threshold = min(max(_MARGIN * usual, self._least), THRESHOLD)
