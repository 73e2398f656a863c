"""The least error of instants that anyone could have soon after a loss or a restart.

Blocks are late by anything from 0 to D, uniformly. Who knows D, the amplifier's rate and the
line before exactly knows of the offset after n blocks that it lies in an interval, of D less
the range of their delays, in which all are equally likely. To be within T of it as often as can
be, one says the middle, and is further off with probability ``(1 - 2 T / D) ** n``: the error
of a midrange. After a loss the offset is one of those that are whole
samples apart, also all equally likely in the interval; there one says the middle of as many
neighbours as lie within T, of which there are c, and the probability is
``(1 - c / (D * sfreq)) ** n``. No estimator, whatever it says of each block, has a p95 that is
less than where the mean of these probabilities is one in twenty.
"""

from __future__ import annotations

import numpy as np

__all__ = ["least_error"]

_MISSED = 0.05
"""p95."""

_RESOLUTION = 1e-5
"""Of what is returned, in seconds."""


def least_error(
    sfreq: float, block: int, late: float, start: float, stop: float, *, whole: bool
) -> float:
    """Return the least p95 of errors of instants, in seconds, to 0.01 ms.

    Parameters
    ----------
    sfreq : float
        Rate, in Hz.
    block : int
        Samples in a block.
    late : float
        How late blocks are at most, in seconds.
    start, stop : float
        Of which samples, in seconds after the event. Those of a block are told when it comes.
    whole : bool
        Whether a whole number of samples is missing, as after a loss.
    """
    n_blocks = np.arange(round(start * sfreq), round(stop * sfreq)) // block + 1
    for error in np.arange(0.0, late, _RESOLUTION):
        covered = 2 * error
        if whole:  # and rounding must not leave out the last of those within
            covered = (np.floor(covered * sfreq + 1e-6) + 1) / sfreq
        if (np.maximum(1 - covered / late, 0.0) ** n_blocks).mean() <= _MISSED:
            return float(error)
    return late / 2
