"""A generator for tests: it paints what a latent says, as four colours and some noise."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from models.generator import Cancelled, Kind, Opening, Picture, check_vector

__all__ = ["N_DIMS", "Painter", "colours"]

N_DIMS = 12


def colours(vector: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return four fields, of the colours that a vector of twelve numbers from 0 to 1 says."""
    fields = np.clip(255 * vector, 0, 255).astype(np.uint8).reshape(2, 2, 3)
    return np.asarray(np.kron(fields, np.ones((16, 16, 1), np.uint8)))


class Painter:
    """Paints in two steps."""

    kind: Kind = "generated"
    hash = "0" * 64

    def __init__(self, opening: Opening) -> None:
        self.name, self.space = opening.name, opening.space
        assert opening.centre is not None
        self.centre = opening.centre

    def preview(
        self, vector: NDArray[np.float32], seed: int, cancelled: Cancelled
    ) -> Iterator[Picture]:
        """Yield a coarse picture and a finer one."""
        check_vector(vector, N_DIMS, self.name)
        for step in (1, 2):
            noise = np.random.default_rng(seed).integers(0, 40, (32, 32, 3))
            pixels = np.clip(colours(vector).astype(int) + noise, 0, 255).astype(np.uint8)
            yield Picture(pixels, self.kind, step, 2, self.name)

    def prior(self, seed: int) -> Picture:
        """Paint the centre."""
        *_, last = self.preview(self.centre, seed, lambda: False)
        return last
