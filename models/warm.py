"""Begin with what an older model learnt: another day, or another person.

The signal is seen as the older model sees it, but centred and scaled as it is on the new day,
and the weights shrink to the older ones instead of to zero: a ridge of what the older weights
leave unexplained. How far to trust them, from not at all to fully, and how much to shrink, is
what predicts groups of the new trials best; whether to begin anew altogether, too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.checkpoint import Model
from models.choose import held_out_discrimination
from models.encoder import LOADERS, Encoder
from models.refit import Sums
from models.ridge import ALPHAS, RidgeEncoder, leave_group_out_error, pooled, solve_ridge
from models.riemann import RiemannEncoder, recentred
from models.trials import Trials
from streaming.errors import EvaluationError, ModelError
from streaming.window import LockedWindows

__all__ = [
    "SHARES",
    "Warmed",
    "check_parent",
    "fit_warm",
    "seen_by",
    "shrink_to",
    "warm",
    "windows_of",
    "with_prior",
]

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Of the older weights, that are tried as what to shrink to; 0 ignores them."""


@dataclass(frozen=True, slots=True, eq=False)
class Warmed:
    """An encoder that began with an older one, or did not, as was better.

    Parameters
    ----------
    encoder : Encoder
        What was fitted.
    share : float
        Of the older weights that it shrinks to; 0 if it began anew.
    tried : dict of str to float
        How well ``"warm"`` and ``"anew"`` told groups of the trials from the others
        (`models.choose.discrimination`); empty if there was no need to ask.
    """

    encoder: Encoder
    share: float
    tried: dict[str, float]


def check_parent(model: Model) -> None:
    """Refuse a model that none can begin with.

    Raises
    ------
    ModelError
        If its encoder is a network, or its windows are others' or of a track.
    """
    model.check_live()
    if not isinstance(model.encoder, RidgeEncoder | RiemannEncoder):
        msg = (
            f"a {model.encoder.kind} encoder cannot begin from an older one; begin from a "
            "ridge or a riemann model, or fit anew"
        )
        raise ModelError(msg)


def windows_of(model: Model) -> LockedWindows:
    """Return where a model's windows lie around a stimulus, those at its last latency.

    Raises
    ------
    EvaluationError
        If it does not say.
    """
    if isinstance(model.windowing, LockedWindows):
        return replace(model.windowing, latencies=())
    if "tmin" not in model.training:
        msg = "the model does not say where after a marker it was fitted; fit it anew"
        raise EvaluationError(msg)
    tmin = float(model.training["tmin"])
    return LockedWindows(tmin, tmin + model.windowing.duration)


def seen_by(model: Model | None, ids: Sequence[str]) -> NDArray[np.bool_]:
    """Return which candidates an older model was trained on, of shape (n_candidates,)."""
    if model is None:
        return np.zeros(len(ids), bool)
    pairs = zip(model.candidates.ids, model.candidates.trained, strict=True)
    trained = {name for name, was in pairs if was}
    return np.array([name in trained for name in ids], bool)


def fit_warm(parent: Encoder, trials: Trials) -> Warmed:
    """Fit an encoder that begins with an older one, or anew if that predicts groups better.

    Parameters
    ----------
    parent : Encoder
        The older one.
    trials : Trials
        Of the new day, as the older one sees them.

    Raises
    ------
    ModelError
        If the trials are not as those of the older one.
    """
    anew = LOADERS[parent.kind].fit
    if isinstance(parent, RidgeEncoder) and _sees_all(parent, trials):
        # The same features either way: ignoring the older weights is beginning anew.
        encoder, share = warm(parent, trials)
        return Warmed(encoder, share, {})
    ways: dict[str, Callable[[Trials], Encoder]] = {
        "warm": lambda some: warm(parent, some)[0],
        "anew": anew,
    }
    tried = {name: held_out_discrimination(trials, fit) for name, fit in ways.items()}
    if tried["anew"] > tried["warm"]:
        return Warmed(anew(trials), 0.0, tried)
    encoder, share = warm(parent, trials)
    return Warmed(encoder, share, tried)


def warm(parent: Encoder, trials: Trials) -> tuple[Encoder, float]:
    """Fit an encoder that sees as an older one does, and shrinks to its weights.

    Returns
    -------
    encoder : Encoder
        Of the same kind.
    share : float
        Of the older weights.

    Raises
    ------
    ModelError
        If the trials are not as those of the older one, or it is a network.
    """
    if isinstance(parent, RidgeEncoder):
        return _warm_ridge(parent, trials)
    if isinstance(parent, RiemannEncoder):
        return _warm_riemann(parent, trials)
    msg = f"a {parent.kind} encoder cannot begin from an older one; fit anew"
    raise ModelError(msg)


