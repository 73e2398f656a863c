"""What a model's latents were like in calibration: what live ones are held against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

__all__ = ["BLOCK", "Reference", "block_means", "far_off", "make_reference"]

BLOCK = 20
"""Windows that are averaged before they are compared: single ones are mostly noise, and 20 are
16 s of stimuli every 0.8 s."""

_N_AXES = 8
_MIN_BLOCKS = 8


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """Latents of calibration trials, each by a model that had not seen its run.

    Parameters
    ----------
    mean : array of shape (n_dims,)
        Their mean.
    axes : array of shape (n_axes, n_dims)
        Principal axes of their scatter, scaled so that it has variance 1 along each.
    blocks : array of shape (n_blocks,)
        `far_off` of successive `BLOCK` of them, each by the mean and scatter of all others, as
        live ones will be.
    losses : array of shape (n_blocks,)
        How far down the truth stood in each block: the mean of its place among the candidates,
        from 0 (first) to 1 (last).
    """

    mean: NDArray[np.float64]
    axes: NDArray[np.float64]
    blocks: NDArray[np.float64]
    losses: NDArray[np.float64]

    def __post_init__(self) -> None:
        """Check that the parts fit together."""
        if self.axes.ndim != 2 or self.axes.shape[1:] != self.mean.shape:
            msg = f"axes have shape {self.axes.shape}, but the mean {self.mean.shape}"
            raise ValueError(msg)
        if self.blocks.shape != self.losses.shape:
            msg = f"there are {self.blocks.size} blocks but {self.losses.size} losses"
            raise ValueError(msg)

    def arrays(self) -> dict[str, NDArray[np.float64]]:
        """Return all of it, by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.float64]]) -> Reference:
        """Undo `arrays`."""
        return cls(**{field.name: arrays[field.name] for field in fields(cls)})


def make_reference(
    latents: NDArray[np.float32], losses: NDArray[np.float64], groups: NDArray[np.intp]
) -> Reference | None:
    """Return what held-out latents were like; None if they are too few to say.

    Parameters
    ----------
    latents : array of shape (n, n_dims)
        In the order in which they were recorded.
    losses : array of shape (n,)
        Place of the truth of each, from 0 to 1.
    groups : array of shape (n,)
        The run of each: no block is of two.
    """
    mean = latents.mean(axis=0, dtype=np.float64)
    offsets = latents - mean
    _, sizes, axes = np.linalg.svd(offsets, full_matrices=False)
    spread = sizes / np.sqrt(len(latents))
    kept = (spread > 1e-6 * spread[0]) & (np.arange(len(spread)) < _N_AXES)
    if not kept.any():
        return None
    axes = axes[kept] / spread[kept, None]
    blocks = _left_out(block_means(offsets @ axes.T, groups), len(latents))
    means = block_means(losses[:, None], groups)[:, 0]
    if len(blocks) < _MIN_BLOCKS:
        return None
    return Reference(mean, np.ascontiguousarray(axes), blocks, means)


def _left_out(means: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    """Return how far off each block is from the others; all `n` have mean 0 and scatter 1."""
    others = n - BLOCK
    distances = []
    for mean in means:
        centre = -BLOCK * mean / others
        scatter = (others + 1) * np.eye(len(mean)) - BLOCK * np.outer(mean, mean)
        off = mean - centre
        distances.append(BLOCK * (off @ np.linalg.solve(scatter / others, off)) / len(mean))
    return np.array(distances)


def block_means(values: NDArray[np.float64], groups: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the means of successive `BLOCK` rows of each group: (n_blocks, n_columns).

    Rows at the end of a group that make no whole block are left out.
    """
    means = [np.empty((0, values.shape[1]))]
    for group in dict.fromkeys(groups.tolist()):
        rows = values[groups == group]
        whole = len(rows) // BLOCK * BLOCK
        means.append(rows[:whole].reshape(-1, BLOCK, values.shape[1]).mean(axis=1))
    return np.concatenate(means)


def far_off(mean: NDArray[np.float64]) -> float:
    """Return how far the mean of a block lies from that of calibration.

    Parameters
    ----------
    mean : array of shape (n_axes,)
        Of the block, along `Reference.axes`.

    Returns
    -------
    float
        Squared distance, 1 on average for independent windows that are as those of calibration
        (Hotelling's statistic over the number of axes).
    """
    return float(BLOCK * (mean @ mean) / len(mean))
