"""A residual multilayer perceptron on the ridge's features.

``windows -> spatial filters, time bins -> linear -> residual GELU block -> LayerNorm ->
linear``: the projector of Benchetrit et al. 2024, with space and time reduced before as the
ridge does, which keeps it at a third of a million weights and a decode below a millisecond.
The LayerNorm comes before the last layer, so that the length of the latent is free.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from models.ridge import pool_starts
from models.spatial import spatial_filters
from models.training import Trainable, Training
from models.trials import Trials

__all__ = ["Mlp", "MlpConfig"]


@dataclass(frozen=True, slots=True)
class MlpConfig:
    """Sizes of an `Mlp`.

    Parameters
    ----------
    n_channels, n_components, n_times, n_bins, n_dims : int
        Shapes before and after each reduction.
    width : int
        Units of the hidden layers.
    dropout : float
        Share of units left out while training.
    """

    n_channels: int
    n_components: int
    n_times: int
    n_bins: int
    n_dims: int
    width: int = 256
    dropout: float = 0.5


class Mlp(Trainable):
    """See the module."""

    spatial: Tensor
    bins: Tensor

    # Of 1e-4 and 1e-3, on the last two runs of P300: AUC .602 and .651, in a third of the time
    training_settings = Training(lr=1e-3)

    def __init__(self, config: MlpConfig) -> None:
        super().__init__()
        c = config
        self.register_buffer("spatial", torch.zeros(c.n_components, c.n_channels))
        self.register_buffer("bins", torch.zeros(c.n_times, c.n_bins))
        self.enter = nn.Linear(c.n_components * c.n_bins, c.width)
        self.block = nn.Sequential(
            nn.GELU(), nn.Linear(c.width, c.width), nn.Dropout(c.dropout)
        )
        self.norm = nn.LayerNorm(c.width)
        self.leave = nn.Linear(c.width, c.n_dims)

    @classmethod
    def for_trials(cls, trials: Trials) -> tuple[Mlp, MlpConfig]:
        """Make one for some trials, with spatial filters learnt from them."""
        n_times = trials.windows.shape[-1]
        starts = pool_starts(n_times, trials.sfreq)
        spatial = spatial_filters(trials.windows, trials.targets)
        config = MlpConfig(
            n_channels=spatial.shape[1],
            n_components=spatial.shape[0],
            n_times=n_times,
            n_bins=len(starts),
            n_dims=trials.targets.shape[1],
        )
        network = cls(config)
        bins = np.repeat(np.eye(len(starts)), np.diff(starts, append=n_times), axis=0)
        # Filtered windows are to have variance 1 on average
        size = np.sqrt(((spatial @ trials.windows.astype(np.float64)) ** 2).mean()) or 1.0
        network.spatial.copy_(torch.from_numpy(spatial / size))
        network.bins.copy_(torch.from_numpy(bins / np.sqrt(bins.sum(axis=0))))
        return network, config

    def reduce(self, windows: Tensor) -> Tensor:
        """Map windows (n, n_channels, n_times) to features (n, n_components, n_bins)."""
        return self.spatial @ windows @ self.bins

    def learnt(self, reduced: Tensor, subjects: Tensor) -> Tensor:  # noqa: ARG002
        """Map features to latents (n, n_dims), of all people alike."""
        x = self.enter(reduced.flatten(1))  # (n, width)
        latents: Tensor = self.leave(self.norm(x + self.block(x)))
        return latents
