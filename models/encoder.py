"""What every encoder is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from models.network import (
    MlpEncoder,
    NetworkEncoder,
    SimpleConvEncoder,
    TsConvEncoder,
)
from models.ridge import RidgeEncoder
from models.riemann import RiemannEncoder
from models.track_encoder import TrackEncoder
from models.trials import Course, Trials
from streaming.signal import Window

__all__ = ["ENCODERS", "LOADERS", "NETWORKS", "Encoder", "for_subject"]


class Encoder(Protocol):
    """A fitted map from a window to a vector in an embedding space.

    It keeps nothing between windows, and reads nothing of a window but its samples.
    """

    kind: ClassVar[str]

    def encode(self, window: Window) -> NDArray[np.float32]:
        """Return the vector of one window, of shape (n_dims,)."""

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return all that was learnt, by name."""

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.generic]]) -> Self:
        """Make the encoder that gave `arrays`."""

    @classmethod
    def fit(cls, trials: Trials, course: Course = ...) -> Self:
        """Fit to trials, choosing settings by what predicts left-out groups."""


ENCODERS: dict[str, type[Encoder]] = {
    encoder.kind: encoder
    for encoder in (RidgeEncoder, RiemannEncoder, MlpEncoder, TsConvEncoder, SimpleConvEncoder)
}
"""All encoders, by the name that a model folder stores."""

NETWORKS = tuple(
    kind for kind, encoder in ENCODERS.items() if issubclass(encoder, NetworkEncoder)
)
"""Those that train for minutes."""

LOADERS: dict[str, type[Encoder]] = {**ENCODERS, "track": TrackEncoder}
"""All that a model folder may hold: `TrackEncoder` takes stretches of a track alone."""


def for_subject(encoder: Encoder, subject: int) -> Encoder:
    """Return an encoder as it decodes one of the people that it was fitted to.

    Parameters
    ----------
    encoder : Encoder
        Linear maps are the same for all people, and are returned as they are.
    subject : int
        As in `models.trials.Trials`.
    """
    if isinstance(encoder, NetworkEncoder):
        return replace(encoder, subject=subject)
    return encoder
