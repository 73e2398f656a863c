"""What may be believed of a decode: which set holds the truth, and whether to wait."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from decoder.config import SessionConfig
from decoder.events import ConformalSet
from decoder.readout import Ranking
from models.candidates import Candidates
from models.checkpoint import Model
from models.conformal import (
    Odds,
    final_revisions,
    least_trials,
    set_threshold,
    stop_thresholds,
)
from streaming.errors import ConfigError

__all__ = ["CERTAIN", "Doubt", "Uncertainty", "uncertainty_of"]

_FINAL = -1
"""Stands for the final revision, whichever it is."""


@dataclass(frozen=True, slots=True)
class Uncertainty:
    """How sure a decode has to be.

    Parameters
    ----------
    risk : float or None
        Promised share of sets that miss the truth; None for no sets.
    max_set : int or None
        A decode whose set is larger is withheld as unsure; None withholds none.
    stop_at_risk : float or None
        Promised share of wrong ones among decodes that are final before the last latency; None
        waits for the last.

    Raises
    ------
    ConfigError
        If one is no share, or a set is asked for that cannot be.
    """

    risk: float | None = None
    max_set: int | None = None
    stop_at_risk: float | None = None

    def __post_init__(self) -> None:
        """Check the shares."""
        for name, risk in (("risk", self.risk), ("stop-at-risk", self.stop_at_risk)):
            if risk is not None and not 0 < risk < 1:
                msg = f"--{name} is a share above 0 and below 1, such as 0.2, got {risk:g}"
                raise ConfigError(msg)
        if self.max_set is not None and (self.max_set < 1 or self.risk is None):
            what = f"got {self.max_set}" if self.max_set < 1 else "and there is no --risk"
            msg = f"--max-set is how many candidates a set at --risk may have, {what}"
            raise ConfigError(msg)


CERTAIN = Uncertainty()
"""No sets, and no decode before the last latency is final."""


def uncertainty_of(section: SessionConfig) -> Uncertainty:
    """Return what the settings of a session ask for."""
    return Uncertainty(section.risk, section.max_set, section.stop_at_risk)


class Doubt:
    """The sets of one model with some candidates.

    Parameters
    ----------
    model : Model
        Which says what held-out trials gave.
    candidates : Candidates
        What it chooses from; for others than the model's own nothing is promised.
    asked : Uncertainty
        How sure a decode has to be.

    Attributes
    ----------
    no_set : str
        Why there is no set, for a person; empty if there is one.
    no_stop : str
        Why no decode is final before its last latency; empty if some are.
    """

    def __init__(self, model: Model, candidates: Candidates, asked: Uncertainty) -> None:
        self.asked = asked
        self._ids = candidates.ids
        self._trained = np.array(candidates.trained)
        self._found: dict[int, tuple[NDArray[np.float64], int]] = {}
        self._repeated: dict[int, tuple[NDArray[np.float64], int]] = {}
        self._stop: float | None = None
        self.no_set = self.no_stop = "not asked for"
        odds, why = _odds_of(model, candidates)
        if asked.stop_at_risk is not None:
            self._choose_stop(odds, asked.stop_at_risk, why)
        if asked.risk is not None:
            self.no_set = why or self._choose_sets(odds, asked.risk)
        if asked.risk is not None and not self.no_set and len(odds) == 1:
            self._choose_repeated(model, asked.risk)

    def stops(self, ranking: Ranking) -> bool:
        """Return whether a decode is final though later revisions could come."""
        return self._stop is not None and float(ranking.probabilities.max()) >= self._stop

    def is_unsure(self, found: ConformalSet | None) -> bool:
        """Return whether a set is too large for its decode to be given."""
        most = self.asked.max_set
        return found is not None and most is not None and len(found.ids) > most

    def set_of(
        self, ranking: Ranking, revision: int, *, final: bool, n_repeats: int = 1
    ) -> ConformalSet | None:
        """Return the candidates that hold the truth with the promised risk.

        The best one is always among them, which cannot make the set miss more often.

        Parameters
        ----------
        ranking : Ranking
            Of all candidates.
        revision : int
            Which one it is of; its set was calibrated on trials that had not stopped before.
        final : bool
            Whether it is the last that is sent; its set was calibrated on such, whenever they
            came.
        n_repeats : int
            Windows of one stimulus that it rests on; of several, the final one has a set, where
            sums of as many held-out trials were calibrated.
        """
        found = self._found.get(_FINAL if final else revision)
        if n_repeats > 1:
            found = self._repeated.get(n_repeats) if final else None
        if found is None or self.asked.risk is None:
            return None
        least, n = found
        inside = ranking.probabilities >= least
        inside[ranking.order[0]] = True
        ids = tuple(self._ids[i] for i in ranking.order if inside[i])
        return ConformalSet(ids, self.asked.risk, n)

    def _choose_stop(self, odds: Sequence[tuple[bool, Odds]], risk: float, why: str) -> None:
        if not why and odds[0][1].truth.shape[1] == 1:
            why = "the model has a single latency"
        if not why:
            known = set.intersection(*(set(stop_thresholds(part, risk)) for _, part in odds))
            if known:
                self._stop = min(known)
            else:
                why = f"no threshold is known to keep early answers at {risk:.0%} wrong"
        self.no_stop = why

    def _choose_sets(self, odds: Sequence[tuple[bool, Odds]], risk: float) -> str:
        """Find the thresholds of each kind of candidate; return why there is none."""
        n_revisions = odds[0][1].truth.shape[1]
        for revision in (_FINAL, *range(n_revisions - 1)):
            least, n = np.zeros(len(self._ids)), 0
            for trained, part in odds:
                rows = np.arange(len(part))
                stops = final_revisions(part, self._stop)
                # Alike with alike: what is shown after no stop is set against such trials.
                alike = rows if revision == _FINAL else rows[stops > revision]
                at = stops if revision == _FINAL else np.full(len(rows), revision)
                threshold = set_threshold(part.truth[alike, at[alike]], risk)
                if threshold is None:
                    if revision == _FINAL:
                        return (
                            f"a set at a risk of {risk:g} needs {least_trials(risk)} held-out "
                            f"trials, and there are {len(part)}"
                        )
                    break
                least[self._trained == trained] = threshold
                n = min(n, len(alike)) if n else len(alike)
            else:
                self._found[revision] = least, n
        return ""

    def _choose_repeated(self, model: Model, risk: float) -> None:
        """Find the thresholds of sums over repeats, which tell of one kind of candidate."""
        for each in model.repeats:
            threshold = set_threshold(each.odds.truth[:, 0], risk)
            if threshold is not None:
                least = np.full(len(self._ids), threshold)
                self._repeated[each.n] = least, len(each.odds)


def _odds_of(model: Model, candidates: Candidates) -> tuple[list[tuple[bool, Odds]], str]:
    """Return what held-out trials gave for trained candidates and for others; or why not."""
    if candidates.hash != model.candidates.hash:
        return [], "they are calibrated for the model's own candidates alone"
    found: list[tuple[bool, Odds]] = []
    for trained in sorted(set(candidates.trained), reverse=True):
        protocol = "closed_set" if trained else "zero_shot"
        if protocol not in model.conformal:
            kind = "seen in calibration" if trained else "never seen in calibration"
            return [], f"nothing was held out that tells of candidates {kind}"
        found.append((trained, model.conformal[protocol]))
    return found, ""
