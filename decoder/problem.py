"""What the parts of an evaluation share: trials, what was shown, and how they are predicted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from decoder.design import Order, order_of
from models.candidates import Candidates
from models.checkpoint import Model
from models.dataset import Dataset
from models.fit import fit_encoder, truth_of
from models.folds import Protocol, Split, make_split
from models.heldout import HeldOut, hold_out
from models.lineage import check_fresh
from models.warm import seen_by
from streaming.errors import EvaluationError
from streaming.signal import SignalSpec

__all__ = ["Problem", "with_windows"]


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """A dataset that is to be decoded, split by a protocol.

    Parameters
    ----------
    dataset, candidates, truth, split
        As for `models.heldout.hold_out`.
    order : Order
        In which order things were shown.
    encoder : str
        One of `models.encoder.LOADERS`.
    parent : Model or None
        An older one that is begun with; see `models.warm`.
    """

    dataset: Dataset
    candidates: Candidates
    truth: NDArray[np.intp]
    split: Split
    order: Order
    encoder: str
    parent: Model | None = None

    @classmethod
    def make(
        cls,
        dataset: Dataset,
        candidates: Candidates,
        protocol: Protocol | None = None,
        encoder: str = "ridge",
        parent: Model | None = None,
    ) -> Problem:
        """Split a dataset, and tell in which order things were shown.

        Raises
        ------
        EvaluationError
            If no recording shows two different things, or the older model knows one of them.
        """
        if parent is not None:
            check_fresh(parent, dataset)
            encoder = parent.encoder.kind
        truth = truth_of(dataset, candidates)
        order = order_of(truth, dataset.files, candidates.vectors)
        if order.kind == "one per run":
            raise EvaluationError(order.warning)
        seen = seen_by(parent, candidates.ids)
        split = make_split(dataset, candidates, truth, protocol, seen)
        return cls(dataset, candidates, truth, split, order, encoder, parent)

    def hold_out(self, progress: Callable[[float], None] = lambda _: None) -> HeldOut:
        """Predict each trial by a model that saw nothing of it."""
        older = None if self.parent is None else self.parent.encoder
        fit = partial(fit_encoder, encoder=self.encoder, parent=older)
        return hold_out(
            self.dataset, self.candidates, self.truth, self.split, fit, progress=progress
        )

    def settled(self, held_out: HeldOut) -> Problem:
        """Return the problem for the encoder that most folds chose, where they had a choice."""
        most = Counter(held_out.encoders).most_common(1)[0][0]
        return replace(self, encoder=most)

    def seen_as(self, windows: NDArray[np.float32], encoder: str = "") -> Problem:
        """Return the same trials with other samples, for another encoder if one is named."""
        dataset = with_windows(self.dataset, windows)
        parent = None if encoder else self.parent
        return replace(self, dataset=dataset, encoder=encoder or self.encoder, parent=parent)

    def anew(self) -> Problem:
        """Return the problem, with the same folds, for encoders that begin with nothing."""
        return replace(self, parent=None)


def with_windows(dataset: Dataset, windows: NDArray[np.float32]) -> Dataset:
    """Return the trials of a dataset with other samples in their windows.

    Parameters
    ----------
    dataset : Dataset
        Whose trials.
    windows : array of shape (n, n_channels, n_times)
        Of any number of channels and samples.
    """
    spec = dataset.spec_out
    if windows.shape[1] != len(spec.ch_names):
        spec = SignalSpec(spec.sfreq, tuple(f"c{n}" for n in range(windows.shape[1])))
    return replace(dataset, windows=np.ascontiguousarray(windows), spec_out=spec)
