"""What a session chooses from just now, and how well it has done so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from decoder.events import Running, TextDecoded, Truth
from decoder.readout import Ranking, RetrievalReadout, rank
from decoder.score import RunningScores
from decoder.uncertainty import CERTAIN, Doubt, Uncertainty
from models.candidates import Candidates
from models.checkpoint import Model
from models.latent import Latent
from models.repeats import pooling_temperature
from models.stimuli import read_marker
from streaming.errors import ConfigError
from streaming.signal import Marker, Window

__all__ = ["N_TOP", "Pool", "Pooled", "pool_name"]

N_TOP = 5
"""Candidates named in each decode."""


N_TRIALS = 256
"""Trials whose repeats are pooled: a window of one that was not repeated for so long is its
first again."""


def pool_name(model_id: str, candidates_hash: str) -> str:
    """Return what names a model with candidates: what a running score is of."""
    return f"{model_id}/{candidates_hash}"


@dataclass(frozen=True, slots=True, eq=False)
class Pooled:
    """What the windows of a trial say together.

    Parameters
    ----------
    ranking : Ranking
        Of all candidates.
    n_repeats : int
        How many windows.
    calibrated : bool
        Whether it was fitted what so many are worth.
    trial_id : str
        Which trial; empty if the marker does not say.
    total : array of shape (n_candidates,)
        The sum of what they speak for each candidate.
    whole : bool
        Whether all are whole windows: of sums with parts of them nothing was fitted.
    """

    ranking: Ranking
    n_repeats: int
    calibrated: bool
    trial_id: str
    total: NDArray[np.float64]
    whole: bool


class Pool:
    """A model's candidates, or others in their place, and the score of the choices so far.

    Parameters
    ----------
    model : Model
        Whose latents are ranked.
    candidates : Candidates
        What it chooses from.
    ranks : mapping of str to sequence of int
        Places of the truth in the decodes before, by protocol: the running score goes on.
    sets : mapping of str to sequence of int
        And their conformal sets, as `decoder.start.Start` has them.
    asked : Uncertainty
        How sure a decode has to be.

    Raises
    ------
    ConfigError
        If the candidates are not in the model's space.
    """

    def __init__(
        self,
        model: Model,
        candidates: Candidates,
        ranks: Mapping[str, Sequence[int]],
        sets: Mapping[str, Sequence[int]] = MappingProxyType({}),
        asked: Uncertainty = CERTAIN,
    ) -> None:
        n_dims, n_model = candidates.vectors.shape[1], model.candidates.vectors.shape[1]
        if (candidates.space, n_dims) != (model.space, n_model):
            msg = (
                f"the candidates are in {candidates.space} ({n_dims} dimensions) but the model "
                f"decodes into {model.space} ({n_model}); embed them there"
            )
            raise ConfigError(msg)
        self.candidates = candidates
        self.hash = candidates.hash  # a millisecond: not once a decode
        # The temperature was fitted for the model's own; see the honest scores.
        self.calibrated = self.hash == model.candidates.hash
        self._stimuli = model.stimuli
        temperatures = (*(stage.temperature for stage in model.stages), model.temperature)
        self._readout = RetrievalReadout(candidates, model.centre, *temperatures)
        self.doubt = Doubt(model, candidates, asked)
        self._scores = RunningScores(len(candidates), ranks, sets)
        self._repeats = model.repeats if self.calibrated else ()
        self._so_far: dict[str, tuple[int, NDArray[np.float64], bool]] = {}
        self._n_revisions = len(temperatures)
        self._index_of = {name: n for n, name in enumerate(candidates.ids)}

    def glyph(self, candidate_id: str) -> str:
        """Return a candidate's emoji; empty if it has none or is not among them."""
        index = self._index_of.get(candidate_id)
        return "" if index is None else self.candidates.glyphs[index]

    def indices(self, candidate_ids: Sequence[str]) -> NDArray[np.intp]:
        """Return where candidates are; -1 for what is not among them."""
        return np.array([self._index_of.get(name, -1) for name in candidate_ids], np.intp)

    def rank(self, latent: Latent, revision: int = 0) -> Ranking:
        """Return the candidates in order of their probability, at a revision's temperature."""
        return self._readout.rank(latent, revision)

    def pooled(self, latent: Latent, window: Window) -> Pooled:
        """Add a latent to what was said before of its trial, whose number alone is read.

        Parameters
        ----------
        latent : Latent
            What it is decoded from.
        window : Window
            Whose it is.
        """
        trial_id = read_marker(window.marker.label)[1] if window.marker is not None else ""
        n_before, before, whole = self._so_far.get(trial_id, (0, 0.0, True))
        n_repeats = n_before + 1
        temperature, fitted = pooling_temperature(self._repeats, n_repeats)
        total = self._readout.scaled(latent, window.revision) + before
        whole = whole and window.revision == self._n_revisions - 1
        ranking, calibrated = rank(total, temperature), fitted and (whole or n_repeats == 1)
        return Pooled(ranking, n_repeats, calibrated, trial_id, total, whole)

    def remember(self, pooled: Pooled) -> None:
        """Keep what a final answer rests on, for the next window of its trial."""
        if not pooled.trial_id:
            return
        self._so_far.pop(pooled.trial_id, None)
        self._so_far[pooled.trial_id] = pooled.n_repeats, pooled.total, pooled.whole
        if len(self._so_far) > N_TRIALS:
            del self._so_far[next(iter(self._so_far))]

    def choose(
        self, decoded: TextDecoded, ranking: Ranking, marker: Marker | None
    ) -> TextDecoded:
        """Return a decode with the best candidates, and the truth if a marker tells it.

        Parameters
        ----------
        decoded : TextDecoded
            All but what was decoded; `final` if no later revision can come.
        ranking : Ranking
            From `rank`, or of `pooled`.
        marker : Marker or None
            What the window is locked to. Its label is looked at only after the decode was
            made, and only of final ones.
        """
        once = decoded.n_repeats == 1
        final = decoded.final or (once and self.doubt.stops(ranking))
        found = None
        if once or decoded.calibrated:
            found = self.doubt.set_of(
                ranking, decoded.revision, final=final, n_repeats=decoded.n_repeats
            )
        decoded = replace(
            decoded, top=self._readout.top(ranking, N_TOP), final=final, conformal=found
        )
        unsure = self.doubt.is_unsure(found)
        if unsure:
            decoded = replace(decoded, top=(), abstained="unsure")
        index = self._truth(marker) if final else None
        if index is None:
            return decoded
        c = self.candidates
        counts = once and not decoded.stale  # of a sum over repeats a report tells, apart
        if found is not None and counts:
            holds, trained = c.ids[index] in found.ids, c.trained[index]
            self._scores.add_set(len(found.ids), holds=holds, trained=trained)
        if unsure:
            return replace(decoded, running=self.summary())
        truth = Truth(
            id=c.ids[index],
            text=c.texts[index],
            glyph=c.glyphs[index],
            rank=ranking.rank_of(index),
            trained=c.trained[index],
        )
        if counts:
            self._scores.add(truth.rank, trained=truth.trained)
        return replace(decoded, truth=truth, running=self.summary())

    def forget(self) -> None:
        """Begin to count repeats anew."""
        self._so_far.clear()

    def summary(self) -> tuple[Running, ...]:
        """Return the score so far."""
        return self._scores.summary()

    def _truth(self, marker: Marker | None) -> int | None:
        if marker is None:
            return None
        stimulus = self._stimuli.find(marker.label)
        return None if stimulus is None else self._index_of.get(stimulus.candidate_id)
