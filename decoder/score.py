"""The running score of a live session."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt
from statistics import median

from decoder.events import Running

__all__ = ["RunningScores", "wilson"]


def wilson(hits: int, n: int, z: float = 1.96) -> tuple[float, float]:
    """Return the Wilson interval of a proportion, 95 % by default.

    Notes
    -----
    Wilson (1927), J. Am. Stat. Assoc. 22, 209-212. Unlike the normal interval it stays within 0
    and 1 and is not empty when nothing was hit.

    Examples
    --------
    >>> low, high = wilson(0, 10)
    >>> round(low, 3), round(high, 3)
    (0.0, 0.278)
    """
    p = hits / n
    middle = p + z * z / (2 * n)
    half = z * sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    return max(0.0, (middle - half) / scale), min(1.0, (middle + half) / scale)


class RunningScores:
    """Ranks of the truth so far, apart for trained concepts and for never-seen ones.

    Parameters
    ----------
    pool : int
        Number of candidates each decode chooses from.
    ranks : mapping of str to sequence of int
        Places of the truth in decodes that were made before, by protocol.
    """

    def __init__(self, pool: int, ranks: Mapping[str, Sequence[int]]) -> None:
        self._pool = pool
        self._ranks = {name: list(ranks.get(name, ())) for name in ("closed_set", "zero_shot")}

    def add(self, rank: int, *, trained: bool) -> None:
        """Count a decode whose truth came out at `rank`."""
        self._ranks["closed_set" if trained else "zero_shot"].append(rank)

    def summary(self) -> tuple[Running, ...]:
        """Return the score of each protocol that has any decode."""
        return tuple(
            self._running(protocol, ranks) for protocol, ranks in self._ranks.items() if ranks
        )

    def _running(self, protocol: str, ranks: list[int]) -> Running:
        n = len(ranks)
        first, five = sum(r == 1 for r in ranks), sum(r <= 5 for r in ranks)
        low, high = wilson(first, n)
        return Running(
            protocol, n, self._pool, first / n, low, high, five / n, float(median(ranks))
        )
