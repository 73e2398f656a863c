"""What calibration has seen of windows and latents: beyond it, nobody knows how sure to be.

Probabilities were fitted on held-out trials. A ridge given a pop of an electrode answers with a
latent that is twenty times as long, and the softmax takes its length for certainty.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["MARGIN", "RISK", "Usual", "length_of", "make_usual", "size_of"]

RISK = 0.01
"""Promised share of windows like those of calibration that count as unusual, at the most."""

MARGIN = 1.25
"""How far beyond the limit of the promise something is unusual. The longest latents of faces
and houses are the best, so that one that is just beyond is no reason for doubt; those beside a
step of an electrode are 2 to 20 times as long as any."""


@dataclass(frozen=True, slots=True)
class Usual:
    """How long latents and how large windows are, at the most.

    Parameters
    ----------
    length : float
        Of a latent, from the centre of what the model was trained on.
    size : float
        Of a window: the root of the mean square of its samples.
    n : int
        Held-out trials that it rests on.
    """

    length: float
    size: float
    n: int

    def __post_init__(self) -> None:
        """Refuse limits that nothing keeps."""
        if not (0 < self.length < math.inf and 0 < self.size < math.inf and self.n > 0):
            msg = f"usual needs finite limits above 0 of some trials, got {self}"
            raise ValueError(msg)

    @property
    def risk(self) -> float:
        """Promised share of windows like those of calibration that are unusual, at the most."""
        return max(RISK, 2 / (self.n + 1))

    def holds(
        self,
        vector: NDArray[np.float32],
        centre: NDArray[np.float32],
        data: NDArray[np.float32],
    ) -> bool:
        """Return whether a latent and its window are no more than was seen.

        Parameters
        ----------
        vector : array of shape (n_dims,)
            The latent.
        centre : array of shape (n_dims,)
            Of what the model was trained on.
        data : array of shape (n_channels, n_times)
            The window.
        """
        return length_of(vector, centre) <= self.length and size_of(data) <= self.size

    def to_json(self) -> dict[str, Any]:
        """Return the same as plain data, as a model folder stores it."""
        return asdict(self)


def length_of(vector: NDArray[np.float32], centre: NDArray[np.float32]) -> float:
    """Return how far a latent is from the centre."""
    return float(np.linalg.norm(vector.astype(np.float64) - centre))


def size_of(data: NDArray[np.float32]) -> float:
    """Return the root of the mean square of a window, of shape (n_channels, n_times).

    Examples
    --------
    >>> size_of(np.array([[3, -3], [3, 3]], np.float32))
    3.0
    """
    return float(np.sqrt(np.square(data, dtype=np.float64).mean()))


def make_usual(
    latents: NDArray[np.float32],
    centre: NDArray[np.float32],
    windows: Iterable[NDArray[np.float32]],
) -> Usual | None:
    """Return what held-out trials were like; None if they do not tell.

    Parameters
    ----------
    latents : array of shape (n, n_dims)
        Each by a model that had not seen its run; empty where they are not known.
    centre : array of shape (n_dims,)
        Of what the model was trained on.
    windows : iterable of array of shape (n_channels, n_times)
        What they were decoded from.

    Notes
    -----
    Each limit is the ``ceil((n + 1) (1 - RISK / 2))``-th smallest value, or the largest where
    that asks for more than `n`, times `MARGIN`. A window that is exchangeable with these is
    beyond one of them with a probability of `Usual.risk` at most (split conformal prediction,
    Vovk, Gammerman and Shafer 2005, chapter 4), whatever the distributions are.
    """
    if not len(latents):
        return None
    length = _limit([length_of(vector, centre) for vector in latents])
    size = _limit([size_of(data) for data in windows])
    if not (0 < length < math.inf and 0 < size < math.inf):
        return None
    return Usual(length, size, len(latents))


def _limit(values: Sequence[float]) -> float:
    n = len(values)
    at = min(math.ceil((n + 1) * (1 - RISK / 2) - 1e-9), n)
    return MARGIN * sorted(values)[at - 1]
