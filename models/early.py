"""Encoders of windows that have not come to their end, for a decode that sharpens."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.candidates import Candidates
from models.dataset import Dataset, first_part
from models.encoder import for_subject
from models.folds import Split
from models.heldout import FitEncoder, HeldOut, hold_out
from models.retrieval import fit_temperature
from models.stage import Stage
from models.unseen import hold_out_unseen

__all__ = ["Early", "fit_early"]


@dataclass(frozen=True, slots=True, eq=False)
class Early:
    """What decodes the first part of a window, and what it said of held-out trials.

    Parameters
    ----------
    stage : Stage
        Fitted to all trials.
    held_out : HeldOut
        Each run predicted from the others.
    unseen : HeldOut or None
        Concepts predicted by models that never saw them; see `models.unseen`.
    """

    stage: Stage
    held_out: HeldOut
    unseen: HeldOut | None


def fit_early(
    dataset: Dataset,
    candidates: Candidates,
    truth: NDArray[np.intp],
    split: Split,
    fit: FitEncoder,
    end: float,
    *,
    unseen: bool,
) -> Early:
    """Fit what decodes the first part of the windows.

    Parameters
    ----------
    dataset : Dataset
        Whole windows with what was shown.
    candidates : Candidates
        What is chosen from.
    truth : array of shape (n,)
        Index of the candidate that was shown.
    split : Split
        Which trials predict which.
    fit : callable
        What fits an encoder.
    end : float
        Where the part ends after the stimulus, in seconds.
    unseen : bool
        Whether concepts are left out, too.
    """
    part = first_part(dataset, end)
    held_out = hold_out(part, candidates, truth, split, fit)
    encoder = fit(part, candidates.vectors[truth], np.ones(len(part), bool))
    return Early(
        Stage(
            for_subject(encoder, int(part.people[-1])),
            fit_temperature(held_out.similarity, held_out.truth),
        ),
        held_out,
        hold_out_unseen(part, candidates, truth, fit) if unseen else None,
    )
