"""What a session's folder says of it, as a report needs it: plain data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from decoder.config import Config

__all__ = [
    "VERDICTS",
    "Account",
    "Channels",
    "Coverage",
    "Evidence",
    "Happening",
    "Latencies",
    "Loss",
    "Preview",
    "Score",
    "Windows",
]

VERDICTS = ("good", "noisy", "line", "marked", "saturated", "flat", "disconnected")
"""What is said of a channel, the worse the later."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """What became of each window.

    Parameters
    ----------
    t : array of shape (n_windows,)
        When that was said, in seconds since the session began.
    outcome : array of shape (n_windows,)
        Which of `outcomes` it was.
    outcomes : tuple of str
        ``"decoded"``, ``"stale"``, and reasons for which windows were withheld.
    """

    t: Floats
    outcome: NDArray[np.intp]
    outcomes: tuple[str, ...]

    def count(self, outcome: str) -> int:
        """Return how many windows came out so."""
        if outcome not in self.outcomes:
            return 0
        return int((self.outcome == self.outcomes.index(outcome)).sum())


@dataclass(frozen=True, slots=True, eq=False)
class Coverage:
    """Whether sets of candidates held the truth as often as they promised.

    Those of decodes that were withheld because they were large are among them.

    Parameters
    ----------
    protocol : str
        ``"closed_set"`` or ``"zero_shot"``.
    pool : int
        How many candidates there were.
    t : array of shape (n,)
        When each set was said, in seconds since the session began.
    held : array of shape (n,)
        Whether the truth was in it.
    size : array of shape (n,)
        How many candidates were.
    risk : float
        Share of sets that may miss.
    """

    protocol: str
    pool: int
    t: Floats
    held: NDArray[np.bool_]
    size: NDArray[np.intp]
    risk: float


@dataclass(frozen=True, slots=True, eq=False)
class Score:
    """Decodes with a truth, by one model from the same candidates, of one protocol.

    Parameters
    ----------
    protocol : str
        ``"closed_set"`` or ``"zero_shot"``.
    model_id : str
        Which model.
    version : int
        Which candidates, as the session counts them.
    pool : int
        How many candidates.
    t : array of shape (n,)
        When each was said, in seconds since the session began.
    rank : array of shape (n,)
        Place of the truth, from 1.
    answers : mapping of pairs of str to int
        How often what was shown (first) was taken for what (second).
    """

    protocol: str
    model_id: str
    version: int
    pool: int
    t: Floats
    rank: NDArray[np.intp]
    answers: Mapping[tuple[str, str], int]

    @property
    def hits(self) -> int:
        """How often the truth came first."""
        return int((self.rank == 1).sum())


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """A bet against chance, for one protocol, or for any (``""``); see the `evidence` events.

    Parameters
    ----------
    protocol, design : str
        What it is of, and which randomisation was declared.
    t, log10_e : array of shape (n,)
        The e-process, and when it was said, in seconds since the session began.
    n : int
        Trials that were bet on.
    p : float
        The anytime-valid p at the end; 1 if nothing was bet.
    reason : str
        Why there is none; empty if there is.
    warning : str
        Why not to believe it; empty if nothing speaks against it.
    """

    protocol: str
    design: str
    t: Floats
    log10_e: Floats
    n: int
    p: float
    reason: str = ""
    warning: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Latencies:
    """How long decodes took.

    Parameters
    ----------
    t : array of shape (n_decodes,)
        When each was said, in seconds since the session began.
    stages : mapping of str to array of shape (n_decodes,)
        Milliseconds of each stage; NaN where it was not known.
    """

    t: Floats
    stages: Mapping[str, Floats]


@dataclass(frozen=True, slots=True, eq=False)
class Channels:
    """How the channels were.

    Parameters
    ----------
    ch_names : tuple of str
        All that were ever judged.
    t : array of shape (n_reports,)
        When, in seconds since the session began.
    verdicts : array of shape (n_channels, n_reports)
        Which of `VERDICTS`; -1 where it was not judged.
    interpolated : array of shape (n_channels, n_reports)
        Whether others stood in for it.
    refused : array of shape (n_reports,)
        Whether too many were bad to decode.
    """

    ch_names: tuple[str, ...]
    t: Floats
    verdicts: NDArray[np.int8]
    interpolated: NDArray[np.bool_]
    refused: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Loss:
    """Signal that was lost, or is not known.

    Parameters
    ----------
    t : float
        When it was said, in seconds since the session began.
    duration : float
        How much, in seconds.
    reason : str
        As in the `state` events of gaps; ``"revised"``: found late.
    detail : str
        One line for a person.
    """

    t: float
    duration: float
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Preview:
    """The final picture of a decode.

    Parameters
    ----------
    t : float
        When, in seconds since the session began.
    answer, shown : str
        What the decode put first, and what was shown; empty if that was not told.
    kind, source : str
        ``"generated"`` by, or ``"retrieved"``: of what.
    file : str or None
        Its name in the session's ``previews/``.
    """

    t: float
    answer: str
    shown: str
    kind: str
    source: str
    file: str | None


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that people did, or that changed.

    Parameters
    ----------
    t : float
        When, in seconds since the session began.
    what, state, detail : str
        As in the `state` events.
    """

    t: float
    what: str
    state: str
    detail: str


@dataclass(frozen=True, slots=True, eq=False)
class Account:
    """What a session's folder says of it.

    Parameters
    ----------
    session_id : str
        Its name.
    manifest : mapping
        ``manifest.json``.
    config : Config
        ``config.yaml``.
    duration : float
        From its first event to its last, in seconds.
    ending : str
        ``"ended in good order"``, or that it was cut short.
    n_decoders : int
        How many decoders worked on it, one after the other.
    recordings : tuple of (float, str)
        When each recording but the first began, in seconds since the session began, and its
        name.
    n_times : int
        Samples that were decoded.
    windows, scores, coverage, latencies, channels, losses, evidence, previews, happened
        What became of it; `channels` is None where nothing was said of them.
    decoded : Counter of str
        How often each candidate came first.
    by_latency : mapping of (str, int) to mapping of float to (int, int)
        Of decodes that were refined, by protocol and number of candidates: seconds after the
        marker, then how often the truth came first, of how many.
    by_repeats : mapping of (str, int) to mapping of int to (int, int)
        By protocol and number of candidates: windows that an answer rests on, then how often
        the truth came first, of how many. Only those of 1 are in `scores`.
    uncalibrated : int
        Decodes whose probabilities were not calibrated.
    roles : Counter of str
        Markers by their role in the table of stimuli.
    unknown : Counter of str
        Markers that the table does not list.
    clients : Counter of str
        How often a client of each role came; ``""``: was not let in.
    """

    session_id: str
    manifest: Mapping[str, Any]
    config: Config
    duration: float
    ending: Literal["ended in good order", "cut short"]
    n_decoders: int
    recordings: tuple[tuple[float, str], ...]
    n_times: int
    windows: Windows
    scores: tuple[Score, ...]
    coverage: tuple[Coverage, ...]
    latencies: Latencies
    channels: Channels | None
    losses: tuple[Loss, ...]
    evidence: tuple[Evidence, ...]
    previews: tuple[Preview, ...]
    happened: tuple[Happening, ...]
    decoded: Counter[str]
    by_latency: Mapping[tuple[str, int], Mapping[float, tuple[int, int]]]
    by_repeats: Mapping[tuple[str, int], Mapping[int, tuple[int, int]]]
    uncalibrated: int
    roles: Counter[str]
    unknown: Counter[str]
    clients: Counter[str]
