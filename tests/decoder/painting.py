"""A generator for tests, and a worker that has it: a picture has the colours of its latent."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from decoder.children import Child
from models.generator import OPENERS, Cancelled, Generator, Kind, Opening, Picture, check_vector

SPACE = "tests"


class Painter:
    """Paints in three steps.

    What follows the colon in its name: ``slow``, it goes on painting until it is cancelled;
    ``stuck``, and does not look; ``crash``, it ends the process at a latent beginning with -1;
    ``memory``, there is none left then.
    """

    kind: Kind = "generated"
    hash = "c0ffee"

    def __init__(self, opening: Opening) -> None:
        self.name, self.space = opening.name, opening.space
        self._way = opening.source
        assert opening.centre is not None
        self._n_dims = len(opening.centre)

    def preview(
        self, vector: NDArray[np.float32], seed: int, cancelled: Cancelled
    ) -> Iterator[Picture]:
        check_vector(vector, self._n_dims, self.name)
        if self._way == "crash" and vector[0] == -1:
            os._exit(7)
        if self._way == "memory" and vector[0] == -1:
            raise MemoryError("none left\nof it")
        rng = np.random.default_rng(seed)
        for step in (1, 2, 3):
            while step == 2 and self._way == "slow" and not cancelled():
                time.sleep(0.002)
            if step == 2 and self._way == "stuck":
                time.sleep(600)
            if cancelled():
                return
            noise = rng.integers(0, 8 // step, (8, 12, 1))
            colour = 128 + 100 * np.tanh(np.resize(vector, 3)) + noise
            yield Picture(colour.astype(np.uint8), self.kind, step, 3, self.name)

    def prior(self, seed: int) -> Picture:
        return Picture(np.zeros((8, 12, 3), np.uint8), self.kind, 3, 3, self.name)


def open_painter(opening: Opening) -> Generator:
    return Painter(opening)


def spawn_painter() -> Child:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.decoder.painting"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )


if __name__ == "__main__":
    from decoder.preview_worker import serve_previews

    OPENERS["paint"] = open_painter
    serve_previews(sys.stdin.buffer, sys.stdout.buffer, lambda: os._exit(0))
