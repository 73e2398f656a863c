"""A deep convolutional network for many sensors and several people.

``sensors -> virtual sensors by place -> 1x1 -> a matrix for each person -> residual dilated
convolutions with gates -> time bins -> head``: the convolutional network of Defossez et al.
2023 with the pooled output of Benchetrit et al. 2024. It is made narrower than theirs (64 maps
in place of 320), so that it can be trained without a GPU. Recordings of several people, with
the same sensors, share all but one matrix each.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from models.training import Trainable, Training
from models.trials import Trials

__all__ = ["SimpleConv", "SimpleConvConfig"]

LOWEST_RATE = 100.0
"""Rate that is left after averaging, or more [Hz]; `models.tsconv` says why."""

_MARGIN = 0.1  # of the sensors' extent, so that the waves do not close on themselves


@dataclass(frozen=True, slots=True)
class SimpleConvConfig:
    """Sizes of a `SimpleConv`.

    Parameters
    ----------
    n_channels, n_times, n_dims : int
        Shapes of windows and latents.
    n_subjects : int
        People it is trained on.
    step : int
        Samples that are averaged into one, first of all.
    n_waves : int
        Spatial frequencies along each axis, by which virtual sensors are placed.
    n_maps : int
        Virtual sensors, and maps of each convolution.
    n_blocks : int
        Residual blocks; each sees twice as far in time as the one before.
    n_bins : int
        Parts of the window that are averaged at the end.
    blind_radius : float
        Sensors nearer than this to a random place are left out of a training step, in units
        of the sensors' extent.
    dropout : float
        Share of units of the head left out while training.
    """

    n_channels: int
    n_times: int
    n_dims: int
    n_subjects: int
    step: int
    n_waves: int = 8
    n_maps: int = 64
    n_blocks: int = 4
    n_bins: int = 8
    blind_radius: float = 0.2
    dropout: float = 0.5


class SimpleConv(Trainable):
    """See the module."""

    training_settings = Training(lr=1e-3, share=0.75)

    def __init__(self, config: SimpleConvConfig) -> None:
        super().__init__()
        c = config
        self.bin = nn.AvgPool1d(c.step)
        self.merge = _Merge(c)
        self.mix = nn.Conv1d(c.n_maps, c.n_maps, 1)
        self.personal = nn.Parameter(torch.eye(c.n_maps).repeat(c.n_subjects, 1, 1))
        self.blocks = nn.Sequential(*(_Block(c.n_maps, 2**n) for n in range(c.n_blocks)))
        n_bins = min(c.n_bins, c.n_times // c.step)
        self.pool = nn.AdaptiveAvgPool1d(n_bins)
        self.leave = nn.Sequential(
            nn.GELU(),
            nn.Dropout(c.dropout),
            nn.Linear(c.n_maps * n_bins, c.n_dims),
        )

    @classmethod
    def for_trials(cls, trials: Trials) -> tuple[SimpleConv, SimpleConvConfig]:
        """Make one for some trials, with the places of their sensors."""
        _, n_channels, n_times = trials.windows.shape
        config = SimpleConvConfig(
            n_channels=n_channels,
            n_times=n_times,
            n_dims=trials.targets.shape[1],
            n_subjects=int(trials.subjects.max()) + 1,
            step=max(int(trials.sfreq / LOWEST_RATE), 1),
        )
        network = cls(config)
        network.merge.place(trials.positions)
        return network, config

    def reduce(self, windows: Tensor) -> Tensor:
        """Average windows (n, n_channels, n_times) to (n, n_channels, n_times // step)."""
        averages: Tensor = self.bin(windows)
        return averages

    def learnt(self, reduced: Tensor, subjects: Tensor) -> Tensor:
        """Map averages of subjects (n,) to latents (n, n_dims).

        A subject beyond those that were trained on gets the mean of their matrices.
        """
        matrices = torch.cat([self.personal, self.personal.mean(dim=0, keepdim=True)])
        x = self.mix(self.merge(reduced))  # (n, n_maps, n_times // step)
        x = matrices[subjects.clamp(max=len(self.personal))] @ x
        x = self.pool(self.blocks(x))  # (n, n_maps, n_bins)
        latents: Tensor = self.leave(x.flatten(1))
        return latents


class _Merge(nn.Module):
    """Weights of sensors that are a smooth function of their place."""

    waves: Tensor  # (n_channels, 2 * n_waves ** 2)
    places: Tensor  # (n_channels, 2)

    def __init__(self, config: SimpleConvConfig) -> None:
        super().__init__()
        c = config
        n_functions = 2 * c.n_waves**2
        self.n_waves, self.blind_radius = c.n_waves, c.blind_radius
        self.register_buffer("places", torch.zeros(c.n_channels, 2))
        self.register_buffer("waves", torch.zeros(c.n_channels, n_functions))
        self.heads = nn.Parameter(torch.randn(c.n_maps, n_functions) / n_functions**0.5)

    def place(self, positions: np.ndarray | None) -> None:
        """Take sensors' positions (n_channels, 3), in m; None puts them on a circle."""
        n = len(self.places)
        angles = 2 * np.pi * np.arange(n) / n
        flat = np.stack([np.cos(angles), np.sin(angles)], axis=1)
        if positions is not None:
            centred = positions - positions.mean(axis=0)
            # What lies low on the head is moved outward, as a map of the scalp draws it
            height = centred[:, 2] / max(np.abs(centred[:, 2]).max(), 1e-9)
            flat = centred[:, :2] * (1.5 - 0.5 * height)[:, None]
        low, extent = flat.min(axis=0), np.ptp(flat, axis=0).max() or 1.0
        places = _MARGIN + (1 - 2 * _MARGIN) * (flat - low) / extent
        k = np.arange(self.n_waves)
        phase = 2 * np.pi * (places[:, :1] * k)[:, :, None]
        phase = (phase + 2 * np.pi * (places[:, 1:] * k)[:, None, :]).reshape(n, -1)
        self.places.copy_(torch.from_numpy(places))
        self.waves.copy_(torch.from_numpy(np.concatenate([np.cos(phase), np.sin(phase)], 1)))

    def forward(self, windows: Tensor) -> Tensor:
        """Map sensors (n, n_channels, n_times) to virtual ones (n, n_maps, n_times)."""
        scores = self.heads @ self.waves.T  # (n_maps, n_channels)
        if self.training:
            far = (self.places - torch.rand(2)).norm(dim=1) > self.blind_radius
            if far.any():
                scores = scores.masked_fill(~far, -torch.inf)
        return torch.softmax(scores, dim=1) @ windows


class _Block(nn.Module):
    """Two dilated convolutions around which the input passes by, then a gate."""

    def __init__(self, n_maps: int, dilation: int) -> None:
        super().__init__()
        self.first = _convolution(n_maps, dilation)
        self.second = _convolution(n_maps, 2 * dilation)
        self.gate = nn.Sequential(nn.Conv1d(n_maps, 2 * n_maps, 1), nn.GLU(dim=1))

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, n_maps, n_times) to the same shape."""
        x = x + self.first(x)
        x = x + self.second(x)
        gated: Tensor = x + self.gate(x)
        return gated


def _convolution(n_maps: int, dilation: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv1d(n_maps, n_maps, 3, padding=dilation, dilation=dilation),
        nn.BatchNorm1d(n_maps),
        nn.GELU(),
    )
