"""Where latents lie on average just now, from the past alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["MEMORY", "Recentring"]

MEMORY = 60
"""Windows over which the mean is taken: 48 s of stimuli every 0.8 s. With 30 or 120 accuracy is
the same to one or two points, drift or not (two simulated people, three rates)."""

_PRIOR = 20  # windows that the mean of calibration counts as at the start


class Recentring:
    """Subtracts from each latent how far the mean of those before it has moved.

    The mean is over all windows, whatever was shown: no label is read, so that scrambling what
    was shown changes nothing. It is right where what is shown has the same shares throughout,
    and as in calibration. In a block of one kind, the mean follows what is shown.

    Parameters
    ----------
    mean : array of shape (n_dims,)
        Of latents in calibration.
    longest : float
        What is farther from it moves the mean no more than what is so far: a single artifact
        would push those after it away.
    """

    def __init__(self, mean: NDArray[np.float64], longest: float = np.inf) -> None:
        self._mean, self._longest = mean, longest
        self._shift = np.zeros_like(mean)
        self._n = 0

    @property
    def shift(self) -> NDArray[np.float64]:
        """How far the mean has moved, of shape (n_dims,)."""
        return self._shift

    def __call__(self, vector: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return a latent as if the mean had stayed, and follow it from the next one on."""
        moved = (vector - self._shift).astype(np.float32)
        self._n += 1
        weight = max(1 / (_PRIOR + self._n), 1 / MEMORY)
        off = vector - self._mean - self._shift
        length = float(np.linalg.norm(off))
        if length > self._longest:
            off *= self._longest / length
        self._shift = self._shift + weight * off
        return moved
