"""What the signal looks like where the decoder says one thing rather than another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from models.candidates import Candidates
from models.dataset import Dataset
from models.heldout import HeldOut
from streaming.layout import positions_of

if TYPE_CHECKING:
    import mne

__all__ = ["Pattern", "haufe_pattern"]


@dataclass(frozen=True, slots=True)
class Pattern:
    """Activity that goes with the decoder's output.

    Parameters
    ----------
    contrast : str
        What the output is: the difference of two candidates, or the direction in which
        predictions vary most.
    ch_names, ch_types : tuple of str
        Channels.
    positions : tuple of tuple of float
        x, y, z of each in meters, in the head's frame, or of MEG in the device's; empty if
        unknown.
    times : tuple of float
        After the stimulus, less the chain's group delay at 10 Hz, in seconds.
    values : tuple of tuple of float
        Channels by times: by how much the chain's output rises when the decoder's rises by one
        standard deviation. The output is in units of each channel's running spread.
    """

    contrast: str
    ch_names: tuple[str, ...]
    ch_types: tuple[str, ...]
    positions: tuple[tuple[float, float, float], ...]
    times: tuple[float, ...]
    values: tuple[tuple[float, ...], ...]


def haufe_pattern(
    held_out: HeldOut,
    dataset: Dataset,
    candidates: Candidates,
    info: mne.Info | None = None,
) -> Pattern:
    """Return the covariance of the signal with what was predicted from it.

    Weights of a decoder are no maps of the brain: they also cancel noise. For a linear decoder
    with one output the covariance with that output is the pattern that the weights belong to;
    of held-out trials it says the same of any decoder.

    Parameters
    ----------
    held_out : HeldOut
        Predictions.
    dataset : Dataset
        What they were made from.
    candidates : Candidates
        What they chose from.
    info : mne.Info, optional
        Of a recording: where its sensors are.

    Notes
    -----
    Haufe et al. (2014), NeuroImage 87, 96-110.
    """
    windows = dataset.windows[held_out.index].astype(np.float64)
    similarity = held_out.similarity.astype(np.float64)
    for fold in np.unique(held_out.fold):  # what differs between models tells nothing
        here = held_out.fold == fold
        windows[here] -= windows[here].mean(axis=0)
        similarity[here] -= similarity[here].mean(axis=0)
    if len(candidates) == 2:
        output = similarity[:, 1] - similarity[:, 0]
        contrast = f"{candidates.texts[1]} rather than {candidates.texts[0]}"
    else:
        _, _, axes = np.linalg.svd(similarity, full_matrices=False)
        output = similarity @ axes[0]
        ends = [candidates.texts[n] for n in (axes[0].argmax(), axes[0].argmin())]
        contrast = f"first axis of the predictions: {ends[0]} rather than {ends[1]}"
    spread = float(output.std()) or 1.0
    values = np.tensordot(output / spread, windows, axes=1) / len(output)
    spec = dataset.spec_out
    n_times = values.shape[1]
    times = dataset.windowing.tmin + np.arange(n_times) / spec.sfreq - dataset.delay
    return Pattern(
        contrast,
        spec.ch_names,
        spec.ch_types,
        _positions(spec.ch_names, info),
        tuple(round(float(t), 4) for t in times),
        tuple(tuple(float(f"{v:.4g}") for v in row) for row in values),
    )


def _positions(
    ch_names: tuple[str, ...], info: mne.Info | None
) -> tuple[tuple[float, float, float], ...]:
    """Return where sensors are, or nothing."""
    flat: NDArray[np.float64] = np.array(positions_of(ch_names, info)).reshape(-1, 3)
    return tuple((float(x), float(y), float(z)) for x, y, z in flat)
