"""Small datasets with a known answer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from decoder.problem import Problem
from models.dataset import Dataset
from models.stimuli import StimulusTable
from streaming.signal import SignalSpec
from tests.models.test_fit import dataset, labels

__all__ = ["EARLY", "LATE", "muse", "problem"]

EARLY, LATE = slice(0, 20), slice(20, 40)
"""Samples of a window of 0.4 s without and with a response."""


def problem(
    n: int = 320,
    n_concepts: int = 2,
    signal: float = 1.0,
    shown: NDArray[np.intp] | None = None,
    drift: float = 0.0,
    seed: int = 0,
) -> Problem:
    """Make trials of 4 runs; what was shown changes the later half of the window.

    Parameters
    ----------
    n, n_concepts : int
        Trials, and things shown.
    signal : float
        Amplitude of the response, in multiples of the noise.
    shown : array of shape (n,)
        What was shown; random if not given.
    drift : float
        By how much the first channel rises from the start of each run to its end.
    seed : int
        Of everything random.
    """
    rng = np.random.default_rng(seed)
    if shown is None:
        shown = rng.integers(0, n_concepts, n)
    patterns = rng.standard_normal((n_concepts, 4))
    windows = rng.standard_normal((n, 4, 40))
    windows[:, :, LATE] += signal * patterns[shown][:, :, None]
    runs = np.arange(n) * 4 // n
    share = np.concatenate([np.linspace(0, 1, (runs == run).sum()) for run in range(4)])
    windows[:, 0] += drift * share[:, None]
    names = [f"c{k}" for k in range(n_concepts)]
    spec = muse()
    data: Dataset = replace(
        dataset(n, n_concepts, files=4),
        windows=windows.astype(np.float32),
        ids=tuple(names[k] for k in shown),
        spec=spec,
        spec_out=spec,
        table=StimulusTable.from_labels(names),
        delay=0.05,
    )
    return Problem.make(data, labels(n_concepts))


def muse() -> SignalSpec:
    """Return four channels whose places are known."""
    return SignalSpec(100.0, ("TP9", "AF7", "AF8", "TP10"))
