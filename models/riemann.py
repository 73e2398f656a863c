"""Ridge regression from covariances to the embedding: for few channels and few classes.

A window becomes one or more covariance matrices, each a point of a curved space that is
flattened around the mean of the training windows (Barachant et al. 2012), and a ridge leads
from there to the embedding. There are two ways to make covariances of a window, and `fit`
takes the one that predicts left-out runs better:

- *evoked*: of the channels together with prototypes of the response, which carry its course in
  time (as xDAWN covariances do; Barachant and Congedo 2014, Rivet et al. 2009);
- *bands*: of the channels in each of several frequency bands (Congedo et al. 2013), for what
  oscillates without a fixed phase, such as responses to flicker.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt

from models.ridge import ALPHAS, held_out_error, solve_ridge
from models.spatial import spatial_filters
from models.tangent import covariances, log_mean, shrunk, tangent, whitener
from models.trials import Course, Trials
from streaming.signal import Window

__all__ = ["RiemannEncoder", "filter_bank", "recentred"]

_MAX_CHANNELS = 8
"""More channels are reduced to so many: covariances grow with their square."""

_MAX_DIRECTIONS = 3
"""Prototypes beside the mean response: as many differences as there are among four classes."""

_SHORTEST_FOR_BANDS = 1.0  # s; below, bands of 2 Hz hold two cycles or fewer

_SHRINK = 0.1
"""Share by which covariances within a band are shrunk. Four flicker classes of three people
and two of a fourth (accuracy .83 .82 .93, AUC .991); with 0.2: .81 .78 .93, .990. Order 4 in
place of 2 for the filters: .78 .78 .90, .995."""

_ORDER = 2


def filter_bank(rates: tuple[float, ...], sfreq: float) -> NDArray[np.float64]:
    """Return band-pass filters: around each flicker rate and its double, or all over the EEG.

    Parameters
    ----------
    rates : tuple of float
        Flicker rates, in Hz. If empty, bands of 2 Hz from 4 to 44 Hz.
    sfreq : float
        Rate of the windows, in Hz; bands end below 0.45 of it.

    Returns
    -------
    array of shape (n_bands, n_sections, 6)
        Butterworth filters, as `scipy.signal.sosfilt` takes them.
    """
    centres = sorted({*rates, *(2 * rate for rate in rates)}) or list(range(5, 45, 2))
    within = [centre for centre in centres if centre > 1 and centre + 1 < 0.45 * sfreq]
    bank = [
        butter(_ORDER, (centre - 1, centre + 1), "bandpass", output="sos", fs=sfreq)
        for centre in within
    ]
    return np.array(bank).reshape(len(bank), _ORDER, 6)


@dataclass(frozen=True, slots=True, eq=False)
class _View:
    """One way to see a window as covariances; see `RiemannEncoder` for the fields."""

    spatial: NDArray[np.float64]
    prototypes: NDArray[np.float64]
    bank: NDArray[np.float64]
    whiten: NDArray[np.float64]

    def matrices(self, windows: NDArray[np.float32]) -> list[NDArray[np.float64]]:
        """Return covariances, each (n, n_rows, n_rows)."""
        x = self.spatial @ windows.astype(np.float64)  # (n, n_components, n_times)
        if len(self.bank) == 0:
            fixed = np.broadcast_to(self.prototypes, (len(x), *self.prototypes.shape))
            return [covariances(np.concatenate([fixed, x], axis=1))]
        found = []
        for sos in self.bank:
            y = sosfilt(sos, x, axis=-1)
            found.append(shrunk(y @ y.transpose(0, 2, 1) / y.shape[-1], _SHRINK))
        return found

    def features(self, windows: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return tangent vectors, of shape (n, n_features)."""
        pairs = zip(self.matrices(windows), self.whiten, strict=True)
        return np.concatenate([tangent(found, whiten) for found, whiten in pairs], axis=1)


_Look = Callable[[Trials], _View]


def _around_mean(view: _View, windows: NDArray[np.float32]) -> _View:
    """Return the view from the mean of each of its covariances."""
    whiten = np.stack([whitener(log_mean(found)) for found in view.matrices(windows)])
    return _View(view.spatial, view.prototypes, view.bank, whiten)


