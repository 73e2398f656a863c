"""All that is said about how well recordings can be decoded, as one document."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from decoder.calibration import Calibration, calibration_of
from decoder.ceiling import Ceiling, noise_ceiling
from decoder.controls import Control, control_of, controls_of
from decoder.curves import (
    AveragePoint,
    LearningPoint,
    TimePoint,
    averaging_curve,
    learning_curve,
    time_course,
)
from decoder.design import Order, confounds_of
from decoder.evaluation import Evaluation, Verdict, evaluate
from decoder.patterns import Pattern, haufe_pattern
from decoder.problem import Problem
from models.checkpoint import NON_CAUSAL
from models.dataset import Dataset
from models.heldout import HeldOut

if TYPE_CHECKING:
    import mne

__all__ = ["FORMAT_VERSION", "Assessment", "Setup", "assess"]

FORMAT_VERSION = 1

Tell = Callable[[str, float], None]
"""What is told the step, and the share of all that is done."""


_PREDICTING = "predicting each run from the others"


@dataclass(frozen=True, slots=True)
class Setup:
    """What was decoded from what, and how.

    Parameters
    ----------
    recordings : tuple of str
        Names of the files.
    sha256 : tuple of str
        Of the windows of each.
    candidates : tuple of str
        Texts of what was chosen from.
    space, encoder : str
        Embedding space, and what maps to it; ``"auto"`` chooses within the training runs.
    chosen : tuple of str
        What predicted each fold. Controls and curves take the most frequent.
    ch_names : tuple of str
        Channels that were used.
    sfreq : float
        Rate of the windows, in Hz.
    tmin, tmax : float
        The window after a stimulus, in seconds.
    settling, delay : float
        Of the chain: seconds after a gap, and group delay at 10 Hz in seconds.
    transforms : tuple of dict
        The chain.
    n_trials, n_runs, n_purged : int
        Windows, runs they come from, and training trials left out as too close to a test.
    withheld : dict of str to int
        Windows that could not be made, by reason.
    dropped : dict of str to str
        Channels that were left out, and why.
    """

    recordings: tuple[str, ...]
    sha256: tuple[str, ...]
    candidates: tuple[str, ...]
    space: str
    encoder: str
    chosen: tuple[str, ...]
    ch_names: tuple[str, ...]
    sfreq: float
    tmin: float
    tmax: float
    settling: float
    delay: float
    transforms: tuple[dict[str, Any], ...]
    n_trials: int
    n_runs: int
    n_purged: int
    withheld: dict[str, int]
    dropped: dict[str, str]


@dataclass(frozen=True, slots=True)
class Assessment:
    """How well recordings can be decoded, with all that is needed to believe it or not.

    Parameters
    ----------
    format, version : str, int
        ``"braincast-evaluation"`` and the version of the document.
    software : str
        Version of braincast.
    setup : Setup
        What was decoded from what.
    order : Order
        In which order things were shown.
    scores : Evaluation
        Of single trials.
    verdict : str
        That of `scores`, or ``"cannot be told"`` if a control that is not at chance does
        about as well: its interval reaches that of the score.
    warnings : tuple of str
        What a reader must know before believing a score.
    controls : tuple of Control
        Decoders that cannot know.
    averaging : tuple of AveragePoint
        Scores of averages over repeats.
    learning : tuple of LearningPoint
        Scores by minutes of calibration.
    time_course : tuple of TimePoint
        Scores of 40 ms each.
    ceiling : Ceiling or None
        None where too little recurs.
    calibration : Calibration
        Of probabilities.
    pattern : Pattern
        Where and when the signal goes with the decoder's output.
    """

    format: Literal["braincast-evaluation"]
    version: int
    software: str
    setup: Setup
    order: Order
    scores: Evaluation
    verdict: Verdict
    warnings: tuple[str, ...]
    controls: tuple[Control, ...]
    averaging: tuple[AveragePoint, ...]
    learning: tuple[LearningPoint, ...]
    time_course: tuple[TimePoint, ...]
    ceiling: Ceiling | None
    calibration: Calibration
    pattern: Pattern

    def write(self, path: Path) -> None:
        """Write the document as JSON."""
        text = json.dumps(asdict(self), ensure_ascii=False, indent=1, allow_nan=False)
        path.write_text(text + "\n", encoding="utf-8")


def assess(
    problem: Problem,
    recordings: Sequence[Path],
    *,
    before: Problem | None = None,
    eyes: Problem | None = None,
    info: mne.Info | None = None,
    tell: Tell = lambda _step, _share: None,
) -> Assessment:
    """Evaluate all there is to evaluate.

    Parameters
    ----------
    problem : Problem
        What is decoded.
    recordings : sequence of Path
        Where it comes from.
    before : Problem or None
        The same with windows that end at the stimulus, where the order is random.
    eyes : Problem or None
        The same with the channels of eyes and muscles, where recorded.
    info : mne.Info, optional
        Of a recording: where its sensors are.
    tell : callable
        Told the step and the share that is done.
    """
    tell(_PREDICTING, 0.0)
    held_out = problem.hold_out(lambda share: tell(_PREDICTING, 0.3 * share))
    scores = evaluate(held_out, problem.order)
    tell("controls", 0.3)
    settled = problem.settled(held_out)  # not chosen again: it would take five times as long
    controls = list(controls_of(settled, held_out))
    if before is not None:
        what = "fitted and tested on the samples before each stimulus"
        controls.append(control_of("before the stimulus", what, before.settled(held_out)))
    if eyes is not None:
        what = "fitted and tested on the channels of eyes and muscles alone"
        controls.append(control_of("eyes and muscles only", what, eyes.settled(held_out)))
    learning = learning_curve(
        settled, lambda share: tell("minutes of calibration", 0.5 + 0.15 * share)
    )
    times: list[TimePoint] = []
    if problem.encoder != "track":  # of a stretch of a track no time is its onset
        times = time_course(
            [before, problem] if before is not None else [problem],
            lambda share: tell("scores over time", 0.65 + 0.3 * share),
        )
    tell("ceiling, calibration and patterns", 0.95)
    failed = [control for control in controls if not control.at_chance]
    explained = any(control.main.high >= scores.main.low for control in failed)
    assessment = Assessment(
        format="braincast-evaluation",
        version=FORMAT_VERSION,
        software=version("braincast"),
        setup=_setup(problem, held_out, recordings),
        order=problem.order,
        scores=scores,
        verdict="cannot be told" if explained else scores.verdict,
        warnings=tuple(_warnings(problem, scores, failed)),
        controls=tuple(controls),
        averaging=tuple(averaging_curve(held_out)),
        learning=tuple(learning),
        time_course=tuple(times),
        ceiling=noise_ceiling(problem.dataset),
        calibration=calibration_of(held_out),
        pattern=haufe_pattern(held_out, problem.dataset, problem.candidates, info),
    )
    tell("done", 1.0)
    return assessment


def _setup(problem: Problem, held_out: HeldOut, recordings: Sequence[Path]) -> Setup:
    """Say what was decoded from what."""
    d: Dataset = problem.dataset
    return Setup(
        recordings=tuple(path.name for path in recordings),
        sha256=d.hashes,
        candidates=problem.candidates.texts,
        space=problem.candidates.space,
        encoder=problem.encoder,
        chosen=held_out.encoders,
        ch_names=d.spec.ch_names,
        sfreq=d.spec_out.sfreq,
        tmin=d.windowing.tmin,
        tmax=d.windowing.tmax,
        settling=d.settling,
        delay=d.delay,
        transforms=tuple(d.transforms),
        n_trials=len(d),
        n_runs=len(set(d.groups.tolist())),
        n_purged=problem.split.n_purged,
        withheld=d.withheld,
        dropped=d.dropped,
    )


def _warnings(problem: Problem, scores: Evaluation, failed: Sequence[Control]) -> list[str]:
    """Say what a reader must know before believing a score."""
    found = [problem.order.warning] if problem.order.warning else []
    if not problem.dataset.transforms:
        found.append(f"{NON_CAUSAL}: others filtered it, and no live decode would be as good")
    found += confounds_of(problem.truth, problem.candidates.texts)
    for control in failed:
        clear = control.main.high < scores.main.low
        found.append(
            f"the control {control.name!r} is not at chance ({control.main.value:.3f}): "
            "something else than the response tells what was shown, "
            + (
                "and only what the score is above that can come from the response"
                if clear
                else "so that the score proves nothing"
            )
        )
    if len(set(problem.dataset.files.tolist())) == 1:
        found.append(
            "there is one recording only, of which parts were left out: neighbours in time "
            "resemble each other, and other days are not tested"
        )
    if scores.stimulus_files == "shared":
        found.append(
            "the same stimulus files were shown in training and in the test, which flatters: "
            "what is recognised may be the picture, not what it shows"
        )
    if scores.pool > 2 and scores.modal_share > 0.5:
        text = problem.candidates.texts[scores.modal_answer]
        found.append(f"{scores.modal_share:.0%} of all answers are {text!r} (a hub)")
    n_withheld = sum(problem.dataset.withheld.values())
    if n_withheld > 0.2 * (n_withheld + len(problem.dataset)):
        why = ", ".join(f"{n} {reason}" for reason, n in problem.dataset.withheld.items())
        found.append(f"many trials were withheld ({why}): the score is of the others")
    return found
