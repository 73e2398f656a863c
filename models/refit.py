"""A ridge that goes on learning, one labelled trial after the other.

What a ridge needs of its trials are weighted sums over them, to which a trial is added without
the others: recursive least squares in information form. Solved at any time, they give the same
coefficients as a batch fit to all these trials with these weights, and a penalty that does not
fade with forgetting, as it does where the inverse is updated instead (Haykin, Adaptive Filter
Theory, ch. 10).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

from models.ridge import RidgeEncoder, pooled
from streaming.errors import ModelError

__all__ = ["HALF_LIFE", "Sums", "add_trial", "make_sums", "solved"]

HALF_LIFE = 400.0
"""Labelled trials after which one counts half."""


@dataclass(frozen=True, slots=True, eq=False)
class Sums:
    """Weighted sums over trials, from which a ridge is solved.

    Parameters
    ----------
    weight : array of shape ()
        Sum of the weights: how many trials count just now.
    origin : array of shape (n_features,)
        What was taken off the features before they were divided by `RidgeEncoder.scale`.
    features, targets : arrays of shape (n_features,) and (n_dims,)
        Sums of what is predicted from, and of what is predicted.
    gram : array of shape (n_features, n_features)
        Sum of products of the features.
    cross : array of shape (n_features, n_dims)
        Sum of products of features and targets.
    """

    weight: NDArray[np.float64]
    origin: NDArray[np.float64]
    features: NDArray[np.float64]
    targets: NDArray[np.float64]
    gram: NDArray[np.float64]
    cross: NDArray[np.float64]

    def __post_init__(self) -> None:
        """Check that the parts fit together."""
        n, n_dims = self.features.size, self.targets.size
        shapes = {"origin": (n,), "gram": (n, n), "cross": (n, n_dims), "weight": ()}
        for name, shape in shapes.items():
            if getattr(self, name).shape != shape:
                msg = f"{name} must have shape {shape}, got {getattr(self, name).shape}"
                raise ValueError(msg)

    def arrays(self) -> dict[str, NDArray[np.float64]]:
        """Return all of it, by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Sums:
        """Undo `arrays`."""
        return cls(**{field.name: arrays[field.name] for field in fields(cls)})


def make_sums(
    encoder: RidgeEncoder, windows: NDArray[np.float32], targets: NDArray[np.float32]
) -> Sums:
    """Return the sums over the trials that a ridge was fitted to.

    Parameters
    ----------
    encoder : RidgeEncoder
        Its features.
    windows : array of shape (n, n_channels, n_times)
        The trials.
    targets : array of shape (n, n_dims)
        What each is mapped to.
    """
    x = _features(encoder, encoder.mean, windows)
    y = targets.astype(np.float64)
    return Sums(
        weight=np.array(float(len(x))),
        origin=encoder.mean,
        features=x.sum(axis=0),
        targets=y.sum(axis=0),
        gram=x.T @ x,
        cross=x.T @ y,
    )


def add_trial(
    sums: Sums,
    encoder: RidgeEncoder,
    window: NDArray[np.float32],
    target: NDArray[np.float32],
    kept: float = 0.5 ** (1 / HALF_LIFE),
) -> Sums:
    """Return the sums with one more trial.

    Parameters
    ----------
    sums : Sums
        Over the trials before.
    encoder : RidgeEncoder
        That which they are of, or one that was solved from them.
    window : array of shape (n_channels, n_times)
        The trial.
    target : array of shape (n_dims,)
        What it is mapped to.
    kept : float
        What all trials before count from now on; 1 forgets nothing.
    """
    x = _features(encoder, sums.origin, window)
    y = target.astype(np.float64)
    return Sums(
        weight=kept * sums.weight + 1.0,
        origin=sums.origin,
        features=kept * sums.features + x,
        targets=kept * sums.targets + y,
        gram=kept * sums.gram + np.outer(x, x),
        cross=kept * sums.cross + np.outer(x, y),
    )


def solved(sums: Sums, encoder: RidgeEncoder) -> RidgeEncoder:
    """Return the ridge that fits the trials best, with the penalties that were chosen before.

    Parameters
    ----------
    sums : Sums
        Over the trials.
    encoder : RidgeEncoder
        Whose spatial filters, bins and penalties are kept.

    Raises
    ------
    ModelError
        If the sums are of other features.
    """
    if sums.features.shape != encoder.mean.shape:
        msg = (
            f"sums over {sums.features.size} features do not fit an encoder of "
            f"{encoder.mean.size}; fit the model anew"
        )
        raise ModelError(msg)
    x, y = sums.features / sums.weight, sums.targets / sums.weight
    gram = sums.gram - sums.weight * np.outer(x, x)
    squares, vectors = eigh(gram)
    squares = np.maximum(squares, 0.0)  # rounding may leave some just below
    along = vectors.T @ (sums.cross - sums.weight * np.outer(x, y))
    coef = vectors @ (along / (squares[:, None] + encoder.alphas))
    return replace(
        encoder,
        mean=sums.origin + encoder.scale * x,
        coef=np.ascontiguousarray(coef.T, dtype=np.float32),
        intercept=y.astype(np.float32),
    )


def _features(
    encoder: RidgeEncoder, origin: NDArray[np.float64], windows: NDArray[np.float32]
) -> NDArray[np.float64]:
    return (pooled(windows, encoder.starts, encoder.spatial) - origin) / encoder.scale