def _few_channels(trials: Trials) -> NDArray[np.float64]:
    """Return spatial filters, of shape (n_components, n_channels)."""
    return spatial_filters(trials.windows, trials.targets, _MAX_CHANNELS)[:_MAX_CHANNELS]


def _evoked(trials: Trials) -> _View:
    """See windows beside the mean response and its main dependences on the target."""
    spatial = _few_channels(trials)
    centred = trials.targets - trials.targets.mean(axis=0, dtype=np.float64)
    left, values, _ = np.linalg.svd(centred, full_matrices=False)  # (n, r), (r,)
    n_kept = int((values[:_MAX_DIRECTIONS] > 1e-6 * values[0]).sum())
    weights = np.concatenate([np.ones((1, len(trials))), left[:, :n_kept].T])
    x = spatial @ trials.windows.astype(np.float64)  # (n, n_components, n_times)
    courses = np.tensordot(weights, x, axes=1)  # (1 + n_kept, n_components, n_times)
    # As large as single trials, so that shrinkage treats them alike
    sizes = np.sqrt((courses**2).mean(axis=(1, 2), keepdims=True))
    sizes[sizes == 0] = 1.0
    courses *= np.sqrt((x**2).mean()) / sizes
    prototypes = courses.reshape(-1, x.shape[-1])
    empty = _View(spatial, prototypes, np.zeros((0, _ORDER, 6)), np.zeros((0, 0, 0)))
    return _around_mean(empty, trials.windows)


def _bands(trials: Trials) -> _View:
    """See windows in frequency bands."""
    spatial = _few_channels(trials)
    bank = filter_bank(trials.rates, trials.sfreq)
    prototypes = np.zeros((0, trials.windows.shape[-1]))
    empty = _View(spatial, prototypes, bank, np.zeros((0, 0, 0)))
    return _around_mean(empty, trials.windows)


