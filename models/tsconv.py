"""A shallow convolutional network: space, then time, then a wide average.

``spatial convolution -> temporal convolution -> average pool -> BatchNorm, ELU, dropout ->
residual head``: the TSConv of NICE (Song et al. 2024) with space first, which leaves 40 maps
to convolve in time in place of one for each channel and trains 8 times faster. Its kernel of 25
samples and pool of 51 samples every 5, at 250 Hz, are kept in seconds; samples faster than
100 Hz are averaged first, as a chain of up to 30 Hz has nothing there: at 250 Hz that saves
three quarters of the time. The average is taken first, once for all epochs, and convolved only
where it is kept: nothing but linear maps lie between, so that it is the same network, in half
of the time (0.31 s of CPU in place of 0.62 for an epoch of 1,000 trials of 63 channels).
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from models.training import Trainable, Training
from models.trials import Trials

__all__ = ["TsConv", "TsConvConfig"]

KERNEL, POOL, STRIDE = 0.1, 0.2, 0.02
"""Lengths of the temporal convolution, of the average, and from one average to the next [s]."""


LOWEST_RATE = 100.0
"""Rate that is left after averaging, or more [Hz]."""


@dataclass(frozen=True, slots=True)
class TsConvConfig:
    """Sizes of a `TsConv`.

    Parameters
    ----------
    n_channels, n_times, n_dims : int
        Shapes of windows and latents.
    step : int
        Samples that are averaged into one.
    kernel, pool, stride : int
        `KERNEL`, `POOL` and `STRIDE` in averaged samples.
    n_maps : int
        Spatial and temporal filters.
    width : int
        Units of the head.
    dropout : float
        Share of units left out while training.
    """

    n_channels: int
    n_times: int
    n_dims: int
    step: int
    kernel: int
    pool: int
    stride: int
    n_maps: int = 40
    width: int = 256
    dropout: float = 0.5


class TsConv(Trainable):
    """See the module."""

    # Of 2e-4 and 1e-3, on the last two runs of P300: AUC .617 and .632, 4 times faster
    training_settings = Training(lr=1e-3, betas=(0.5, 0.999))

    def __init__(self, config: TsConvConfig) -> None:
        super().__init__()
        c = config
        self.bin = nn.AvgPool1d(c.step)
        self.pool = nn.AvgPool1d(c.pool, 1)
        self.space = nn.Conv1d(c.n_channels, c.n_maps, 1)
        self.time = nn.Conv1d(c.n_maps, c.n_maps, c.kernel, c.stride)
        self.after = nn.Sequential(nn.BatchNorm1d(c.n_maps), nn.ELU(), nn.Dropout(c.dropout))
        n_pooled = (c.n_times // c.step - c.kernel + 1 - c.pool) // c.stride + 1
        self.enter = nn.Linear(c.n_maps * n_pooled, c.width)
        self.block = nn.Sequential(
            nn.GELU(), nn.Linear(c.width, c.width), nn.Dropout(c.dropout)
        )
        self.norm = nn.LayerNorm(c.width)
        self.leave = nn.Linear(c.width, c.n_dims)

    @classmethod
    def for_trials(cls, trials: Trials) -> tuple[TsConv, TsConvConfig]:
        """Make one for some trials."""
        _, n_channels, n_times = trials.windows.shape
        step = max(int(trials.sfreq / LOWEST_RATE), 1)
        rate, n_bins = trials.sfreq / step, n_times // step
        kernel = max(min(round(KERNEL * rate), n_bins // 4), 1)
        config = TsConvConfig(
            n_channels=n_channels,
            n_times=n_times,
            n_dims=trials.targets.shape[1],
            step=step,
            kernel=kernel,
            pool=max(min(round(POOL * rate), (n_bins - kernel + 1) // 2), 1),
            stride=max(round(STRIDE * rate), 1),
        )
        return cls(config), config

    def reduce(self, windows: Tensor) -> Tensor:
        """Average windows (n, n_channels, n_times), first to a lower rate, then widely."""
        averages: Tensor = self.pool(self.bin(windows))
        return averages  # (n, n_channels, n_times // step - pool + 1)

    def learnt(self, reduced: Tensor, subjects: Tensor) -> Tensor:  # noqa: ARG002
        """Map averages to latents (n, n_dims), of all people alike."""
        x = self.after(self.time(self.space(reduced)))  # (n, n_maps, n_pooled)
        x = self.enter(x.flatten(1))  # (n, width)
        latents: Tensor = self.leave(self.norm(x + self.block(x)))
        return latents
