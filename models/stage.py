"""What decodes a window that has not come to its end yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from models.encoder import Encoder

__all__ = ["Stage"]


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """An encoder for the first part of a window.

    Parameters
    ----------
    encoder : Encoder
        From that part to a vector.
    temperature : float
        Makes similarities to probabilities; fitted on held-out trials of the same length.
    """

    encoder: Encoder
    temperature: float

    def __post_init__(self) -> None:
        """Check the temperature."""
        if not (self.temperature > 0 and np.isfinite(self.temperature)):
            msg = f"temperature must be finite and above 0, got {self.temperature}"
            raise ValueError(msg)

    def to_json(self) -> dict[str, Any]:
        """Return all but the encoder's weights, as a model folder stores it."""
        return {"encoder": self.encoder.kind, "temperature": self.temperature}