@dataclass(frozen=True, slots=True, eq=False)
class RiemannEncoder:
    """A linear map from tangent vectors of a window's covariances to the embedding space.

    Parameters
    ----------
    n_times : int
        Samples of a window.
    spatial : array of shape (n_components, n_channels)
        Spatial filters.
    prototypes : array of shape (n_prototype_rows, n_times)
        What windows are stacked under, if they are seen as evoked.
    bank : array of shape (n_bands, n_sections, 6)
        Filters, if windows are seen in bands; none, if as evoked.
    whiten : array of shape (n_matrices, n_rows, n_rows)
        Inverse square root of the mean of each covariance in training.
    mean : array of shape (n_features,)
        Of the tangent vectors in training.
    scale : float
        One for all features: distances between covariances mean something as they are. With
        one for each, accuracy falls on 10 of 12 comparisons on flicker, from .72 to .62 in
        the worst.
    coef : array of shape (n_dims, n_features)
        Weights of the scaled features.
    intercept : array of shape (n_dims,)
        Mean of the targets in training.
    alpha : float
        The penalty that was chosen.

    Notes
    -----
    Measured by leaving out runs, causally: see docs/reference/benchmarks.md, `real`.
    """

    kind: ClassVar[str] = "riemann"

    n_times: int
    spatial: NDArray[np.float64]
    prototypes: NDArray[np.float64]
    bank: NDArray[np.float64]
    whiten: NDArray[np.float64]
    mean: NDArray[np.float64]
    scale: float
    coef: NDArray[np.float32]
    intercept: NDArray[np.float32]
    alpha: float

    def __post_init__(self) -> None:
        """Check that the parts fit together."""
        n_rows = self.whiten.shape[-1]
        n_features = len(self.whiten) * n_rows * (n_rows + 1) // 2
        shapes = {
            "whiten": (max(len(self.bank), 1), n_rows, n_rows),
            "mean": (n_features,),
            "coef": (len(self.intercept), n_features),
        }
        for name, shape in shapes.items():
            if getattr(self, name).shape != shape:
                msg = f"{name} must have shape {shape}, got {getattr(self, name).shape}"
                raise ValueError(msg)
        if n_rows != len(self.spatial) + len(self.prototypes):
            msg = (
                f"whiten has {n_rows} rows but there are {len(self.spatial)} components and "
                f"{len(self.prototypes)} prototype rows; they must match"
            )
            raise ValueError(msg)

    @classmethod
    def fit(cls, trials: Trials, course: Course = Course()) -> RiemannEncoder:  # noqa: B008 - frozen
        """Fit to trials; view and penalty are those that predict left-out groups best.

        Prototypes and means are learnt anew without each group: they know the targets, and
        a penalty chosen with them in place is too small (AUC of faces against houses .673
        instead of .682).
        """
        looks: list[_Look] = [_evoked]
        if trials.windows.shape[-1] >= _SHORTEST_FOR_BANDS * trials.sfreq:
            looks.append(_bands)
        errors = np.stack([_held_out_errors(trials, look) for look in looks])
        look, alpha = np.unravel_index(errors.argmin(), errors.shape)
        view = looks[int(look)](trials)
        features, mean, scale = _standardise(view.features(trials.windows))
        intercept = trials.targets.mean(axis=0, dtype=np.float64)
        alphas = np.full(len(intercept), ALPHAS[alpha])
        coef = solve_ridge(features, trials.targets - intercept, alphas)
        course.tell(1.0)
        return cls(
            n_times=trials.windows.shape[-1],
            spatial=view.spatial,
            prototypes=view.prototypes,
            bank=view.bank,
            whiten=view.whiten,
            mean=mean,
            scale=scale,
            coef=np.ascontiguousarray(coef.T, dtype=np.float32),
            intercept=intercept.astype(np.float32),
            alpha=float(ALPHAS[alpha]),
        )

    def encode(self, window: Window) -> NDArray[np.float32]:
        """Return where in the embedding space a window lies, of shape (n_dims,).

        Only the samples count: neither the marker nor the time is read.
        """
        data, expected = window.chunk.data, (self.spatial.shape[1], self.n_times)
        if data.shape != expected:
            msg = f"a window must have shape {expected}, got {data.shape}"
            raise ValueError(msg)
        view = _View(self.spatial, self.prototypes, self.bank, self.whiten)
        features = (view.features(data[None])[0] - self.mean) / self.scale
        return np.asarray(self.coef @ features.astype(np.float32) + self.intercept)

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return all that was learnt, by name."""
        return {field.name: np.asarray(getattr(self, field.name)) for field in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.generic]]) -> RiemannEncoder:
        """Undo `arrays`."""
        values = {field.name: arrays[field.name] for field in fields(cls)}
        numbers = {
            "n_times": int(values["n_times"]),
            "scale": float(values["scale"]),
            "alpha": float(values["alpha"]),
        }
        return cls(**{**values, **numbers})  # type: ignore[arg-type]


def recentred(
    encoder: RiemannEncoder, windows: NDArray[np.float32]
) -> tuple[RiemannEncoder, NDArray[np.float64]]:
    """Return an encoder that sees from the mean of other windows, and what it sees of them.

    From the mean of their covariances sessions and people look alike (Zanini et al. 2018, IEEE
    Trans. Biomed. Eng. 65, 1107); no label is used.

    Parameters
    ----------
    encoder : RiemannEncoder
        Keeps its filters and prototypes.
    windows : array of shape (n, n_channels, n_times)
        Of another day or person.

    Returns
    -------
    encoder : RiemannEncoder
        With other means and another scale.
    features : array of shape (n, n_features)
        Standardised tangent vectors of the windows.
    """
    fixed = _View(encoder.spatial, encoder.prototypes, encoder.bank, encoder.whiten)
    view = _around_mean(fixed, windows)
    features, mean, scale = _standardise(view.features(windows))
    return replace(encoder, whiten=view.whiten, mean=mean, scale=scale), features


def _standardise(
    features: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Return centred features of common scale 1, and both moments."""
    mean = features.mean(axis=0)
    scale = float(np.sqrt(features.var(axis=0).mean())) or 1.0
    return (features - mean) / scale, mean, scale


def _held_out_errors(trials: Trials, look: _Look) -> NDArray[np.float64]:
    """Return the squared error on groups left out, for each penalty."""
    errors = np.zeros(len(ALPHAS))
    for test in trials.folds():
        train = trials.take(~test)
        view = look(train)
        features, mean, scale = _standardise(view.features(train.windows))
        others = (view.features(trials.windows[test]) - mean) / scale
        errors += held_out_error(
            features, train.targets, others, trials.targets[test], ALPHAS
        ).sum(axis=1)
    return errors
