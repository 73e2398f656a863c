"""From recordings to an evaluation: the document, and the report that people read."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from decoder.assessment import Assessment, assess
from decoder.fitting import FitSettings, read_trials, read_windows
from decoder.problem import Problem
from streaming.errors import ConfigError, RecordingError
from streaming.window import LockedWindows

__all__ = ["evaluate_recordings"]

logger = logging.getLogger(__name__)

_EYES = {"eog", "emg"}


def evaluate_recordings(
    recordings: Sequence[Path],
    output: Path,
    settings: FitSettings,
    tell: Callable[[str, float], None] = lambda _step, _share: None,
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
    """
    from decoder.report import write_report

    if output.exists() and not output.is_dir():
        msg = f"{output} is a file; name a folder for the report"
        raise ConfigError(msg)
    dataset, candidates, _ = read_trials(
        recordings, settings, lambda share: tell("reading", 0.1 * share)
    )
    encoder = "track" if settings.track else settings.encoder
    problem = Problem.make(dataset, candidates, settings.protocol, encoder)
    windowing = dataset.windowing
    before = eyes = None
    if problem.order.kind == "random" and not settings.track:
        duration = windowing.tmax - max(windowing.tmin, 0.0)
        before = _other(recordings, settings, LockedWindows(-duration, 0.0), problem)
    info, kinds = None, set[str]()
    if dataset.transforms:
        with closing(settings.open(recordings[0])) as source:
            info, kinds = source.info, set(source.spec.ch_types)
    if kinds & _EYES and not settings.track:
        others = replace(settings, picks="eyes", drop=(), chain=None)
        eyes = _other(recordings, others, windowing, problem)
    assessment = assess(
        problem,
        recordings,
        before=before,
        eyes=eyes,
        info=info,
        tell=lambda step, share: tell(step, 0.15 + 0.8 * share),
    )
    tell("writing the report", 0.96)
    output.mkdir(parents=True, exist_ok=True)
    assessment.write(output / "evaluation.json")
    write_report(assessment, output / "report.html")
    tell("done", 1.0)
    return assessment


def _other(
    recordings: Sequence[Path],
    settings: FitSettings,
    windowing: LockedWindows,
    problem: Problem,
) -> Problem | None:
    """Return the problem of other samples, or None if there are too few of them."""
    try:
        dataset = read_windows(recordings, settings, windowing, lambda _: None)
        return Problem.make(
            dataset, problem.candidates, problem.split.protocol, problem.encoder
        )
    except RecordingError as error:
        logger.warning("a control is left out: %s", error)
        return None
