"""The running score of a live session."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import sqrt
from statistics import median
from types import MappingProxyType
from typing import Any

from decoder.events import Running

__all__ = ["RunningScores", "sets_so_far", "wilson"]

_PROTOCOLS = ("closed_set", "zero_shot")


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
    sets : mapping of str to sequence of int
        Their conformal sets: how many, with the truth, and candidates in all of them.
    """

    def __init__(
        self,
        pool: int,
        ranks: Mapping[str, Sequence[int]],
        sets: Mapping[str, Sequence[int]] = MappingProxyType({}),
    ) -> None:
        self._pool = pool
        self._ranks = {name: list(ranks.get(name, ())) for name in _PROTOCOLS}
        self._sets = {name: list(sets.get(name, (0, 0, 0))) for name in _PROTOCOLS}

    def add(self, rank: int, *, trained: bool) -> None:
        """Count a decode whose truth came out at `rank`."""
        self._ranks[_protocol(trained)].append(rank)

    def add_set(self, size: int, *, holds: bool, trained: bool) -> None:
        """Count a set of `size` candidates, and whether the truth was one of them."""
        counts = self._sets[_protocol(trained)]
        counts[:] = counts[0] + 1, counts[1] + holds, counts[2] + size

    def summary(self) -> tuple[Running, ...]:
        """Return the score of each protocol that has any decode."""
        return tuple(
            self._running(protocol, ranks) for protocol, ranks in self._ranks.items() if ranks
        )

    def _running(self, protocol: str, ranks: list[int]) -> Running:
        n = len(ranks)
        first, five = sum(r == 1 for r in ranks), sum(r <= 5 for r in ranks)
        low, high = wilson(first, n)
        running = Running(
            protocol, n, self._pool, first / n, low, high, five / n, float(median(ranks))
        )
        n_sets, held, size = self._sets[protocol]
        if not n_sets:
            return running
        low, high = wilson(held, n_sets)
        return replace(
            running,
            n_sets=n_sets,
            coverage=held / n_sets,
            coverage_low=low,
            coverage_high=high,
            set_size=size / n_sets,
        )


def sets_so_far(running: Mapping[str, Any]) -> list[int]:
    """Return what `RunningScores` began with, or would go on from, from what it said.

    Parameters
    ----------
    running : mapping
        A `Running` as a log has it; older ones have no sets.

    Returns
    -------
    list of int
        As `Start.sets` has it.
    """
    n = running.get("n_sets", 0)
    if not n:
        return [0, 0, 0]
    return [n, round(n * running["coverage"]), round(n * running["set_size"])]


def _protocol(trained: bool) -> str:
    return _PROTOCOLS[0] if trained else _PROTOCOLS[1]
