"""What candidates get that were never shown: measured on concepts that were left out.

A model that is served chooses among all candidates. Those that it was trained on draw answers
to themselves, so that what held-out runs say of them says nothing of the others: of the demo's
participant, sets that held what was trained in 80 % of the trials held what never was in 30 %.
So concepts are left out, too.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.candidates import Candidates
from models.dataset import Dataset
from models.folds import Fold, Split, make_split
from models.heldout import FitEncoder, HeldOut, hold_out
from streaming.errors import RecordingError

__all__ = ["hold_out_unseen"]


def hold_out_unseen(
    dataset: Dataset, candidates: Candidates, truth: NDArray[np.intp], fit: FitEncoder
) -> HeldOut | None:
    """Predict trials by models that saw neither their run nor their concept.

    Each run is predicted once, with a part of the concepts that is another in each run: a fold
    for each run, and not one for each run and part as for a score.

    Parameters
    ----------
    dataset : Dataset
        Windows with what was shown.
    candidates : Candidates
        What is chosen from.
    truth : array of shape (n,)
        Index of the candidate that was shown.
    fit : callable
        What fits the encoder of each fold.

    Returns
    -------
    HeldOut or None
        Its `similarity` is to all candidates, trained ones too. None where the recordings do
        not allow it, or the candidates are labels, which have no meaning to guess them by.
    """
    if candidates.space == "labels":
        return None
    try:
        split = make_split(dataset, candidates, truth, "zero_shot")
    except RecordingError:
        return None
    chosen: list[Fold] = []
    runs: set[int] = set()
    shown: set[int] = set()
    for fold in split.folds:
        own_runs = set(dataset.groups[fold.test].tolist())
        own = set(truth[fold.test].tolist())
        if runs & own_runs or shown & own:
            continue
        chosen.append(fold)
        runs |= own_runs
        shown |= own
    part = Split("zero_shot", tuple(chosen), split.n_purged)
    return hold_out(dataset, candidates, truth, part, fit)
