"""How accurate more calibration would make a decoder, and whether it is worth it.

Accuracy against minutes is taken to be an inverse power law, ``a - b * minutes ** -c``, fitted
to what models of parts of the calibration predict, the larger parts weighing more (Figueroa,
Zeng-Treitler, Kandula and Ngo 2012, BMC Med. Inform. Decis. Mak. 12, 8). How unsure that is
follows from fitting it to each resample of the test trials.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from decoder.curves import MIN_TRIALS, LearnedPart
from decoder.evaluation import Evaluation, cells_of, is_binary
from decoder.metrics import auc_draws, beaten, mean_draws, ranks
from decoder.resampling import Resamples, Score, bootstrap
from models.heldout import HeldOut

__all__ = [
    "Expected",
    "Forecast",
    "Suggestion",
    "fit_power_law",
    "forecast",
    "forecast_shares",
    "headline",
    "suggest",
]

HORIZON = 10.0
"""Minutes that a forecast looks ahead at most; never further than there is behind it."""

ENOUGH = 0.05
"""Share by which the score must still be expected to rise above chance to go on."""

PATIENCE = 10.0
"""Minutes after which a score that is not above chance is no matter of calibration."""

_FEW = 10
_N_PARTS = 5
_SMALLEST = 1 / 16
_EXPONENTS = np.geomspace(0.1, 3.0, 30)


@dataclass(frozen=True, slots=True)
class Expected:
    """A score that is expected, and its 95 % interval.

    Parameters
    ----------
    minutes : float
        Of calibration.
    value, low, high : float
        The score, or by how much it rises.
    """

    minutes: float
    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Forecast:
    """How a score grows.

    Parameters
    ----------
    now : Expected
        With all that there is: cross-validation leaves a part of it out.
    later : Expected
        With up to `HORIZON` minutes more.
    gain : Expected
        What those would bring.
    curve : tuple of float
        The ``a``, ``b`` and ``c`` of the law.
    """

    now: Expected
    later: Expected
    gain: Expected
    curve: tuple[float, float, float]

    def at(self, minutes: float) -> float:
        """Return the score that the law gives after some minutes."""
        a, b, c = self.curve
        return float(a - b * minutes**-c)


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Whether to go on.

    Parameters
    ----------
    enough : bool
        Whether more would hardly help.
    text : str
        What to do, and why, in a line.
    """

    enough: bool
    text: str


def headline(evaluation: Evaluation) -> tuple[str, Score]:
    """Return the score that calibration is judged by, and its name.

    AUC for two candidates, top-1 for up to ten, two-way accuracy for more: of many candidates
    top-1 is so seldom right that nothing can be read off its growth.
    """
    if evaluation.auc is not None:
        return "AUC", evaluation.auc
    if evaluation.pool <= _FEW:
        return "top-1", evaluation.top1
    return "two-way accuracy", evaluation.pairwise


def forecast_shares(n_trials: int) -> tuple[float, ...]:
    """Return parts of a fold's training trials that are enough to fit a curve to.

    Examples
    --------
    >>> [round(640 * share) for share in forecast_shares(640)]
    [40, 80, 160, 320, 640]
    >>> forecast_shares(20)
    (1.0,)
    """
    smallest = max(MIN_TRIALS / max(n_trials, 1), _SMALLEST)
    if smallest > 0.5:
        return (1.0,)
    return tuple(np.geomspace(smallest, 1.0, _N_PARTS).tolist())


def forecast(parts: Sequence[LearnedPart], minutes: float) -> Forecast | None:
    """Fit a curve to what parts of the calibration gave, and follow it.

    Parameters
    ----------
    parts : sequence of LearnedPart
        Of the same test trials, rising.
    minutes : float
        That there are.

    Returns
    -------
    Forecast or None
        None with fewer than three parts: a curve needs three points.
    """
    if len(parts) < 3:
        return None
    held_out = parts[-1].held_out
    resamples = bootstrap(
        held_out.truth,
        held_out.groups,
        held_out.t,
        held_out.stim_files,
        cross_validated=len(held_out.pools) > 1,
    )
    scored = [_drawn(part.held_out, resamples) for part in parts]
    values = np.array([value for value, _ in scored])
    draws = np.stack([drawn for _, drawn in scored], axis=1)  # (n_draws, n_parts)
    draws = draws[np.isfinite(draws).all(axis=1)]
    x = np.array([part.minutes for part in parts])
    weights = np.array([part.n_trials for part in parts], float)
    best = fit_power_law(x, values[None], weights)
    drawn = fit_power_law(x, draws, weights)
    ahead = min(HORIZON, minutes)

    def expected(at: float) -> Expected:
        low, high = resamples.interval(_follow(drawn, at))
        value = float(_follow(best, at)[0])
        return Expected(at, value, min(low, value), max(high, value))

    now, later = expected(minutes), expected(minutes + ahead)
    rises = _follow(drawn, minutes + ahead) - _follow(drawn, minutes)
    low, high = resamples.interval(rises)
    rise = later.value - now.value
    gain = Expected(ahead, rise, min(low, rise), max(high, rise))
    a, b, c = best[0].tolist()
    return Forecast(now, later, gain, (a, b, c))


