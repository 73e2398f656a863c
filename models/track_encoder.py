"""From a window of brain signal to the stretch of a continuous track that was going on.

The linear backward model of the field: a sample of the track is a weighted sum of the brain's
next 0.4 seconds (Crosse et al. 2016), fitted by ridge regression. A latent is the whole
reconstructed stretch; the candidates are stretches of the track, so that retrieval ranks them
by their correlation with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.linalg import eigh

from models.spatial import principal_components
from models.trials import Course, Trials
from streaming.signal import Window

__all__ = ["TrackEncoder", "TrackShape", "track_shape"]

_RATE = 32.0
"""Samples of the track that are reconstructed in a second: four in the fastest wave of 8 Hz."""

_MAX_LAG = 0.4
"""Seconds after a sound in which the brain's answer to it is looked for."""

_MAX_COMPONENTS = 64
"""Of more channels, that many principal components."""

_ALPHAS: NDArray[np.float64] = np.logspace(-5, 3, 17)
"""Penalties tried, in multiples of the mean variance of a feature."""


class TrackShape(NamedTuple):
    """How windows are cut into bins: `n_bins` of the track, and `n_lags` - 1 more of brain."""

    step: int
    n_bins: int
    n_lags: int

    @property
    def n_times(self) -> int:
        """Samples of a window of brain signal."""
        return self.step * (self.n_bins + self.n_lags - 1)


def track_shape(sfreq: float, duration: float) -> TrackShape:
    """Return how stretches of a duration are cut.

    Parameters
    ----------
    sfreq : float
        Rate of the windows, in Hz.
    duration : float
        Of a stretch of the track, in seconds.

    Examples
    --------
    >>> track_shape(100.0, 3.0)
    TrackShape(step=3, n_bins=100, n_lags=14)
    """
    step = max(1, round(sfreq / _RATE))
    n_lags = round(_MAX_LAG * sfreq / step) + 1
    return TrackShape(step, max(1, round(duration * sfreq / step)), n_lags)


