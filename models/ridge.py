"""Ridge regression from pooled samples to the embedding: the first rung of the ladder.

Space is reduced first, then time: all samples of 272 channels and 3 s cost 18 ms a window,
32 spatial components pooled in time 0.35 ms.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh, solve

from models.spatial import spatial_filters
from models.trials import Course, Trials
from streaming.signal import Window

__all__ = [
    "ALPHAS",
    "RidgeEncoder",
    "held_out_error",
    "leave_group_out_error",
    "pool_starts",
    "pooled",
    "solve_ridge",
]

ALPHAS: NDArray[np.float64] = np.logspace(0, 7, 15)
"""Penalties tried, for features of unit variance; a target with no trace ends at the last."""

POOL = 0.04
"""Seconds that are averaged into one feature: a fifth of the period of the theta waves that
evoked responses are made of. AUC on Muse recordings (faces of two people, rare pictures of two
sessions) is .65 .68 .71 .77 with 20 ms, .67 .68 .70 .78 with 40 ms, .62 .59 .67 .75 with 70 ms.
"""


def pool_starts(n_times: int, sfreq: float) -> NDArray[np.int64]:
    """Return the first sample of each bin; bins are as even as `POOL` and the rate allow.

    Examples
    --------
    >>> pool_starts(21, 100.0)
    array([ 0,  4,  8, 13, 17])
    """
    n_bins = min(n_times, max(1, round(n_times / sfreq / POOL)))
    return np.round(np.arange(n_bins) * n_times / n_bins).astype(np.int64)


def _decompose(
    features: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return left singular vectors (n, r) and squared singular values (r,).

    They come from the smaller of the two Gram matrices: 5 times faster than an SVD.
    """
    n, n_features = features.shape
    if n <= n_features:
        squares, left = eigh(features @ features.T)
        kept = squares > squares[-1] * n_features * np.finfo(float).eps
        return left[:, kept], squares[kept]
    squares, right = eigh(features.T @ features)
    kept = squares > squares[-1] * n * np.finfo(float).eps
    return features @ (right[:, kept] / np.sqrt(squares[kept])), squares[kept]


