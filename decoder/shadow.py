"""Whether one decoder beats another on the same trials, looked at after each of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import exp, log

from scipy.special import betainc, betaln

__all__ = ["ENOUGH", "Paired"]

ENOUGH = 20.0
"""Evidence at which it is believed: of pairs equally good, one in 20 ever gets there."""


@dataclass(slots=True)
class Paired:
    """Counts on how many trials the new decoder put the truth above, or below, the old.

    A sign test that may be looked at after every trial: a bet at even odds on each trial on
    which the two differ, with all rates above one half staked alike (an e-process; Ramdas et
    al. 2023, Game-theoretic statistics and safe anytime-valid inference). If the new one is no
    better, its chance to win such a trial is at most one half whatever was before, the evidence
    is at most 1 on average, and it ever reaches `ENOUGH` in one of 20 cases (Ville).
    """

    n_better: int = field(default=0)
    n_worse: int = field(default=0)
    n_equal: int = field(default=0)

    @property
    def n(self) -> int:
        """Trials so far."""
        return self.n_better + self.n_worse + self.n_equal

    def add(self, new: int, old: int) -> None:
        """Take the places of the truth of a trial, from 1, by both decoders."""
        self.n_better += new < old
        self.n_worse += new > old
        self.n_equal += new == old

    @property
    def better(self) -> float:
        """Evidence that the new one is better."""
        return _evidence(self.n_better, self.n_worse)

    @property
    def worse(self) -> float:
        """Evidence that it is worse."""
        return _evidence(self.n_worse, self.n_better)


def _evidence(n_won: int, n_lost: int) -> float:
    """Return ``2 * integral of (2 r)^n_won (2 - 2 r)^n_lost`` over rates r from 1/2 to 1."""
    n = n_won + n_lost
    above = float(betainc(n_lost + 1, n_won + 1, 0.5))
    if above <= 0.0:
        return 0.0
    return exp(min((n + 1) * log(2) + float(betaln(n_won + 1, n_lost + 1)) + log(above), 700.0))
