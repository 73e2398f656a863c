"""Whether the order of stimuli lets drift be read in place of them.

Slow drift of the signal tells when a trial was. Where the order was random, that says nothing
about what was shown. Where things were shown in blocks it does, and a decoder of the time looks
like one of the brain (Li et al. 2021, IEEE TPAMI 43, 316-333).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["Order", "confounds_of", "order_of"]

Kind = Literal["random", "alternating", "blocked", "one per run"]

_N_SHUFFLES = 1_999
_P = 0.001
"""A random order is taken for another one in so many recordings, for each of three ways."""

_N_WAVES = 5  # slow cosines over a run, from half a wave to two and a half
_N_AXES = 8  # of the embedding, that slow changes are looked for along
_SEED = 0
_UNEQUAL = 1.5


@dataclass(frozen=True, slots=True)
class Order:
    """In which order things were shown.

    Parameters
    ----------
    kind : str
        ``"random"``; ``"alternating"``: what came before tells what comes; ``"blocked"``: the
        time within a run tells what comes; ``"one per run"``: no run shows two things.
    likeness : float
        Mean likeness of successive stimuli, from -1 to 1; 1 if all are the same.
    expected : float
        The same over shuffles.
    p_value : float
        Smallest p, of 1,999 shuffles within recordings, of three: successive stimuli are too
        alike, too different, or change slowly along a recording.
    repeated : bool
        Whether all recordings, of several, show the same in the same order.
    """

    kind: Kind
    likeness: float
    expected: float
    p_value: float
    repeated: bool = False

    @property
    def warnings(self) -> tuple[str, ...]:
        """What follows for the score."""
        again = (
            "all recordings show the same in the same order, so that what comes back at the "
            "same time of each tells what was shown; of that, the control 'clock only' knows "
            "slow changes alone"
        )
        return tuple(text for text in (self.warning, again if self.repeated else "") if text)

    @property
    def warning(self) -> str:
        """What follows from the kind; empty if nothing does."""
        return {
            "random": "",
            "alternating": (
                "what was shown depends on what came before, so that responses to the one "
                "before tell it too; p comes from circular shifts"
            ),
            "blocked": (
                "things were shown in blocks or changed slowly, so that slow drift of the "
                "signal tells them as well as the brain: no p is given; show them in random "
                "order"
            ),
            "one per run": (
                "no recording shows two different things, so that what differs between "
                "recordings cannot be told from what was shown: no p is given; show all in "
                "each recording, in random order"
            ),
        }[self.kind]


def order_of(
    truth: NDArray[np.intp], runs: NDArray[np.intp], vectors: NDArray[np.float32]
) -> Order:
    """Tell in which order things were shown.

    Parameters
    ----------
    truth : array of shape (n,)
        Index of what was shown, in the order of time within each run.
    runs : array of shape (n,)
        The recording of each trial.
    vectors : array of shape (n_candidates, n_dims)
        The embedded candidates, for how alike two of them are.

    Examples
    --------
    >>> blocks = np.repeat([0, 1, 0, 1], 20)
    >>> order_of(blocks, np.zeros(80, int), np.eye(2, dtype=np.float32)).kind
    'blocked'
    """
    rows = [np.flatnonzero(runs == run) for run in np.unique(runs)]
    if all(len(np.unique(truth[row])) == 1 for row in rows):
        return Order("one per run", 1.0, 1.0, 1 / (1 + _N_SHUFFLES))
    axes = _axes(vectors, truth)
    lengths = np.maximum(np.linalg.norm(axes, axis=1, keepdims=True), 1e-12)
    alike = (axes / lengths) @ (axes / lengths).T
    rng = np.random.default_rng(_SEED)
    likeness, slow = np.zeros(1 + _N_SHUFFLES), np.zeros(1 + _N_SHUFFLES)
    for row in rows:
        waves = _slow_waves(len(row))
        for n in range(1 + _N_SHUFFLES):  # the first as it was
            shown = truth[row] if n == 0 else rng.permutation(truth[row])
            likeness[n] += alike[shown[:-1], shown[1:]].sum()
            slow[n] += ((waves @ axes[shown]) ** 2).sum()
    n_pairs = max(len(truth) - len(rows), 1)
    p_alike, p_unlike, p_slow = _upper(likeness), _upper(-likeness), _upper(slow)
    kind: Kind = "random"
    if p_unlike < _P:
        kind = "alternating"
    if min(p_alike, p_slow) < _P:
        kind = "blocked"
    return Order(
        kind,
        float(likeness[0] / n_pairs),
        float(likeness[1:].mean() / n_pairs),
        min(p_alike, p_unlike, p_slow),
        repeated=len({tuple(truth[row].tolist()) for row in rows}) == 1 < len(rows),
    )


def confounds_of(truth: NDArray[np.intp], texts: tuple[str, ...]) -> tuple[str, ...]:
    """Say what differs between stimuli besides what they are.

    Parameters
    ----------
    truth : array of shape (n,)
        Index of what was shown.
    texts : tuple of str
        Text of each candidate.
    """
    counts = np.bincount(truth, minlength=len(texts))
    often, seldom = int(counts.argmax()), int(np.where(counts, counts, len(truth) + 1).argmin())
    few = np.count_nonzero(counts) <= 10
    if not few or counts[often] <= _UNEQUAL * counts[seldom]:
        return ()
    return (
        f"{texts[often]!r} was shown in {counts[often] / len(truth):.0%} of the trials, "
        f"{texts[seldom]!r} in {counts[seldom] / len(truth):.0%}: what is rare is surprising, "
        "so that this score cannot tell rarity from category, and who always answers "
        f"{texts[often]!r} has a top-1 of {counts[often] / len(truth):.2f}",
    )


def _axes(vectors: NDArray[np.float32], truth: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return where each candidate lies along the main axes of what was shown."""
    centred = vectors - vectors[truth].mean(axis=0, dtype=np.float64)
    shown = np.unique(truth)
    _, _, directions = np.linalg.svd(centred[shown], full_matrices=False)
    return np.asarray(centred @ directions[:_N_AXES].T)


def _slow_waves(n: int) -> NDArray[np.float64]:
    """Return the slowest cosines over a run, of shape (n_waves, n)."""
    waves = np.arange(1, _N_WAVES + 1)[:, None]
    return np.asarray(np.cos(np.pi * waves * (np.arange(n) + 0.5) / max(n, 1)))


def _upper(values: NDArray[np.float64]) -> float:
    """Return how often a shuffle is as large as what was."""
    hits = int((values[1:] >= values[0] - 1e-9 * abs(values[0])).sum())
    return (1 + hits) / len(values)
