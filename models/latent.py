"""What an encoder makes of a window."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Latent"]


@dataclass(frozen=True, slots=True, eq=False)
class Latent:
    """A point in the embedding space of a pretrained network.

    Parameters
    ----------
    vector : array of shape (n_dims,)
        Coordinates in `space`, not normalised.
    space : str
        Name of the embedding space, such as ``"sentence:all-MiniLM-L6-v2"`` or ``"labels"``.
    t_end : float
        When the newest sample it was made from was taken, in seconds on the LSL clock.
    model_id : str
        Hash of the model that made it.
    """

    vector: NDArray[np.float32]
    space: str
    t_end: float
    model_id: str
