"""Fit a model to a dataset, and predict every trial by a model that never saw its run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from models.candidates import Candidates
from models.checkpoint import Model
from models.dataset import N_BLOCKS, Dataset
from models.encoder import ENCODERS, Encoder
from models.retrieval import (
    calibration_error,
    directions,
    fit_temperature,
    probabilities,
    similarities,
)
from streaming.chain import Chain, standard_chain
from streaming.errors import ConfigError, RecordingError
from streaming.signal import SignalSpec
from streaming.window import LockedWindows

if TYPE_CHECKING:
    import mne

__all__ = ["EVOKED_WINDOWS", "Fitted", "HeldOut", "evoked_chain", "fit_model"]

EVOKED_WINDOWS = LockedWindows(tmin=0.0, tmax=0.8)
"""From each stimulus until its evoked response is over.

No baseline: the band-pass has taken the offset away, and where stimuli follow each other fast
the samples before one hold the response to the one before. AUC on Muse recordings with one run
held out, of faces against houses (two people), and of rare against frequent pictures (two
sessions of one of them):

================================  ==============  ===============
window                            faces, houses   rare, frequent
================================  ==============  ===============
0 to 0.6 s                        .66, .71        .67, .76
0 to 0.8 s                        .66, .67        .70, .79
0 to 1.0 s                        .66, .66        .69, .77
-0.1 to 0.8 s, baseline before 0  .65, .63        .71, .72
================================  ==============  ===============
"""

_LOW, _HIGH = 0.5, 30.0
"""Band, in Hz. On the same recordings AUC differs by .03 at most between 0.1 and 1 Hz, and by
.01 between 20 and 40 Hz; from 0.5 Hz the chain settles in 2.9 s instead of 8.5 s."""

_MIN_TRIALS = 20


def evoked_chain(
    spec: SignalSpec, info: mne.Info | None = None, *, line_freq: float = 50.0
) -> Chain:
    """Return the chain for `EVOKED_WINDOWS`.

    Its running scale and clamp are what keeps blinks and movement from deciding: without them
    the AUC of faces against houses falls from .66 to .60.

    Parameters
    ----------
    spec : SignalSpec
        Rate of the stream, and the channels to keep.
    info : mne.Info, optional
        Of a recording with these channels: its projectors, compensation and positions.
    line_freq : float
        Mains, in Hz: 50, or 60 in the Americas.
    """
    return standard_chain(
        spec.ch_names,
        spec.sfreq,
        low=_LOW,
        high=_HIGH,
        line_freq=line_freq,
        ch_types=spec.ch_types,
        info=info,
    )


@dataclass(frozen=True, slots=True, eq=False)
class HeldOut:
    """What was predicted for trials by models that never saw their run.

    Parameters
    ----------
    protocol : str
        ``"closed_set"``: what was shown had been seen in training, in other runs.
        ``"zero_shot"``: it had not.
    similarity : array of shape (n, n_candidates)
        How much each trial speaks for each candidate.
    truth : array of shape (n,)
        Index of the candidate that was shown.
    groups : array of shape (n,)
        The run, or the block of a single run, of each trial.
    t : array of shape (n,)
        Start of each window within its recording, in seconds.
    stim_files : tuple of str
        What was shown in each; empty where unknown.
    n_purged : int
        Training trials left out because they lay too close to a test trial, over all folds.
    """

    protocol: Literal["closed_set", "zero_shot"]
    similarity: NDArray[np.float32]
    truth: NDArray[np.intp]
    groups: NDArray[np.intp]
    t: NDArray[np.float64]
    stim_files: tuple[str, ...]
    n_purged: int


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """A model fitted to all trials, and what was predicted for each without it."""

    model: Model
    held_out: HeldOut


def fit_model(
    dataset: Dataset,
    candidates: Candidates,
    *,
    encoder: str = "ridge",
    progress: Callable[[float], None] | None = None,
) -> Fitted:
    """Fit a model, and score it by leaving out one run after the other.

    Parameters
    ----------
    dataset : Dataset
        Windows with what was shown.
    candidates : Candidates
        What to choose from; all that was shown must be among them.
    encoder : str
        One of `models.encoder.ENCODERS`.
    progress : callable, optional
        Told the share that is done.

    Returns
    -------
    Fitted
        `model.scores` holds the calibration; the scores of `held_out` are for
        `decoder.evaluation` to give.
    """
    tell = progress or (lambda _: None)
    truth = _truth(dataset, candidates)
    targets = candidates.vectors[truth]
    groups = np.unique(dataset.groups)
    similarity = np.zeros((len(dataset), len(candidates)), np.float32)
    seen = np.zeros(len(dataset), bool)
    n_purged = 0
    for n, group in enumerate(groups):
        test = dataset.groups == group
        train = ~test & ~_too_close(dataset, test)
        n_purged += int((~test & ~train).sum())
        seen |= test & np.isin(truth, truth[train])
        fitted = _fit(dataset, targets, train, encoder)
        centre = _centre(targets[train])
        toward = directions(candidates.vectors, centre)
        for index in np.flatnonzero(test):
            vector = fitted.encode(dataset.window(int(index)))
            similarity[index] = similarities(toward, centre, vector)
        tell((n + 1) / (len(groups) + 1))
    protocol = _protocol(seen, candidates.space)
    scored = seen if protocol == "closed_set" else ~seen
    held_out = HeldOut(
        protocol=protocol,
        similarity=similarity[scored],
        truth=truth[scored],
        groups=dataset.groups[scored],
        t=dataset.t[scored],
        stim_files=tuple(f for f, kept in zip(dataset.stim_files, scored, strict=True) if kept),
        n_purged=n_purged,
    )
    model = Model(
        spec=dataset.spec,
        transforms=dataset.transforms,
        windowing=dataset.windowing,
        encoder=_fit(dataset, targets, np.ones(len(dataset), bool), encoder),
        candidates=replace(
            candidates, trained=tuple(np.isin(range(len(candidates)), truth).tolist())
        ),
        centre=_centre(targets),
        temperature=fit_temperature(held_out.similarity, held_out.truth),
        stimuli=dataset.table,
        protocol=held_out.protocol,
        training={
            "n_trials": len(dataset),
            "n_groups": len(groups),
            "settling": round(dataset.settling, 3),
            "delay": round(dataset.delay, 4),
            "sha256": list(dataset.hashes),
            "dropped": dataset.dropped,
            "withheld": dataset.withheld,
        },
        scores={"calibration_error": _cross_fitted_calibration_error(held_out)},
    )
    tell(1.0)
    return Fitted(model, held_out)


def _truth(dataset: Dataset, candidates: Candidates) -> NDArray[np.intp]:
    """Return the index of what was shown in each trial."""
    indices = {candidate_id: n for n, candidate_id in enumerate(candidates.ids)}
    for shown in dict.fromkeys(dataset.ids):
        if shown not in indices:
            msg = f"{shown!r} was shown but is not among the candidates; add it to them"
            raise ConfigError(msg)
    never = [name for name in candidates.ids if name not in set(dataset.ids)]
    if candidates.space == "labels" and never:
        msg = (
            f"the recordings never show {', '.join(never[:8])}: a label has no meaning to "
            "guess it by; leave it out, or use a sentence space"
        )
        raise ConfigError(msg)
    if len(set(dataset.ids)) < 2:
        msg = f"the recordings only show {dataset.ids[0]!r}; show at least two different things"
        raise RecordingError(msg)
    if len(dataset) < _MIN_TRIALS:
        msg = f"the recordings give {len(dataset)} trials; record at least {_MIN_TRIALS}"
        raise RecordingError(msg)
    return np.array([indices[shown] for shown in dataset.ids])


def _protocol(seen: NDArray[np.bool_], space: str) -> Literal["closed_set", "zero_shot"]:
    """Say which trials are scored: those of what recurs between runs, if enough does."""
    if seen.sum() >= _MIN_TRIALS:
        return "closed_set"
    if space == "labels":
        msg = (
            f"only {int(seen.sum())} trials show what another run shows too, and a label that "
            "was never seen cannot be decoded; show each in at least two runs"
        )
        raise RecordingError(msg)
    return "zero_shot"


def _too_close(dataset: Dataset, test: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which trials share samples with a test trial, by window or by filter."""
    gap = dataset.windowing.tmax - dataset.windowing.tmin + dataset.settling
    close = np.zeros(len(dataset), bool)
    for file in np.unique(dataset.files[test]):
        here = dataset.files == file
        times = np.sort(dataset.t[here & test])
        after = np.searchsorted(times, dataset.t[here])
        before = times[np.maximum(after - 1, 0)]
        following = times[np.minimum(after, len(times) - 1)]
        nearest = np.minimum(abs(dataset.t[here] - before), abs(dataset.t[here] - following))
        close[here] = nearest < gap
    return close


