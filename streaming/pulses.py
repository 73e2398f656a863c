"""Find the pulses of a photodiode, a trigger line or a trigger channel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["QUIET", "Level", "find_level", "find_pulses"]

QUIET = 0.05
"""Seconds below the level after which the next crossing is another pulse: shorter pauses are
the flicker of a screen, or a contact that bounces."""

_BLOCK = 0.1
"""The baseline is the running median of the medians of blocks of so many seconds..."""

_BASELINE = 101
"""...over so many of them: pulses may be on for up to half of 10 s, and the light in the room
may change within a minute."""

_CLEAR = 6.0
"""Pulses must be so many times as high as the noise (median deviation, as an SD)."""

_STEADY = 0.25
"""A baseline that wanders by less than this share of the height may be taken as fixed."""


@dataclass(frozen=True, slots=True)
class Level:
    """What tells a pulse from its baseline.

    Parameters
    ----------
    height : float
        Of a pulse above its baseline, in the channel's unit; negative if it goes down.
    baseline : float
        Its median.
    steady : bool
        Whether the baseline stays where it is, so that ``baseline + height / 2`` is a
        threshold for all of it.
    """

    height: float
    baseline: float
    steady: bool

    @property
    def threshold(self) -> float:
        """Half way up."""
        return self.baseline + self.height / 2


def find_level(
    x: NDArray[np.floating], sfreq: float, near: NDArray[np.intp], reach: int
) -> Level | None:
    """Find out how high the pulses are, and which way they go.

    The typical extreme near the markers counts, so that neither artifacts elsewhere nor pulses
    that fail to come disturb it.

    Parameters
    ----------
    x : array of shape (n_times,)
        The channel.
    sfreq : float
        Its rate, in Hz.
    near : array of shape (n_markers,)
        Indices around which pulses are expected.
    reach : int
        Within how many samples before and after.

    Returns
    -------
    Level or None
        None if nothing near the markers rises out of the noise.
    """
    baseline = _baseline(x, sfreq)
    y = x - baseline
    around = [y[max(0, n - reach) : n + reach + 1] for n in near.tolist()]
    around = [part for part in around if len(part)]
    if not around:
        return None
    up = float(np.median([part.max() for part in around]))
    down = float(np.median([part.min() for part in around]))
    height = up if up >= -down else down
    noise = 1.4826 * float(np.median(np.abs(y)))
    if abs(height) <= _CLEAR * noise or height == 0:
        return None
    steady = bool(np.ptp(baseline) < _STEADY * abs(height))
    return Level(height, float(np.median(baseline)), steady)


def find_pulses(x: NDArray[np.floating], sfreq: float, height: float) -> NDArray[np.float64]:
    """Return when pulses begin, in samples, between samples too.

    A pulse begins where the signal passes half its height above the baseline after `QUIET`
    seconds below. One that is on at the start has no beginning.

    Parameters
    ----------
    x : array of shape (n_times,)
        The channel, without gaps.
    sfreq : float
        Its rate, in Hz.
    height : float
        From `find_level`.

    Returns
    -------
    onsets : array of shape (n_pulses,)
        Indices, interpolated to where the line between two samples crosses.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.zeros(1000)
    >>> x[400:420] = 5.0
    >>> find_pulses(x, 1000.0, 5.0)
    array([399.5])
    """
    y = (x - _baseline(x, sfreq)) / height
    above = np.flatnonzero(y > 0.5)
    if not len(above):
        return np.empty(0)
    new = np.diff(above, prepend=-len(x)) > max(1, round(QUIET * sfreq))
    first = above[new]
    first = first[first > 0]
    before = y[first - 1]
    return np.asarray(first - (y[first] - 0.5) / (y[first] - before))


def _baseline(x: NDArray[np.floating], sfreq: float) -> NDArray[np.float64]:
    from scipy.ndimage import median_filter  # half of the time in which a command starts

    size = max(1, round(_BLOCK * sfreq))
    n_blocks = len(x) // size
    if n_blocks < 2:
        return np.full(len(x), np.median(x) if len(x) else 0.0)
    medians = np.median(x[: n_blocks * size].reshape(n_blocks, size), axis=1)
    smooth = median_filter(medians, _BASELINE)
    middles = (np.arange(n_blocks) + 0.5) * size
    return np.asarray(np.interp(np.arange(len(x)), middles, smooth))
