"""What a simulated participant is shown, when, and how the brain takes it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import cos, exp, pi

import numpy as np

__all__ = ["Shown", "Trial", "drawn", "scripted"]

_SOA_JITTER = 0.125  # of the SOA, to both sides: 0.7 to 0.9 s for 0.8 s
_LAPSES = 0.05  # of trials get no response at all
_STRETCH = 0.05  # SD of the log latency: 5 ms for P1, 25 ms at 500 ms
_GAIN = 0.15  # SD of the log amplitude from trial to trial


@dataclass(frozen=True, slots=True)
class Shown:
    """What an experiment does at some time of a session.

    Parameters
    ----------
    t : float
        When, in seconds since the participant's `lead`.
    label : str
        The marker that it sends.
    concept : str
        What is seen; nothing if empty.
    """

    t: float
    label: str
    concept: str = ""


@dataclass(frozen=True, slots=True)
class Trial:
    """Something that is shown, and how it is taken.

    Parameters
    ----------
    onset : int
        Sample at which it begins.
    label : str
        The marker.
    concept : int or None
        What is seen.
    gain, stretch : float
        How strong the response is, and how slow, as factors.
    """

    onset: int
    label: str
    concept: int | None
    gain: float
    stretch: float


def scripted(
    script: Sequence[Shown],
    index: Mapping[str, int],
    rng: np.random.Generator,
    sfreq: float,
    lead: float,
) -> Iterator[Trial]:
    """Yield what an experiment shows.

    Parameters
    ----------
    script : sequence of Shown
        In the order of time.
    index : dict of str to int
        Number of each concept.
    rng : numpy.random.Generator
        Decides how the brain takes it.
    sfreq, lead : float
        Rate in Hz, and seconds before the script begins.
    """
    for each in script:
        onset = round((lead + each.t) * sfreq)
        concept = index[each.concept] if each.concept else None
        yield Trial(onset, each.label, concept, *_taken(rng, onset / sfreq))


def drawn(
    pools: Sequence[Sequence[int]],
    concepts: Sequence[str],
    rng: np.random.Generator,
    sfreq: float,
    lead: float,
    soa: float,
    *,
    independent: bool = False,
) -> Iterator[Trial]:
    """Draw what is shown, and when, forever.

    Parameters
    ----------
    pools : sequence of sequences of int
        They take turns in random order; each is shown in full before any of it comes again.
    concepts : sequence of str
        The label of each.
    rng : numpy.random.Generator
        Decides the rest.
    sfreq, lead : float
        Rate in Hz, and seconds before the first.
    soa : float
        Mean time from one onset to the next, in seconds.
    independent : bool
        Draw each anew instead, whatever came before: a pool, all being as probable, then one
        of it.
    """
    order = (_anew if independent else _order)(rng, pools)
    onset = round(lead * sfreq)
    while True:
        gain, stretch = _taken(rng, onset / sfreq)
        concept = next(order)
        yield Trial(onset, concepts[concept], concept, gain, stretch)
        onset += round(soa * rng.uniform(1 - _SOA_JITTER, 1 + _SOA_JITTER) * sfreq)


def _taken(rng: np.random.Generator, t: float) -> tuple[float, float]:
    """Draw how strong a response is after `t` seconds of a session, and how slow."""
    gain = _vigilance(t) * rng.lognormal(0, _GAIN)
    attends = rng.random() >= _LAPSES
    return gain * attends, rng.lognormal(0, _STRETCH)


def _vigilance(t: float) -> float:
    """Return how much of a fresh response is left after `t` seconds of a session.

    It sinks over 3 minutes and comes back, though never quite: a tenth is lost for good within
    the first quarter of an hour.
    """
    return 1 - 0.1 * (1 - exp(-t / 900)) - 0.1 * (1 - cos(2 * pi * t / 360)) / 2


def _order(rng: np.random.Generator, pools: Sequence[Sequence[int]]) -> Iterator[int]:
    """Draw concepts forever: pools take turns in random order, each is shuffled and used up."""
    left: list[list[int]] = [[] for _ in pools]
    while True:
        for pool in rng.permutation(len(pools)):
            if not left[pool]:
                left[pool] = list(rng.permutation(pools[pool]))
            yield int(left[pool].pop())


def _anew(rng: np.random.Generator, pools: Sequence[Sequence[int]]) -> Iterator[int]:
    """Draw concepts forever: a pool, then one of it, whatever came before."""
    while True:
        pool = pools[int(rng.integers(len(pools)))]
        yield pool[int(rng.integers(len(pool)))]