@dataclass(frozen=True, slots=True, eq=False)
class TrackEncoder:
    """A linear map, the same at each moment, from the brain's next 0.4 s to a track's sample.

    Parameters
    ----------
    step, n_bins : int
        Samples that are averaged into a bin, and bins of a stretch.
    spatial : array of shape (n_components, n_channels)
        Applied first.
    coef : array of shape (n_features, n_components, n_lags)
        Weight of each component, that long after the track's sample.
    alpha : float
        The penalty that was chosen, in multiples of the mean variance of a feature.
    """

    kind: ClassVar[str] = "track"

    step: int
    n_bins: int
    spatial: NDArray[np.float64]
    coef: NDArray[np.float64]
    alpha: float

    def __post_init__(self) -> None:
        """Check that the parts fit together."""
        if self.coef.ndim != 3 or self.coef.shape[1] != len(self.spatial):
            msg = (
                f"coef must have shape (n_features, {len(self.spatial)}, n_lags), got "
                f"{self.coef.shape}"
            )
            raise ValueError(msg)

    @classmethod
    def fit(cls, trials: Trials, course: Course = Course()) -> TrackEncoder:  # noqa: B008 - frozen
        """Fit to stretches and the brain signal that began with them.

        Parameters
        ----------
        trials : Trials
            Windows go on for 0.4 s after the end of each stretch; targets, of shape
            (n, n_features * n_bins), are the stretches, one feature after the other. The
            penalty is the one whose reconstructions of a group from the others correlate best
            with the track.
        course : Course
            Told when it is done: that takes seconds.
        """
        windows, targets, groups = trials.windows, trials.targets, trials.groups
        shape = track_shape(trials.sfreq, 1.0)
        n_bins = windows.shape[-1] // shape.step - shape.n_lags + 1
        if n_bins < 1 or targets.shape[1] % n_bins:
            msg = f"targets have {targets.shape[1]} values, not a multiple of {n_bins} bins"
            raise ValueError(msg)
        spatial = _reduction(windows)
        stretches = targets.reshape(len(targets), -1, n_bins)  # (n, n_features, n_bins)
        moments = [
            _Moments.of(windows[groups == g], stretches[groups == g], spatial, shape)
            for g in np.unique(groups)
        ]
        total = _Moments(*(sum(part) for part in zip(*moments, strict=True)))
        scores = np.zeros(len(_ALPHAS))
        for held_out in moments:
            rest = _Moments(*(a - b for a, b in zip(total, held_out, strict=True)))
            scores += [_correlation(coef, held_out) for coef in _solve(rest, _ALPHAS)]
        alpha = float(_ALPHAS[scores.argmax()])
        (coef,) = _solve(total, np.array([alpha]))  # (n_components * n_lags, n_features)
        weights = coef.T.reshape(-1, len(spatial), shape.n_lags)
        course.tell(1.0)
        return cls(shape.step, n_bins, spatial, np.ascontiguousarray(weights), alpha)

    def encode(self, window: Window) -> NDArray[np.float32]:
        """Return the reconstructed stretch, of shape (n_features * n_bins,)."""
        n_features, _, n_lags = self.coef.shape
        expected = (self.spatial.shape[1], self.step * (self.n_bins + n_lags - 1))
        if window.chunk.data.shape != expected:
            msg = f"a window must have shape {expected}, got {window.chunk.data.shape}"
            raise ValueError(msg)
        rows = _lagged(window.chunk.data[None], self.spatial, self.step, n_lags)
        stretch = rows @ self.coef.reshape(n_features, -1).T  # (n_bins, n_features)
        return stretch.T.reshape(-1).astype(np.float32)

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return all that was learnt, by name."""
        return {field.name: np.asarray(getattr(self, field.name)) for field in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.generic]]) -> TrackEncoder:
        """Undo `arrays`."""
        values = {field.name: arrays[field.name] for field in fields(cls)}
        numbers = {"step": int(values["step"]), "n_bins": int(values["n_bins"])}
        return cls(**{**values, **numbers, "alpha": float(values["alpha"])})  # type: ignore[arg-type]


class _Moments(NamedTuple):
    """Sums over bins that ridge regression and its score need."""

    xx: NDArray[np.float64]
    xy: NDArray[np.float64]
    yy: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        windows: NDArray[np.float32],
        stretches: NDArray[np.float32],
        spatial: NDArray[np.float64],
        shape: TrackShape,
    ) -> _Moments:
        n_columns, n_features = len(spatial) * shape.n_lags, stretches.shape[1]
        xx, xy = np.zeros((n_columns, n_columns)), np.zeros((n_columns, n_features))
        for start in range(0, len(windows), 32):  # as many rows at once as fit the cache
            part = slice(start, start + 32)
            rows = _lagged(windows[part], spatial, shape.step, shape.n_lags)
            values = stretches[part].transpose(0, 2, 1).reshape(-1, n_features)
            xx += rows.T @ rows
            xy += rows.T @ values
        return cls(xx, xy, (stretches.astype(np.float64) ** 2).sum(axis=(0, 2)))


def _reduction(windows: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return what is applied to the channels: their scale, or the components that vary most."""
    _, n_channels, _ = windows.shape
    if n_channels > _MAX_COMPONENTS:
        # Not whitened: what hardly varies is noise, and the penalty shall know it
        whitened = principal_components(windows, _MAX_COMPONENTS)
        return np.asarray(whitened / np.linalg.norm(whitened, axis=1, keepdims=True))
    scale = windows.std(axis=(0, 2), dtype=np.float64)
    scale[scale <= 1e-12 * scale.max(initial=0.0)] = np.inf
    return np.diag(1 / scale)


def _lagged(
    windows: NDArray[np.float32], spatial: NDArray[np.float64], step: int, n_lags: int
) -> NDArray[np.float64]:
    """Return what each bin of the track is predicted from.

    Parameters
    ----------
    windows : array of shape (n, n_channels, n_times)
        Brain signal.

    Returns
    -------
    array of shape (n * n_bins, n_components * n_lags)
        Averages over bins, less their mean over the window.
    """
    n, n_channels, n_times = windows.shape
    whole = windows[..., : n_times // step * step].reshape(n, n_channels, -1, step)
    binned = spatial @ whole.mean(axis=-1, dtype=np.float64)  # (n, n_components, bins)
    binned -= binned.mean(axis=-1, keepdims=True)
    lags = sliding_window_view(binned, n_lags, axis=-1)  # (n, n_components, n_bins, n_lags)
    return np.asarray(lags.transpose(0, 2, 1, 3).reshape(n * lags.shape[2], -1))


def _solve(moments: _Moments, alphas: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Return the coefficients (n_columns, n_features) for each penalty."""
    squares, vectors = eigh(moments.xx)
    projected, mean = vectors.T @ moments.xy, max(float(squares.mean()), 1e-300)
    squares = np.maximum(squares, 0.0)
    return [vectors @ (projected / (squares[:, None] + alpha * mean)) for alpha in alphas]


def _correlation(coef: NDArray[np.float64], moments: _Moments) -> float:
    """Return the correlation of reconstructed and true tracks, averaged over features."""
    size = np.sqrt((coef * (moments.xx @ coef)).sum(axis=0) * moments.yy)
    return float(((coef * moments.xy).sum(axis=0) / np.maximum(size, 1e-300)).mean())