def fit_power_law(
    minutes: NDArray[np.float64], scores: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Fit ``a - b * minutes ** -c`` with a at most 1, b not below 0, and c from 0.1 to 3.

    Parameters
    ----------
    minutes : array of shape (n_points,)
        Above 0.
    scores : array of shape (n_curves, n_points)
        At most 1.
    weights : array of shape (n_points,)
        Of the squared errors.

    Returns
    -------
    array of shape (n_curves, 3)
        The a, b and c of each; for each c, a and b are exact.
    """
    share = weights / weights.sum()
    best = np.full((len(scores), 3), np.nan)
    least = np.full(len(scores), np.inf)
    for c in _EXPONENTS:
        z = minutes**-c
        z_mean, y_mean = share @ z, scores @ share
        b = -((scores - y_mean[:, None]) @ (share * (z - z_mean))) / (share @ (z - z_mean) ** 2)
        b = np.maximum(b, 0.0)
        a = y_mean + b * z_mean
        above = a > 1
        b[above] = ((1 - scores[above]) @ (share * z)) / (share @ z**2)
        a[above] = 1.0
        errors = ((scores - a[:, None] + b[:, None] * z) ** 2) @ share
        better = errors < least
        least[better] = errors[better]
        best[better] = np.stack([a, b, np.full(len(a), c)], axis=1)[better]
    return best


def suggest(evaluation: Evaluation, ahead: Forecast | None, minutes: float) -> Suggestion:
    """Say whether to go on calibrating.

    Parameters
    ----------
    evaluation : Evaluation
        Of what there is.
    ahead : Forecast or None
        How it would go on.
    minutes : float
        Of calibration so far.
    """
    name, score = headline(evaluation)
    above = score.low > score.chance
    if not above and minutes >= PATIENCE:
        return Suggestion(
            enough=False,
            text=f"after {minutes:.0f} minutes {name} is not above chance: look at the "
            "electrodes and the markers before going on",
        )
    if ahead is None or not above:
        return Suggestion(enough=False, text="go on: too little to forecast from")
    more, gain = ahead.gain.minutes, ahead.gain
    brings = (
        f"{_points(gain.value)} [{_points(gain.low)}, {_points(gain.high)}], to "
        f"{name} {ahead.later.value:.3f}"
    )
    if gain.value < ENOUGH * (ahead.now.value - score.chance):
        return Suggestion(
            enough=True,
            text=f"enough: {more:.0f} more minutes are expected to bring only {brings}",
        )
    return Suggestion(
        enough=False, text=f"{more:.0f} more minutes are expected to bring {brings}"
    )


def _points(rise: float) -> str:
    """Return a rise in points: hundredths."""
    return f"{100 * rise:+.1f} points"


def _follow(curves: NDArray[np.float64], minutes: float) -> NDArray[np.float64]:
    """Return what each curve gives, of shape (n_curves,)."""
    return np.asarray(curves[:, 0] - curves[:, 1] * minutes ** -curves[:, 2])


def _drawn(held_out: HeldOut, resamples: Resamples) -> tuple[float, NDArray[np.float64]]:
    """Return the headline score of predictions, and that of each resample."""
    if is_binary(held_out):
        decision = held_out.similarity[:, 1] - held_out.similarity[:, 0]
        found = auc_draws(decision, held_out.truth == 1, cells_of(held_out), resamples)
        if np.isfinite(found[0]):
            return found
    pools = held_out.pools[held_out.fold]
    size = pools.sum(axis=1)
    rank = ranks(held_out.similarity, pools)[np.arange(len(pools)), held_out.truth]
    own = rank <= 1 if np.median(size) <= _FEW else beaten(rank, size)
    return float(np.mean(own)), mean_draws(own, resamples)