def shrink_to(
    prior: NDArray[np.float64],
    features: NDArray[np.float64],
    targets: NDArray[np.float64],
    groups: NDArray[np.intp],
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Fit a ridge that shrinks to a share of some weights.

    Parameters
    ----------
    prior : array of shape (n_features, n_targets)
        The weights.
    features : array of shape (n, n_features)
        Each with mean 0.
    targets : array of shape (n, n_targets)
        Each with mean 0.
    groups : array of shape (n,)
        What is left out together to choose share and penalty.

    Returns
    -------
    coef : array of shape (n_features, n_targets)
        The weights that minimise ``|y - x w|^2 + alpha |w - share * prior|^2``.
    alphas : array of shape (n_targets,)
        The penalty of each target.
    share : float
        One of `SHARES`, the same for all targets.
    """
    known = features @ prior
    errors = np.stack(
        [
            leave_group_out_error(features, targets - share * known, groups, ALPHAS)
            for share in SHARES
        ]
    )  # (n_shares, n_alphas, n_targets)
    best = int(errors.min(axis=1).sum(axis=1).argmin())
    share, alphas = SHARES[best], ALPHAS[errors[best].argmin(axis=0)]
    rest = solve_ridge(features, targets - share * known, alphas)
    return share * prior + rest, alphas, share


def with_prior(sums: Sums, encoder: RidgeEncoder) -> Sums:
    """Return sums from which an encoder is solved that shrank to other weights than zero.

    What it shrank to counts like trials: it fades as they do, when others are added.

    Parameters
    ----------
    sums : Sums
        Over the trials that it was fitted to.
    encoder : RidgeEncoder
        What was fitted.
    """
    x, y = sums.features / sums.weight, sums.targets / sums.weight
    gram = sums.gram - sums.weight * np.outer(x, x)
    coef = encoder.coef.astype(np.float64).T
    cross = gram @ coef + coef * encoder.alphas + sums.weight * np.outer(x, y)
    return replace(sums, cross=cross)


def _sees_all(parent: RidgeEncoder, trials: Trials) -> bool:
    """Say whether the older one sees all channels, as one that begins anew would."""
    n_channels = trials.windows.shape[1]
    return np.array_equal(parent.spatial, np.eye(n_channels))


def _check_alike(parent: RidgeEncoder | RiemannEncoder, trials: Trials) -> None:
    expected = (parent.spatial.shape[1], parent.n_times, len(parent.intercept))
    found = (*trials.windows.shape[1:], trials.targets.shape[1])
    if found != expected:
        msg = (
            "the model to begin with has windows of {} channels and {} samples and {} "
            "dimensions, these have {}, {} and {}; begin from one like them"
        ).format(*expected, *found)
        raise ModelError(msg)


def _warm_ridge(parent: RidgeEncoder, trials: Trials) -> tuple[RidgeEncoder, float]:
    _check_alike(parent, trials)
    features = pooled(trials.windows, parent.starts, parent.spatial)
    mean, scale = features.mean(axis=0), features.std(axis=0)
    scale[scale <= 1e-12 * scale.max(initial=0.0)] = 1.0
    intercept = trials.targets.mean(axis=0, dtype=np.float64)
    coef, alphas, share = shrink_to(
        parent.coef.astype(np.float64).T,
        (features - mean) / scale,
        trials.targets - intercept,
        trials.groups,
    )
    encoder = replace(
        parent,
        mean=mean,
        scale=scale,
        coef=np.ascontiguousarray(coef.T, dtype=np.float32),
        intercept=intercept.astype(np.float32),
        alphas=alphas,
    )
    return encoder, share


def _warm_riemann(parent: RiemannEncoder, trials: Trials) -> tuple[RiemannEncoder, float]:
    _check_alike(parent, trials)
    moved, features = recentred(parent, trials.windows)
    intercept = trials.targets.mean(axis=0, dtype=np.float64)
    coef, alphas, share = shrink_to(
        parent.coef.astype(np.float64).T,
        features,
        trials.targets - intercept,
        trials.groups,
    )
    encoder = replace(
        moved,
        coef=np.ascontiguousarray(coef.T, dtype=np.float32),
        intercept=intercept.astype(np.float32),
        alpha=float(np.median(alphas)),
    )
    return encoder, share
