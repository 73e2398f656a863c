"""Whether the order of stimuli speaks against the declared one, by the labels alone.

A bet like that of `decoder.evidence`, but without a brain: what comes next is guessed from what
came before. If the design is as declared, that wins nothing in the long run; a stake that has
grown a thousandfold says that it is not, and is wrong once in a thousand sessions at most.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from decoder.evidence import mixture

__all__ = ["ALARM", "OrderCheck"]

ALARM = 3.0
"""log10 of what the stake has to grow to."""

_STICK = math.e**2
"""How much more probable than its odds one guess thinks that the same comes again."""


class OrderCheck:
    """Four guesses: the same again; another; what was frequent; what followed the last before.

    Parameters
    ----------
    things : sequence of str
        What each row of the table shows.
    odds : array of shape (n_rows,)
        How probable each row is in the long run.
    """

    def __init__(self, things: Sequence[str], odds: NDArray[np.float64]) -> None:
        names = {name: n for n, name in enumerate(dict.fromkeys(things))}
        self._thing_of = np.array([names[name] for name in things])
        self._share = np.bincount(self._thing_of, odds, len(names))
        self._seen: Counter[int] = Counter()
        self._after: defaultdict[int, Counter[int]] = defaultdict(Counter)
        self._last: int | None = None
        self._log10_bets = np.zeros(4)

    def add(self, row: int, odds: NDArray[np.float64]) -> None:
        """Take what came, and how probable each row was then."""
        thing = int(self._thing_of[row])
        if self._last is not None:
            same = (self._thing_of == self._last).astype(np.float64)
            guesses = np.stack(
                [
                    1 + same * (_STICK - 1),
                    1 + same * (1 / _STICK - 1),
                    self._expected(self._seen),
                    self._expected(self._after[self._last]),
                ]
            )
            self._log10_bets += np.log10(guesses[:, row] / (guesses @ odds))
            self._after[self._last][thing] += 1
        self._seen[thing] += 1
        self._last = thing

    def _expected(self, counts: Counter[int]) -> NDArray[np.float64]:
        """Return how much more probable than its odds each row is, by what was counted."""
        n = np.zeros(len(self._share))
        n[list(counts)] = list(counts.values())
        ratio = (n + 1) / (n.sum() * self._share + 1)
        return np.asarray(ratio[self._thing_of])

    @property
    def log10_e(self) -> float:
        """What the stake has grown to, as log10."""
        return float(mixture(self._log10_bets))

    @property
    def warning(self) -> str:
        """What follows; empty if nothing does."""
        if self.log10_e < ALARM:
            return ""
        return (
            "the order of stimuli is not as declared: what comes next can be guessed from what "
            f"came before ({10**ALARM:.0f} : 1); do not believe the evidence"
        )