def _fit(
    dataset: Dataset, targets: NDArray[np.float32], train: NDArray[np.bool_], encoder: str
) -> Encoder:
    """Fit an encoder to some of the trials."""
    groups = dataset.groups[train]
    n = len(groups)
    if len(np.unique(groups)) < 2:  # its penalties are chosen between blocks, then
        groups = np.arange(n) * N_BLOCKS // max(n, 1)
    if n < _MIN_TRIALS // 2:
        msg = (
            f"only {n} trials are left to train on when a run is held out, with "
            f"{dataset.settling:.1f} s kept between them; record longer, or more runs"
        )
        raise RecordingError(msg)
    windows = dataset.windows[train]
    return ENCODERS[encoder].fit(windows, targets[train], groups, dataset.spec_out.sfreq)


def _centre(targets: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the mean of the targets."""
    mean = targets.mean(axis=0, dtype=np.float64)
    return np.asarray(mean, dtype=np.float32)


def _cross_fitted_calibration_error(held_out: HeldOut) -> float:
    """Return the calibration error of probabilities whose temperature other runs gave."""
    p = np.zeros(held_out.similarity.shape)
    for group in np.unique(held_out.groups):
        here = held_out.groups == group
        temperature = fit_temperature(held_out.similarity[~here], held_out.truth[~here])
        p[here] = probabilities(held_out.similarity[here], temperature)
    return calibration_error(p, held_out.truth)
