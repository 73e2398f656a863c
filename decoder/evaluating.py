"""From recordings to an evaluation: the document, and the report that people read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from decoder.assessing import BEFORE, EYES, NOT_RANDOM, assess, assess_model
from decoder.assessment import Assessment
from decoder.coverage import latency_points
from decoder.fitting import FitSettings, read_trials, read_windows
from decoder.guards import check_different, check_recording
from decoder.picture_evaluation import ToPicture
from decoder.picturing import PictureSettings
from decoder.problem import Problem
from decoder.tracks import TrackSettings, read_heard
from models.candidates import Candidates
from models.checkpoint import REPORTS, Model
from models.dataset import N_BLOCKS, Dataset, first_part, read_through
from models.folds import MIN_SCORED, Protocol
from models.heldout import HeldOut, predict
from models.lineage import seen_in, without_seen
from models.warm import windows_of
from streaming.errors import ConfigError, RecordingError
from streaming.sources.opening import open_recording
from streaming.timing import Timing
from streaming.triggers import TriggerChannel
from streaming.window import LockedWindows

__all__ = [
    "LaterSettings",
    "check_output",
    "evaluate_model",
    "evaluate_problem",
    "evaluate_recordings",
]

_EYES = {"eog", "emg"}

_NO_ONSET = "a stretch of a track has no onset"

Tell = Callable[[str, float], None]
"""What is told the step, and the share that is done."""


def evaluate_recordings(
    recordings: Sequence[Path],
    output: Path,
    settings: FitSettings,
    tell: Tell = lambda _step, _share: None,
    pictures: PictureSettings | None = None,
) -> Assessment:
    """Evaluate recordings and write what was found.

    Parameters
    ----------
    recordings : sequence of Path
        Runs of one person.
    output : Path
        Folder that gets ``evaluation.json`` and ``report.html``.
    settings : FitSettings
        What was shown, and what is made of it, as for a fit; `hop` is not used.
    tell : callable
        Told the step and the share that is done.
    pictures : PictureSettings, optional
        What makes pictures of decodes, if any are to be scored.
    """
    check_output(output)
    dataset, candidates, _ = read_trials(
        recordings, settings, lambda share: tell("reading", 0.1 * share)
    )
    encoder = "track" if settings.track else settings.encoder
    problem = Problem.make(dataset, candidates, settings.protocol, encoder, settings.parent)
    return evaluate_problem(
        problem,
        recordings,
        output,
        settings,
        tell=lambda step, share: tell(step, 0.1 + 0.9 * share),
        pictures=pictures,
    )


def evaluate_problem(
    problem: Problem,
    recordings: Sequence[Path],
    output: Path,
    settings: FitSettings,
    held_out: HeldOut | None = None,
    early: Sequence[HeldOut] = (),
    tell: Tell = lambda _step, _share: None,
    pictures: PictureSettings | None = None,
) -> Assessment:
    """Evaluate trials that are read already, and write what was found.

    Parameters
    ----------
    problem : Problem
        The trials.
    recordings, output, settings, tell, pictures
        As for `evaluate_recordings`.
    held_out : HeldOut, optional
        What was predicted for them, if it was already.
    early : sequence of HeldOut
        And at each earlier latency.
    """
    windowing, dataset = problem.dataset.windowing, problem.dataset
    to_picture = None
    if pictures is not None:
        tell("reading what was shown", 0.0)
        folder = None if settings.track else settings.table().folder
        to_picture = ToPicture.of_problem(pictures, problem, folder)
    before = eyes = None
    left_out: dict[str, str] = {}
    info, kinds = None, set[str]()
    if dataset.transforms:
        with closing(settings.open(recordings[0])) as source:
            info, kinds = source.info, set(source.spec.ch_types)
    if settings.track:
        left_out[BEFORE] = _NO_ONSET
        left_out[EYES] = "it is not done for a track"
    else:
        if problem.order.kind != "random":
            left_out[BEFORE] = NOT_RANDOM
        else:
            duration = windowing.tmax - max(windowing.tmin, 0.0)
            there = LockedWindows(-duration, 0.0)
            before, left_out[BEFORE] = _other(recordings, settings, there, problem)
        if not kinds & _EYES:
            left_out[EYES] = "none were recorded"
        elif settings.parent is not None:
            left_out[EYES] = "the model to begin with does not see them"
        else:
            others = replace(settings, picks="eyes", drop=(), chain=None)
            eyes, left_out[EYES] = _other(recordings, others, windowing, problem)
    if held_out is None:
        held_out = problem.hold_out(lambda share: tell("predicting each run", 0.2 * share))
    if settings.latencies and not early:
        settled = problem.settled(held_out)
        parts = (first_part(dataset, end) for end in settings.latencies[:-1])
        early = [replace(settled, dataset=part).hold_out() for part in parts]
    points = latency_points(settings.latencies, [*early, held_out]) if early else []
    assessment = assess(
        problem,
        recordings,
        held_out=held_out,
        before=before,
        eyes=eyes,
        info=info,
        left_out={name: why for name, why in left_out.items() if why},
        tell=lambda step, share: tell(step, (0.95 if to_picture is None else 0.6) * share),
    )
    assessment = replace(assessment, latencies=tuple(points))
    if to_picture is not None:
        assessment = _with_pictures(assessment, to_picture, held_out, output, tell)
    _write(assessment, output, tell)
    return assessment


@dataclass(frozen=True, slots=True, kw_only=True)
class LaterSettings:
    """How recordings are read for a model that is there.

    Parameters
    ----------
    protocol : str or None
        What is scored; None for closed_set if enough of what the model was trained on is
        shown, else zero_shot.
    timing, unit, streams, trigger
        As for `decoder.fitting.FitSettings`.
    track : TrackSettings or None
        What went on, for a model that was fitted to a track.
    """

    protocol: Protocol | None = None
    timing: Timing | None = None
    unit: str | None = None
    streams: tuple[str, ...] = ()
    trigger: TriggerChannel | None = None
    track: TrackSettings | None = None


def evaluate_model(
    model: Model,
    recordings: Sequence[Path],
    output: Path,
    settings: LaterSettings,
    tell: Tell = lambda _step, _share: None,
    pictures: PictureSettings | None = None,
) -> Assessment:
    """Evaluate a model, as it is, on recordings that it was not fitted to.

    Parameters
    ----------
    model : Model
        It says what the markers mean, what is done to the signal, and what is chosen from.
    recordings : sequence of Path
        Made later, or kept back.
    output : Path
        Folder that gets ``evaluation.json`` and ``report.html``.
    settings : LaterSettings
        How they are read.
    tell : callable
        Told the step and the share that is done.
    pictures : PictureSettings, optional
        What makes pictures of decodes, if any are to be scored.

    Raises
    ------
    EvaluationError
        If the model was fitted to one of them, or cannot be tested on trials.
    """
    check_output(output)
    model.check_live()
    read = _read_track if model.space.startswith("track:") else _read_locked
    later = read(model, recordings, settings, tell)
    check_different(recordings, later.dataset)
    with closing(
        open_recording(recordings[0], unit=settings.unit, streams=settings.streams)
    ) as source:
        info = source.info
        check_recording(source, later.dataset)
    to_picture = None
    if pictures is not None:
        files = () if settings.track else later.dataset.stim_files
        to_picture = ToPicture.open(
            pictures, later.candidates, [model.centre], files, model.stimuli.folder
        )
    tell("predicting", 0.8)
    dataset, note = without_seen(model, later.dataset)
    before, left_out = later.before, dict(later.left_out)
    if before is not None and (known := seen_in(model, before)[0]).any():
        before = None if known.all() else before.take(~known)
        left_out[BEFORE] = "" if before else "the model learnt from these samples"
    protocol = settings.protocol or later.protocol
    assessment = assess_model(
        model,
        dataset,
        recordings,
        protocol,
        candidates=later.candidates,
        before=before,
        info=info,
        left_out={name: why for name, why in left_out.items() if why},
    )
    if note:
        assessment = replace(assessment, warnings=(note, *assessment.warnings))
    if to_picture is not None:
        held_out = predict(model, dataset, protocol, later.candidates)
        assessment = _with_pictures(assessment, to_picture, held_out, output, tell)
    _write(assessment, output, tell)
    return assessment


@dataclass(frozen=True, slots=True, eq=False)
class _Later:
    """Recordings as a model sees them, and what it is asked of them."""

    dataset: Dataset
    candidates: Candidates
    protocol: Protocol
    before: Dataset | None
    left_out: dict[str, str]


def _read_track(
    model: Model, recordings: Sequence[Path], settings: LaterSettings, tell: Tell
) -> _Later:
    """Return stretches of a track."""
    if settings.track is None:
        msg = "the model tells stretches of a track apart; name the recordings' with --track"
        raise ConfigError(msg)
    dataset, candidates = read_heard(
        model,
        recordings,
        settings.track,
        unit=settings.unit,
        progress=lambda share: tell("reading", 0.8 * share),
    )
    return _Later(dataset, candidates, "zero_shot", None, {BEFORE: _NO_ONSET})


def _read_locked(
    model: Model, recordings: Sequence[Path], settings: LaterSettings, tell: Tell
) -> _Later:
    """Return windows around stimuli, and those that end with them."""
    if settings.track is not None:
        msg = "--track: the model was not fitted to a track; leave it out"
        raise ConfigError(msg)
    windowing = windows_of(model)
    dataset = _windows_for(
        model, recordings, settings, windowing, lambda share: tell("reading", 0.5 * share)
    )
    candidates = model.candidates
    trained = {
        name for name, was in zip(candidates.ids, candidates.trained, strict=True) if was
    }
    n_known = sum(shown in trained for shown in dataset.ids)
    duration = windowing.tmax - windowing.tmin
    before, left_out = None, dict[str, str]()
    try:
        before = _windows_for(
            model,
            recordings,
            settings,
            LockedWindows(-duration, 0.0),
            lambda share: tell("reading before the stimuli", 0.5 + 0.3 * share),
        )
    except RecordingError as error:
        left_out[BEFORE] = str(error)
    protocol: Protocol = "closed_set" if n_known >= MIN_SCORED else "zero_shot"
    return _Later(dataset, candidates, protocol, before, left_out)


def check_output(output: Path) -> None:
    """Refuse to write a report where a file is.

    Raises
    ------
    ConfigError
        If there is one.
    """
    if output.exists() and not output.is_dir():
        msg = f"{output} is a file; name a folder to write to"
        raise ConfigError(msg)


def _with_pictures(
    assessment: Assessment, to_picture: ToPicture, held_out: HeldOut, output: Path, tell: Tell
) -> Assessment:
    """Return the assessment with that of pictures, whose contact sheet is written."""
    said = f"pictures by {to_picture.settings.generator}"
    found = to_picture.evaluate(held_out, output, lambda share: tell(said, 0.6 + 0.35 * share))
    return replace(assessment, pictures=found)


def _write(assessment: Assessment, output: Path, tell: Tell) -> None:
    """Write the document and the page."""
    from decoder.report import write_report  # loads matplotlib

    tell("writing the report", 0.95)
    output.mkdir(parents=True, exist_ok=True)
    document, page = REPORTS
    assessment.write(output / document)
    write_report(assessment, output / page)
    tell("done", 1.0)


def _windows_for(
    model: Model,
    recordings: Sequence[Path],
    settings: LaterSettings,
    windowing: LockedWindows,
    progress: Callable[[float], None],
) -> Dataset:
    """Return windows of recordings as a model sees them."""
    dataset = read_through(
        recordings,
        windowing,
        model.stimuli,
        model.chain(),
        model.spec,
        timing=settings.timing,
        unit=settings.unit,
        streams=settings.streams,
        trigger=settings.trigger,
        progress=progress,
    )
    n = len(dataset)
    if np.array_equal(dataset.groups, np.arange(n) * N_BLOCKS // n):
        # Blocks of a single run are for leaving out, and nothing is.
        return replace(dataset, groups=np.zeros(n, np.intp))
    return dataset


def _other(
    recordings: Sequence[Path],
    settings: FitSettings,
    windowing: LockedWindows,
    problem: Problem,
) -> tuple[Problem | None, str]:
    """Return the problem of other samples, or why there is none."""
    try:
        dataset = read_windows(recordings, settings, windowing, lambda _: None)
        same = dataset.windows.shape[1:] == problem.dataset.windows.shape[1:]
        return Problem.make(
            dataset,
            problem.candidates,
            problem.split.protocol,
            problem.encoder,
            problem.parent if same else None,
        ), ""
    except RecordingError as error:
        return None, str(error)
