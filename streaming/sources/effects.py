"""What faults do: to samples, to what the sender says of them, and to when they leave.

These are functions of the index and the instant of a sample, and of a seed, so that a schedule
does the same however the stream is cut.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from streaming.sources.faults import WITH_CHANNELS, Fault

__all__ = ["alter_rows", "jitter_delay", "stamp_shift"]

_PAGE = 1024

_DECAY = 5.0
"""Time constants of a pop until it is over: 1 % of it is left."""


def alter_rows(
    fault: Fault,
    rows: NDArray[np.generic],
    t: NDArray[np.float64],
    columns: Sequence[int],
    levels: NDArray[np.float64],
) -> NDArray[np.generic]:
    """Return samples as the fault leaves them: what happens to samples.

    Parameters
    ----------
    fault : Fault
        ``nan``, ``flat`` (at 0), ``saturate``, ``pop`` (a step that dies away, as of an
        electrode that is touched) or ``line`` (a sine); others change nothing.
    rows : array of shape (n_times, n_channels)
        The samples.
    t : array of shape (n_times,)
        When each was taken, in seconds since the start.
    columns : sequence of int
        The channels concerned.
    levels : array of shape (n_columns,)
        The fault's level in each channel's own unit.

    Returns
    -------
    array of shape (n_times, n_channels)
        In the type of `rows`: whole numbers are rounded and limited.
    """
    if fault.kind not in WITH_CHANNELS:
        return rows
    changed = rows.astype(np.float64)
    if fault.kind == "line":
        wave = np.sin(2 * np.pi * fault.hz * t)
        changed[:, columns] += wave[:, None] * levels
    elif fault.kind == "pop":
        decay = np.exp(-_DECAY * (t - fault.at) / fault.duration)
        changed[:, columns] += decay[:, None] * levels
    elif fault.kind == "saturate":
        changed[:, columns] = levels
    else:
        changed[:, columns] = np.nan if fault.kind == "nan" else 0.0
    if rows.dtype.kind == "i":
        limits = np.iinfo(rows.dtype.name)
        changed = np.clip(np.rint(changed), limits.min, limits.max)
    return changed.astype(rows.dtype)


def stamp_shift(
    fault: Fault, index: NDArray[np.int64], t: NDArray[np.float64], sfreq: float
) -> NDArray[np.float64]:
    """Return what the fault adds to timestamps, in seconds: what happens to timestamps.

    Parameters
    ----------
    fault : Fault
        ``bunch`` (all samples of a bunch get the timestamp of its last), ``step`` or
        ``drift`` (the amplifier's clock is slow by so much, and its samples come later);
        others add nothing, ``jitter`` adds its `jitter_delay`.
    index : array of shape (n_times,)
        Which samples, counted as they are taken.
    t : array of shape (n_times,)
        When each was taken, in seconds since the start.
    sfreq : float
        Nominal rate, in Hz.
    """
    if fault.kind == "bunch":
        left = (fault.amount - 1 - index % fault.amount) / sfreq
        return np.asarray(np.clip(left, 0.0, np.maximum(fault.end - t, 0.0)))
    if fault.kind == "step":
        return np.full(len(t), fault.amount)
    if fault.kind == "drift":
        return np.clip(t - fault.at, 0.0, fault.duration) * fault.amount * 1e-6
    return np.zeros(len(t))


def jitter_delay(key: tuple[int, ...], n: int, longest: float, period: float) -> float:
    """Return how late piece `n` of a stream arrives, in seconds: uniform, but for the order.

    A piece never overtakes the one before it, so it waits for that one where it must.

    Parameters
    ----------
    key : tuple of int
        Seed.
    n : int
        Number of the piece.
    longest : float
        Longest delay, in seconds.
    period : float
        Seconds from piece to piece.
    """
    before = np.arange(max(0, n - math.ceil(longest / period)), n + 1)
    draws = np.array([_page(key, m // _PAGE)[m % _PAGE] for m in before.tolist()])
    return float(np.max(longest * draws - (n - before) * period))


@lru_cache(64)
def _page(key: tuple[int, ...], number: int) -> list[float]:
    draws: list[float] = np.random.default_rng([*key, number]).random(_PAGE).tolist()
    return draws
