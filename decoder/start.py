"""How a session begins: afresh, or after a decoder that died."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = ["FRESH_START", "Start"]


@dataclass(frozen=True, slots=True)
class Start:
    """How a session begins: afresh, or after a decoder that died.

    Parameters
    ----------
    first_trigger : int
        Where the indices in decode ids begin, so that none comes twice.
    ranks : dict of str to list of int
        Places of the truth in the decodes before, by protocol: the running score goes on.
    pool : str
        Of which `decoder.pool.pool_name` they are; empty: of the model with its own candidates.
    version : int
        Of the newest candidates, whichever those are.
    sets : dict of str to list of int
        Conformal sets in the decodes before, by protocol: how many there were, how many of
        them held the truth, and how many candidates were in all of them together.
    evidence : dict or None
        What `decoder.betting.Betting` goes on from: ``stakes`` (by protocol: trials, bets and
        the most so far), ``reason`` and ``over`` (why there is no evidence, and whether for
        good), ``warning``, and ``trials`` if there were any (a marker of each that was
        numbered). None if there was no decoder before.
    """

    first_trigger: int = 0
    ranks: dict[str, list[int]] = field(default_factory=dict)
    pool: str = ""
    version: int = 1
    sets: dict[str, list[int]] = field(default_factory=dict)
    evidence: dict[str, Any] | None = None


FRESH_START = Start()
