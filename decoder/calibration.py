"""Whether a probability of 70 % is right seven times of ten."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.heldout import HeldOut
from models.retrieval import calibration_error, cross_fitted_probabilities, probabilities

__all__ = ["Calibration", "CalibrationBin", "calibration_of"]

_N_BINS = 10


@dataclass(frozen=True, slots=True)
class CalibrationBin:
    """Trials of about the same probability.

    Parameters
    ----------
    confidence : float
        Mean probability of the best candidate.
    right : float
        Share of trials in which it was the truth.
    n : int
        Trials.
    """

    confidence: float
    right: float
    n: int


@dataclass(frozen=True, slots=True)
class Calibration:
    """How far probabilities are from frequencies.

    Parameters
    ----------
    error : float
        Expected calibration error of the best candidate's probability; temperatures come from
        the other runs, or are that of the model that was tested.
    bins : tuple of CalibrationBin
        Ten of equal count, by probability.
    """

    error: float
    bins: tuple[CalibrationBin, ...]


def calibration_of(held_out: HeldOut, temperature: float | None = None) -> Calibration:
    """Return how well held-out probabilities are calibrated.

    Parameters
    ----------
    held_out : HeldOut
        Predictions.
    temperature : float or None
        Of the model that made them; None for that of the other runs.
    """
    similarity = held_out.among_pools()
    if temperature is None:
        p = cross_fitted_probabilities(similarity, held_out.truth, held_out.groups)
    else:
        p = probabilities(similarity, temperature)
    confidence, right = p.max(axis=1), p.argmax(axis=1) == held_out.truth
    order = np.argsort(confidence, kind="stable")
    bins = [rows for rows in np.array_split(order, _N_BINS) if len(rows)]
    return Calibration(
        calibration_error(p, held_out.truth, _N_BINS),
        tuple(
            CalibrationBin(float(confidence[rows].mean()), float(right[rows].mean()), len(rows))
            for rows in bins
        ),
    )