def leave_group_out_error(
    features: NDArray[np.float64],
    targets: NDArray[np.float64],
    groups: NDArray[np.intp],
    alphas: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the squared error on each group when all others are fitted, in closed form.

    With an intercept that is not penalised, the residual of a group left out is
    ``(I - H_gg)^-1 (y_g - H_g y)``, where ``H`` is the hat matrix of the fit to all: one
    decomposition serves every group and every penalty. ``H_gg`` is of low rank if there are
    fewer features than trials in a group, and then a system of that size is solved (Woodbury).

    Parameters
    ----------
    features : array of shape (n, n_features)
        Each with mean 0.
    targets : array of shape (n, n_targets)
        Each with mean 0.
    groups : array of shape (n,)
        What is left out together.
    alphas : array of shape (n_alphas,)
        Penalties, above 0.

    Returns
    -------
    array of shape (n_alphas, n_targets)
        Mean over all trials.
    """
    left, squares = _decompose(features)
    n = len(features)
    projected = left.T @ targets  # (r, n_targets)
    members = [
        (rows, np.column_stack([left[rows], np.ones(len(rows))]))
        for rows in (np.flatnonzero(groups == group) for group in np.unique(groups))
    ]
    errors = np.zeros((len(alphas), targets.shape[1]))
    for index, alpha in enumerate(alphas):
        shrink = squares / (squares + alpha)
        residual = targets - left @ (shrink[:, None] * projected)
        weights = np.sqrt(np.append(shrink, 1 / n))
        for group, part in members:
            scaled = part * weights  # scaled @ scaled.T is the hat matrix
            missing = residual[group]
            if len(weights) < len(group):
                inner = np.eye(len(weights)) - scaled.T @ scaled
                missing = missing + scaled @ solve(inner, scaled.T @ missing, assume_a="pos")
            else:
                inner = np.eye(len(group)) - scaled @ scaled.T
                missing = solve(inner, missing, assume_a="pos")
            errors[index] += (missing**2).sum(axis=0) / n
    return errors


def held_out_error(
    features: NDArray[np.float64],
    targets: NDArray[np.floating],
    other_features: NDArray[np.float64],
    other_targets: NDArray[np.floating],
    alphas: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the summed squared error on other trials, of shape (n_alphas, n_targets).

    Parameters
    ----------
    features : array of shape (n, n_features)
        Of the trials to fit to; each with mean 0.
    targets : array of shape (n, n_targets)
        Their mean is the intercept.
    other_features, other_targets : array of shape (n_others, n_features or n_targets)
        What to predict.
    alphas : array of shape (n_alphas,)
        Penalties, above 0.
    """
    mean = targets.mean(axis=0, dtype=np.float64)
    left, squares = _decompose(features)
    projected = left.T @ (targets - mean)  # (r, n_targets)
    across = other_features @ features.T @ left  # (n_others, r)
    missing = other_targets - mean
    errors = [
        ((missing - across @ (projected / (squares[:, None] + alpha))) ** 2).sum(axis=0)
        for alpha in alphas
    ]
    return np.stack(errors)


def solve_ridge(
    features: NDArray[np.float64],
    targets: NDArray[np.float64],
    alphas: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return ridge coefficients, of shape (n_features, n_targets).

    Parameters
    ----------
    features : array of shape (n, n_features)
        Each with mean 0.
    targets : array of shape (n, n_targets)
        Each with mean 0.
    alphas : array of shape (n_targets,)
        The penalty of each target.
    """
    left, squares = _decompose(features)
    shrunk = (left.T @ targets) / (squares[:, None] + alphas)
    return np.asarray(features.T @ (left @ shrunk))


@dataclass(frozen=True, slots=True, eq=False)
class RidgeEncoder:
    """A linear map from a window to a point in the embedding space.

    Parameters
    ----------
    n_times : int
        Samples of a window.
    starts : array of shape (n_bins,)
        First sample of each bin that is averaged.
    spatial : array of shape (n_components, n_channels)
        Spatial filters.
    mean, scale : array of shape (n_components * n_bins,)
        Moments of the features in training.
    coef : array of shape (n_dims, n_components * n_bins)
        Weights of the standardised features.
    intercept : array of shape (n_dims,)
        Mean of the targets in training.
    alphas : array of shape (n_dims,)
        The penalty chosen for each dimension.
    """

    kind: ClassVar[str] = "ridge"

    n_times: int
    starts: NDArray[np.int64]
    spatial: NDArray[np.float64]
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    coef: NDArray[np.float32]
    intercept: NDArray[np.float32]
    alphas: NDArray[np.float64]

    def __post_init__(self) -> None:
        """Check that the parts fit together."""
        n_features = len(self.spatial) * len(self.starts)
        n_dims = len(self.intercept)
        shapes = {
            "mean": (n_features,),
            "scale": (n_features,),
            "coef": (n_dims, n_features),
            "alphas": (n_dims,),
        }
        for name, shape in shapes.items():
            if getattr(self, name).shape != shape:
                msg = f"{name} must have shape {shape}, got {getattr(self, name).shape}"
                raise ValueError(msg)
        if self.starts[0] != 0 or (np.diff(self.starts, append=self.n_times) < 1).any():
            msg = f"starts must rise from 0 and stay below n_times={self.n_times}"
            raise ValueError(msg)

    @classmethod
    def fit(cls, trials: Trials, course: Course = Course()) -> RidgeEncoder:  # noqa: B008 - frozen
        """Fit to trials; each dimension's penalty is what predicts a group best from others."""
        windows, targets = trials.windows, trials.targets
        n_times = windows.shape[-1]
        starts, spatial = pool_starts(n_times, trials.sfreq), spatial_filters(windows, targets)
        features = pooled(windows, starts, spatial)
        mean, scale = features.mean(axis=0), features.std(axis=0)
        scale[scale <= 1e-12 * scale.max(initial=0.0)] = 1.0  # constant: 0 after centring
        features = (features - mean) / scale
        intercept = targets.mean(axis=0, dtype=np.float64)
        centred = targets - intercept
        errors = leave_group_out_error(features, centred, trials.groups, ALPHAS)
        alphas = ALPHAS[errors.argmin(axis=0)]
        coef = solve_ridge(features, centred, alphas)
        course.tell(1.0)
        return cls(
            n_times,
            starts,
            spatial,
            mean,
            scale,
            np.ascontiguousarray(coef.T, dtype=np.float32),
            intercept.astype(np.float32),
            alphas,
        )

    def encode(self, window: Window) -> NDArray[np.float32]:
        """Return where in the embedding space a window lies, of shape (n_dims,).

        Only the samples count: neither the marker nor the time is read.
        """
        return self.encode_data(window.chunk.data)

    def encode_data(self, data: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the same for the samples of a window, of shape (n_channels, n_times)."""
        expected = (self.spatial.shape[1], self.n_times)
        if data.shape != expected:
            msg = f"a window must have shape {expected}, got {data.shape}"
            raise ValueError(msg)
        features = (pooled(data, self.starts, self.spatial) - self.mean) / self.scale
        return self.coef @ features.astype(np.float32) + self.intercept

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return all that was learnt, by name."""
        return {field.name: np.asarray(getattr(self, field.name)) for field in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.generic]]) -> RidgeEncoder:
        """Undo `arrays`."""
        values = {field.name: arrays[field.name] for field in fields(cls)}
        return cls(**{**values, "n_times": int(values["n_times"])})  # type: ignore[arg-type]


def pooled(
    windows: NDArray[np.float32], starts: NDArray[np.int64], spatial: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return features of one window (n_features,) or of many (n, n_features).

    Parameters
    ----------
    windows : array of shape (n_channels, n_times) or (n, n_channels, n_times)
        One or many.
    starts, spatial : array
        See `RidgeEncoder`.
    """
    counts = np.diff(starts, append=windows.shape[-1])
    pooled = np.add.reduceat(windows, starts, axis=-1, dtype=np.float64) / counts
    features = spatial @ pooled  # (..., n_components, n_bins)
    return features.reshape(*features.shape[:-2], -1)
