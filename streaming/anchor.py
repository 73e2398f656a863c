"""Where a segment's instants are counted from, as it moves with what is learned.

For `streaming.clock`.
"""

from __future__ import annotations

__all__ = ["FIRST", "Anchor"]

FIRST = 1.0
"""Seconds at the start of a segment in which the anchor may be far too late, as the first
block is only known to have been taken before it came: it moves fast, and early by up to as much
is no error."""

_SLEW = 0.02
"""How fast the anchor may move after `FIRST`, beside the slope, which it follows: by no more
than this share of a chunk's length..."""

_STEP = 0.5
"""...and of a sample, so that instants always increase."""

_BACK = 0.9
"""The same where the rate is far off what was said, and only now known."""


class Anchor:
    """When the first sample of a segment was taken, as far as is known: the nominal rate's.

    Parameters
    ----------
    sfreq : float
        Nominal rate, in Hz.
    t : float
        Where it begins, in seconds.
    """

    def __init__(self, sfreq: float, t: float) -> None:
        self.t = t
        self._sfreq = sfreq

    def follow(self, target: float, drift: float, n_times: int, *, n_before: int) -> float:
        """Move towards a target with the amplifier's clock; return how far off it still is.

        Parameters
        ----------
        target : float
            Where it should be, in seconds.
        drift : float
            How far the amplifier's clock runs from the nominal rate in these samples, in
            seconds.
        n_times, n_before : int
            How many samples these are, and how many came before in the segment.
        """
        is_new = n_before <= FIRST * self._sfreq
        limit = min((_STEP if is_new else _SLEW) * n_times, _STEP) / self._sfreq
        half = _STEP / (2 * self._sfreq)
        if abs(drift) < half:  # together at most `_STEP`; a rate that is further off needs more
            limit = min(limit, 2 * half - abs(drift))
        away = target - self.t - drift
        correction = min(max(away, -limit), limit)
        move = max(drift + correction, -_BACK / self._sfreq)
        self.t += move
        return away + drift - move
