"""Samples that are all in memory, where they are read in windows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Held:
    data: NDArray[np.float32]

    def read(self, start: int, stop: int) -> NDArray[np.float32]:
        return self.data[:, max(0, start) : stop]
