"""Fit a model to a dataset, and predict every trial by a model that never saw its run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from models.candidates import Candidates
from models.checkpoint import Model
from models.choose import choose_encoder
from models.conformal import Odds, odds_of
from models.dataset import Dataset
from models.early import fit_early
from models.encoder import LOADERS, Encoder, for_subject
from models.folds import Protocol, make_split
from models.heldout import HeldOut, hold_out
from models.lineage import ancestors, joined, sessions_of, spans_of, window_hashes
from models.reference import make_reference
from models.refit import make_sums
from models.repeats import fit_repeats
from models.retrieval import (
    calibration_error,
    cross_fitted_probabilities,
    fit_temperature,
)
from models.ridge import RidgeEncoder
from models.trials import MAX_FOLDS, Course, Trials, flicker_rates
from models.unseen import hold_out_unseen
from models.usual import Usual, make_usual
from models.warm import fit_warm, seen_by, with_prior
from streaming.chain import Chain, standard_chain
from streaming.errors import ConfigError, RecordingError
from streaming.layout import positions_of
from streaming.signal import SignalSpec
from streaming.window import LockedWindows

if TYPE_CHECKING:
    import mne

__all__ = [
    "EVOKED_BAND",
    "EVOKED_WINDOWS",
    "FLICKER_BAND",
    "FLICKER_WINDOWS",
    "Fitted",
    "evoked_chain",
    "fit_encoder",
    "fit_model",
    "truth_of",
]

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

EVOKED_BAND = (0.5, 30.0)
"""Band, in Hz. On the same recordings AUC differs by .03 at most between 0.1 and 1 Hz, and by
.01 between 20 and 40 Hz; from 0.5 Hz the chain settles in 2.9 s instead of 8.5 s."""

FLICKER_WINDOWS = LockedWindows(tmin=0.5, tmax=3.5)
"""From when the response to a flicker has built up; as long as the usual trial."""

FLICKER_BAND = (5.0, 45.0)
"""Rates that people are shown, and most of their doubles."""

_MIN_TRIALS = 20


def evoked_chain(
    spec: SignalSpec,
    info: mne.Info | None = None,
    *,
    band: tuple[float, float] = EVOKED_BAND,
    line_freq: float = 50.0,
) -> Chain:
    """Return the chain for `EVOKED_WINDOWS`, or with another band for what oscillates.

    Its running scale and clamp are what keeps blinks and movement from deciding: without them
    the AUC of faces against houses falls from .66 to .60.

    Parameters
    ----------
    spec : SignalSpec
        Rate of the stream, and the channels to keep.
    info : mne.Info, optional
        Of a recording with these channels: its projectors, compensation and positions.
    band : tuple of float
        Lowest and highest frequency, in Hz.
    line_freq : float
        Mains, in Hz: 50, or 60 in the Americas.
    """
    return standard_chain(
        spec.ch_names,
        spec.sfreq,
        low=band[0],
        high=band[1],
        line_freq=line_freq,
        ch_types=spec.ch_types,
        info=info,
    )


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """A model fitted to all trials, and what was predicted for each without it.

    Parameters
    ----------
    model : Model
        Fitted to all.
    held_out : HeldOut
        Of whole windows.
    early : tuple of HeldOut
        Of the same trials at each earlier latency.
    """

    model: Model
    held_out: HeldOut
    early: tuple[HeldOut, ...] = ()


def fit_model(
    dataset: Dataset,
    candidates: Candidates,
    *,
    encoder: str = "ridge",
    protocol: Protocol | None = None,
    parent: Model | None = None,
    progress: Callable[[float], None] | None = None,
    keep: Path | None = None,
    latencies: tuple[float, ...] = (),
) -> Fitted:
    """Fit a model, and score it by leaving out one run after the other.

    Parameters
    ----------
    dataset : Dataset
        Windows with what was shown.
    candidates : Candidates
        What to choose from; all that was shown must be among them.
    encoder : str
        One of `models.encoder.LOADERS`, or ``"auto"``: in each fold, what predicts its
        training runs from each other best.
    protocol : str or None
        Of the scores; see `models.folds.make_split`.
    parent : Model or None
        An older model to begin with (`models.warm`); its encoder's kind is the new one's.
    progress : callable, optional
        Told the share that is done.
    keep : Path or None
        Where networks leave what they have, for a fit that is interrupted to go on from.
    latencies : tuple of float
        When to decode after each stimulus, in seconds, the last at the end of the window: an
        encoder for each; see `LockedWindows.latencies`.

    Returns
    -------
    Fitted
        The model is of the person of the last recording, where encoders tell people apart.
        `model.scores` holds the calibration; the scores of `held_out` are for
        `decoder.evaluation` to give.
    """
    tell = progress or (lambda _: None)
    truth = truth_of(dataset, candidates)
    targets = candidates.vectors[truth]
    seen = seen_by(parent, candidates.ids)
    split = make_split(dataset, candidates, truth, protocol, seen)
    older = None if parent is None else parent.encoder
    windowing = replace(dataset.windowing, latencies=latencies)
    share = 1 / (len(split.folds) + 1) / len(windowing.ends)
    done = iter(np.arange(len(split.folds)) * share)

    def fit(
        dataset: Dataset, targets: NDArray[np.float32], train: NDArray[np.bool_]
    ) -> Encoder:
        before = float(next(done))
        course = Course(lambda part: tell(before + 0.99 * share * part), keep)
        return fit_encoder(
            dataset, targets, train, encoder=encoder, parent=older, course=course
        )

    held_out = hold_out(dataset, candidates, truth, split, fit)
    everything = _trials(dataset, targets, np.ones(len(dataset), bool))
    whole = 1 / len(windowing.ends)
    course = Course(lambda part: tell(whole + (0.99 * part - 1) * share), keep)
    fitted, how = _fit_whole(everything, encoder, older, course)
    sums = None
    if isinstance(fitted, RidgeEncoder):
        sums = make_sums(fitted, everything.windows, everything.targets)
        sums = sums if older is None else with_prior(sums, fitted)

    # Not chosen again for each: what most folds chose without the trials that they predict.
    settled = Counter(held_out.encoders).most_common(1)[0][0]

    def fit_again(
        dataset: Dataset, targets: NDArray[np.float32], train: NDArray[np.bool_]
    ) -> Encoder:
        return fit_encoder(dataset, targets, train, encoder=settled)

    shown = np.isin(range(len(candidates)), truth) | seen
    # An older model knows things that would have to be left out of it, too.
    leave_out = older is None and held_out.protocol == "closed_set" and not bool(shown.all())
    early = []
    for n, end in enumerate(windowing.ends[:-1], 1):
        early.append(
            fit_early(dataset, candidates, truth, split, fit_again, end, unseen=leave_out)
        )
        tell((n + 1) * whole)
    unseen = hold_out_unseen(dataset, candidates, truth, fit_again) if leave_out else None
    temperature = fit_temperature(held_out.similarity, held_out.truth)
    temperatures = [*(each.stage.temperature for each in early), temperature]
    odds: dict[str, Odds] = {}
    for found in (
        [*(each.held_out for each in early), held_out],
        [*(each.unseen for each in early), unseen],
    ):
        kept = [each for each in found if each is not None]
        if kept:
            similarity = [each.similarity for each in kept]
            odds[kept[0].protocol] = odds_of(similarity, kept[0].truth, temperatures)
    model = Model(
        spec=dataset.spec,
        transforms=dataset.transforms,
        windowing=windowing,
        encoder=for_subject(fitted, int(dataset.people[-1])),
        candidates=replace(candidates, trained=tuple(shown.tolist())),
        centre=_centre(targets),
        temperature=temperature,
        stimuli=dataset.table,
        conformal=odds,
        stages=tuple(each.stage for each in early),
        repeats=fit_repeats(
            held_out.similarity, temperature, held_out.truth, held_out.groups, held_out.t
        ),
        usual=_usual(
            dataset, windowing, _centre(targets), [*(e.held_out for e in early), held_out]
        ),
        protocol=held_out.protocol,
        training={
            "n_trials": len(dataset),
            "n_groups": len(np.unique(dataset.groups)),
            "settling": round(dataset.settling, 3),
            "delay": round(dataset.delay, 4),
            "sha256": list(dataset.hashes),
            "dropped": dataset.dropped,
            "withheld": dataset.withheld,
            "subjects": list(dataset.subjects),
            **how,
            **_descent(parent, dataset),
        },
        scores={
            "calibration_error": calibration_error(
                cross_fitted_probabilities(
                    held_out.among_pools(), held_out.truth, held_out.groups
                ),
                held_out.truth,
            )
        },
        reference=make_reference(held_out.latents, held_out.losses(), held_out.groups),
        sums=sums,
        seen=_seen(parent, dataset),
    )
    tell(1.0)
    return Fitted(model, held_out, tuple(each.held_out for each in early))


def _usual(
    dataset: Dataset,
    windowing: LockedWindows,
    centre: NDArray[np.float32],
    found: Sequence[HeldOut],
) -> tuple[Usual, ...]:
    """Return what trials were like at each latency; empty if one does not tell."""
    usual = []
    for end, each in zip(windowing.ends, found, strict=True):
        n_times = dataset.spec_out.to_samples(end - windowing.tmin)
        windows = (dataset.windows[n, :, :n_times] for n in each.index)
        usual.append(make_usual(each.latents, centre, windows))
    known = tuple(each for each in usual if each is not None)
    return known if len(known) == len(usual) else ()


def truth_of(dataset: Dataset, candidates: Candidates) -> NDArray[np.intp]:
    """Return the index of what was shown in each trial.

    Raises
    ------
    ConfigError
        If the candidates do not fit what was shown.
    RecordingError
        If too little was shown.
    """
    indices = {candidate_id: n for n, candidate_id in enumerate(candidates.ids)}
    for shown in dict.fromkeys(dataset.ids):
        if shown not in indices:
            msg = f"{shown!r} was shown but is not among the candidates; add it to them"
            raise ConfigError(msg)
    never = [name for name in candidates.ids if name not in set(dataset.ids)]
    if candidates.space == "labels" and never:
        shown = ", ".join(f"{name} ({n})" for name, n in Counter(dataset.ids).most_common(8))
        left_out = ", ".join(f"{n} {reason}" for reason, n in dataset.withheld.items())
        msg = (
            f"no trial shows {', '.join(never[:8])}; they show {shown}"
            + (f", and {left_out} were left out" if left_out else "")
            + ": a label has no meaning to guess it by; correct or leave it out, or use a "
            "sentence space"
        )
        raise ConfigError(msg)
    if len(set(dataset.ids)) < 2:
        msg = f"the recordings only show {dataset.ids[0]!r}; show at least two different things"
        raise RecordingError(msg)
    if len(dataset) < _MIN_TRIALS:
        msg = f"the recordings give {len(dataset)} trials; record at least {_MIN_TRIALS}"
        raise RecordingError(msg)
    return np.array([indices[shown] for shown in dataset.ids])


def fit_encoder(
    dataset: Dataset,
    targets: NDArray[np.float32],
    train: NDArray[np.bool_],
    *,
    encoder: str,
    parent: Encoder | None = None,
    course: Course = Course(),  # noqa: B008 - frozen
) -> Encoder:
    """Fit an encoder to some of the trials.

    Parameters
    ----------
    dataset : Dataset
        Windows with what was shown.
    targets : array of shape (n, n_dims)
        The embedding of what was shown.
    train : array of shape (n,)
        Which trials to use.
    encoder : str
        One of `models.encoder.LOADERS`, or ``"auto"``, see `models.choose`.
    parent : Encoder or None
        An older one to begin with, see `models.warm`; `encoder` is then not used.
    course : Course
        Who is told, and where it is kept.
    """
    trials = _trials(dataset, targets, train)
    return _fit_whole(trials, encoder, parent, course)[0]


def _fit_whole(
    trials: Trials, encoder: str, parent: Encoder | None, course: Course
) -> tuple[Encoder, dict[str, Any]]:
    """Fit an encoder, and say what was chosen between."""
    if parent is not None:
        warmed = fit_warm(parent, trials)
        return warmed.encoder, {"encoders_tried": warmed.tried, "prior_share": warmed.share}
    tried = dict[str, float]()
    if encoder == "auto":
        encoder, tried = choose_encoder(trials)
    return LOADERS[encoder].fit(trials, course), {"encoders_tried": tried}


def _descent(parent: Model | None, dataset: Dataset) -> dict[str, Any]:
    """Say which sessions it is of, which model was begun with, and what that knew."""
    sessions = spans_of(dataset)
    said: dict[str, Any] = {}
    if parent is not None:
        said = {"parent": parent.model_id, "sha256_before": ancestors(parent)}
        for name, spans in sessions_of(parent).items():
            sessions[name] = joined(spans, sessions.get(name, ()))
    if sessions:
        said["sessions"] = {name: [list(s) for s in spans] for name, spans in sessions.items()}
    return said


def _seen(parent: Model | None, dataset: Dataset) -> NDArray[np.uint64]:
    """Return the hashes of the windows that were learnt from, by older models too."""
    own = window_hashes(dataset.windows)
    return np.unique(own) if parent is None else np.union1d(parent.seen, own)


def _trials(dataset: Dataset, targets: NDArray[np.float32], train: NDArray[np.bool_]) -> Trials:
    """Return some of the trials as an encoder takes them."""
    groups = dataset.groups[train]
    largest = np.unique(groups, return_counts=True)[1].max(initial=0)
    if MAX_FOLDS * (len(groups) - largest) < len(groups):
        # Nearly all of one run: without it nothing is left. Settings are chosen between blocks.
        groups = np.arange(len(groups)) * MAX_FOLDS // max(len(groups), 1)
    texts = [dataset.table.texts.get(shown, shown) for shown in set(dataset.ids)]
    spec = dataset.spec_out
    places = positions_of(spec.ch_names) if set(spec.ch_types) == {"eeg"} else ()
    return Trials(
        windows=dataset.windows[train],
        targets=targets[train],
        groups=groups,
        sfreq=spec.sfreq,
        rates=flicker_rates(texts),
        positions=np.reshape(places, (-1, 3)) if places else None,
        subjects=dataset.people[train],
    )


def _centre(targets: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the mean of the targets."""
    mean = targets.mean(axis=0, dtype=np.float64)
    return np.asarray(mean, dtype=np.float32)
