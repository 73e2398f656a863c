"""An alarm with a promise: how often it sounds when nothing has changed."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable
from math import sqrt
from typing import Literal

__all__ = ["LIMIT", "Alarm"]

LIMIT = 2000.0
"""Values from one false alarm to the next, on average, at the least. Of blocks of 20 windows:
9 hours of stimuli every 0.8 s."""

_MISSED = 0.1  # of the stake that is left when a jump was bet on and did not come


class Alarm:
    """Sounds when values are larger than they were, with a bound on false alarms.

    Each value is ranked among those of calibration and all live ones before it. That gives a
    p-value which is valid, and independent of the ones before, as long as all of them are
    exchangeable; no distribution is assumed (Vovk et al. 2003, Testing exchangeability on-line;
    Vovk et al. 2021, Retrain or not retrain). Two bets are made on it, neither of which gains
    on average if nothing has changed:

    - on a slow change: ``0.5 / sqrt(p)`` (Vovk and Wang 2021, E-values);
    - on a jump: all ``k`` values since then, and no more than as many others, are the largest.
      Without this bet values after a jump would soon count as usual, because they are ranked
      among each other.

    The largest product of a bet since any past value, averaged over the two, is an e-detector
    of the CUSUM kind: it reaches `LIMIT` not before as many values on average (Shin, Ramdas and
    Rinaldo 2024, E-detectors: a nonparametric framework for sequential change detection).

    Once it sounds, no value is learnt as usual any more, those since the change are forgotten,
    and it is over when the first product is back at 1, from at most the root of `LIMIT`.

    Parameters
    ----------
    reference : iterable of float
        Values in calibration. A jump right at the start is found from about 20 on, since fewer
        could be the smallest by chance.
    """

    def __init__(self, reference: Iterable[float]) -> None:
        self._usual = sorted(reference)
        self._live: list[float] = []
        self._slow = self._jump = 1.0
        self._n_slow = self._n_jump = 0  # values since each began
        self.on = False

    def add(self, value: float) -> Literal["alarm", "good"] | None:
        """Take the next value; return what begins with it, if anything does.

        Parameters
        ----------
        value : float
            The larger, the stranger.
        """
        n = len(self._usual)
        p = (n - bisect_left(self._usual, value) + 1) / (n + 1)
        return self._go_on(p) if self.on else self._watch(value, p)

    def _watch(self, value: float, p: float) -> Literal["alarm"] | None:
        if self._slow <= 1.0:
            self._slow, self._n_slow = 1.0, 0
        if self._jump <= 1.0:
            self._jump, self._n_jump = 1.0, 0
        top = min(1.0, 2 * (self._n_jump + 1) / (len(self._usual) + 1))
        self._slow *= 0.5 / sqrt(p)
        self._jump *= _MISSED + (1 - _MISSED) * (p <= top) / top
        self._n_slow += 1
        self._n_jump += 1
        insort(self._usual, value)
        self._live.append(value)
        if (self._slow + self._jump) / 2 < LIMIT:
            return None
        self.on = True
        n_since = self._n_slow if self._slow > self._jump else self._n_jump
        for strange in self._live[-n_since:]:
            self._usual.remove(strange)
        del self._live[-n_since:]
        self._slow = LIMIT
        return "alarm"

    def _go_on(self, p: float) -> Literal["good"] | None:
        self._slow = min(self._slow * 0.5 / sqrt(p), sqrt(LIMIT))
        if self._slow > 1.0:
            return None
        self._jump = 1.0
        self.on = False
        return "good"
