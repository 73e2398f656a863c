"""From a latent to a ranking of candidates."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from decoder.events import Ranked
from models.candidates import Candidates
from models.latent import Latent
from models.retrieval import directions, probabilities, similarities

__all__ = ["Ranking", "RetrievalReadout", "rank"]


class Ranking:
    """All candidates in order of their probability for one latent.

    Parameters
    ----------
    probabilities : array of shape (n_candidates,)
        Sum to one.
    """

    def __init__(self, probabilities: NDArray[np.float64]) -> None:
        self.probabilities = probabilities
        self.order = np.argsort(-probabilities, kind="stable")

    def rank_of(self, index: int) -> int:
        """Return the place of a candidate, from 1.

        Of candidates as probable as it, half count as better, rounded up: a decoder that finds
        all equal must not score by their order in the list.
        """
        p = self.probabilities
        better = int(np.count_nonzero(p > p[index]))
        equal = int(np.count_nonzero(p == p[index])) - 1
        return 1 + better + (equal + 1) // 2


def rank(scaled: NDArray[np.float64], temperature: float = 1.0) -> Ranking:
    """Return the ranking for what `RetrievalReadout.scaled` gave, or for a sum of such."""
    return Ranking(probabilities(scaled, temperature))


class RetrievalReadout:
    """Similarity to each candidate, then a softmax at the fitted temperature.

    Parameters
    ----------
    candidates : Candidates
        The pool.
    centre : array of shape (n_dims,)
        Mean of the training targets.
    *temperatures : float
        Of each revision; fitted on held-out calibration data.
    """

    def __init__(
        self, candidates: Candidates, centre: NDArray[np.float32], *temperatures: float
    ) -> None:
        self._candidates = candidates
        self._centre = centre
        self._temperatures = temperatures
        self._directions = directions(candidates.vectors, centre)

    def scaled(self, latent: Latent, revision: int = 0) -> NDArray[np.float64]:
        """Return how much a latent of a revision speaks for each candidate.

        It is the logarithm of their probabilities, but for a number that is the same for all.
        """
        similarity = similarities(self._directions, self._centre, latent.vector)
        return similarity.astype(np.float64) / self._temperatures[revision]

    def rank(self, latent: Latent, revision: int = 0) -> Ranking:
        """Return the ranking of the candidates for a latent of a revision."""
        return rank(self.scaled(latent, revision))

    def top(self, ranking: Ranking, k: int) -> tuple[Ranked, ...]:
        """Return the best `k` candidates, best first."""
        c = self._candidates
        return tuple(
            Ranked(c.ids[i], c.texts[i], float(ranking.probabilities[i]), c.glyphs[i])
            for i in ranking.order[:k]
        )
