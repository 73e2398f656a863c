"""A test that may be looked at after every trial: betting against chance.

Who bets that the signal tells what is shown, at odds that are fair if it does not, cannot
expect to win: what a stake of 1 has grown to is a martingale, which by Ville's inequality ever
reaches ``1 / alpha`` with probability `alpha` at most, whenever one looks and however the
decoder changes meanwhile. The odds are those of the declared randomisation.

References
----------
Shafer (2021), Testing by betting, J. R. Stat. Soc. A 184, 407-431. Ramdas, Grunwald, Vovk and
Shafer (2023), Game-theoretic statistics and safe anytime-valid inference, Stat. Sci. 38,
576-601. Bets spread over a grid: Waudby-Smith, Ramdas (2024), J. R. Stat. Soc. B 86, 1-27.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["BETS", "KEPT", "LOST", "NOTHING", "Stake", "gains", "mixture"]

BETS = (0.125, 0.25, 0.5, 1.0, 2.0)
"""How boldly to bet: 1 is right if the decoder's probabilities are, less if it is too sure.

Each has a fifth of the stake, all the time: what the best would have won is lost but for a
fifth. On a simulated participant (600 trials at the SNR ``realistic``) that takes 31 trials to
20-fold in the median, all of it bet; 1 alone would take 23, but nobody knows that before.
"""

KEPT = 0.1
"""Share of each bet that is not bet in a trial, but kept.

It pays for trials that somebody keeps from being bet on after they have seen what is shown: of
those `KEPT` is all that is left. Who may choose, knowing the label, between a bet that is worth
``KEPT + (1 - KEPT) * won`` and `KEPT`, cannot gain by it: the first is never less. It also
bounds what a single decode that is sure and wrong can cost."""

LOST = (math.log10(KEPT),) * len(BETS)
"""What such a trial multiplies each bet by, as log10."""


def gains(
    scores: NDArray[np.float64], odds: NDArray[np.float64], truth: NDArray[np.intp] | int
) -> NDArray[np.float64]:
    """Return what one trial multiplies each bet by, as log10.

    Parameters
    ----------
    scores : array of shape (..., n)
        What the decoder finds for each thing that could be shown, as log probabilities; of the
        signal and the things shown before alone.
    odds : array of shape (..., n)
        Probability that each is shown, given what was shown before, by the declared
        randomisation; sums to 1.
    truth : array of shape (...) or int
        Index of what was shown, whose odds are above 0.

    Returns
    -------
    array of shape (..., n_bets)
        For each of `BETS`, log10 of ``KEPT + (1 - KEPT) * won``, where `won` is
        ``exp(b * score of truth) / sum of odds * exp(b * score)``: under the odds, the mean of
        what it is the logarithm of is 1.

    Examples
    --------
    >>> gains(np.log([0.9, 0.1]), np.array([0.5, 0.5]), 0).round(3).tolist()
    [0.056, 0.103, 0.176, 0.255, 0.296]
    """
    possible = np.where(odds > 0, scores, -np.inf)
    centred = possible - possible.max(axis=-1, keepdims=True)
    at_truth = np.take_along_axis(centred, np.asarray(truth)[..., None], axis=-1)
    won = [
        bet * at_truth[..., 0] - np.log(np.sum(odds * np.exp(bet * centred), axis=-1))
        for bet in BETS
    ]
    return np.asarray(np.log10(KEPT + (1 - KEPT) * np.exp(np.stack(won, axis=-1))))


def mixture(log10_bets: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return log10 of the mean over the last axis of what `log10_bets` are logarithms of."""
    most = log10_bets.max(axis=-1, keepdims=True)
    mean = np.mean(10.0 ** (log10_bets - most), axis=-1)
    return np.asarray(most[..., 0] + np.log10(mean))


@dataclass(frozen=True, slots=True)
class Stake:
    """What a stake of 1, spread evenly over `BETS`, has become.

    Parameters
    ----------
    n : int
        Trials that were bet on.
    log10_bets : tuple of float
        What has become of a stake of 1 on each bet alone.
    log10_e_max : float
        The most that the whole was, 1 at the start.
    """

    n: int = 0
    log10_bets: tuple[float, ...] = (0.0,) * len(BETS)
    log10_e_max: float = 0.0

    @property
    def log10_e(self) -> float:
        """What the whole is now."""
        return float(mixture(np.array(self.log10_bets)))

    @property
    def p(self) -> float:
        """Anytime-valid p-value: 1 over the most that it was."""
        return float(10.0**-self.log10_e_max)

    def after(self, gained: Sequence[float] | NDArray[np.float64]) -> Stake:
        """Return the stake after another trial, of which `gains` says what it gave."""
        bets = tuple(
            before + float(won) for before, won in zip(self.log10_bets, gained, strict=True)
        )
        now = Stake(self.n + 1, bets)
        return Stake(now.n, bets, max(self.log10_e_max, now.log10_e))


NOTHING = Stake()
"""Before the first trial."""
