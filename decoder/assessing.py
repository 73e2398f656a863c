"""Evaluate all there is to evaluate: of recordings, or of a model on later ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from decoder.assessment import FORMAT_VERSION, Assessment, Setup
from decoder.calibration import calibration_of
from decoder.ceiling import noise_ceiling
from decoder.controls import (
    NOISE,
    SHUFFLED,
    Control,
    control_of,
    controls_of,
    noise_like,
    scored_control,
    shuffled,
)
from decoder.coverage import LatencyPoint, coverage_of, latency_points
from decoder.curves import (
    LearningPoint,
    TimePoint,
    averaging_curve,
    learning_curve,
    time_course,
)
from decoder.design import Order, confounds_of, order_of
from decoder.evaluation import Evaluation, evaluate
from decoder.patterns import Pattern, haufe_pattern
from decoder.problem import Problem, with_windows
from models.candidates import Candidates
from models.checkpoint import NON_CAUSAL, Model
from models.dataset import Dataset
from models.folds import Protocol
from models.heldout import HeldOut, predict
from models.trials import flicker_rates
from streaming.errors import EvaluationError
from streaming.window import LockedWindows

if TYPE_CHECKING:
    import mne

__all__ = ["BEFORE", "EYES", "NOT_RANDOM", "assess", "assess_model"]

Tell = Callable[[str, float], None]
"""What is told the step, and the share of all that is done."""

BEFORE = "before the stimulus"
EYES = "eyes and muscles only"

NOT_RANDOM = "the order was not random, so that what came before tells what comes"

_PREDICTING = "predicting each run from the others"
_MINUTES = "minutes of calibration"
_AS_IT_IS = "it would need a fit, and the model is tested as it is"
_NO_ONSET = "of a stretch of a track, no time is its onset"


def assess(
    problem: Problem,
    recordings: Sequence[Path],
    *,
    held_out: HeldOut | None = None,
    before: Problem | None = None,
    eyes: Problem | None = None,
    info: mne.Info | None = None,
    left_out: Mapping[str, str] | None = None,
    tell: Tell = lambda _step, _share: None,
) -> Assessment:
    """Evaluate recordings: each run predicted from the others.

    Parameters
    ----------
    problem : Problem
        What is decoded.
    recordings : sequence of Path
        Where it comes from.
    held_out : HeldOut, optional
        What was predicted for it, if it was already.
    before : Problem or None
        The same with windows that end at the stimulus, where the order is random.
    eyes : Problem or None
        The same with the channels of eyes and muscles, where recorded.
    info : mne.Info, optional
        Of a recording: where its sensors are.
    left_out : dict of str to str, optional
        What is not given, and why.
    tell : callable
        Told the step and the share that is done.
    """
    tell(_PREDICTING, 0.0)
    if held_out is None:
        held_out = problem.hold_out(lambda share: tell(_PREDICTING, 0.3 * share))
    scores = evaluate(held_out, problem.order)
    tell("controls", 0.3)
    settled = problem.settled(held_out)  # not chosen again: it would take five times as long
    controls = list(controls_of(settled, held_out))
    missing = dict(left_out or {})
    if before is not None:
        what = "fitted and tested on the samples before each stimulus"
        controls.append(control_of(BEFORE, what, before.settled(held_out)))
    if eyes is not None:
        what = "fitted and tested on the channels of eyes and muscles alone"
        controls.append(control_of(EYES, what, eyes.settled(held_out)))
    learning: list[LearningPoint] = []
    anew: list[LearningPoint] = []
    if not problem.dataset.transforms:
        missing[_MINUTES] = "of epochs that others cut, nobody knows when they were"
    else:
        learning = learning_curve(settled, lambda share: tell(_MINUTES, 0.5 + 0.15 * share))
        if len(learning) < 2:
            missing[_MINUTES] = "a part of the trials is too little to learn from"
        if problem.parent is not None:
            anew = learning_curve(settled.anew())
    times: list[TimePoint] = []
    if problem.encoder == "track":
        missing["scores over time"] = _NO_ONSET
    elif flicker_rates(problem.candidates.texts):
        missing["scores over time"] = "40 ms are too short for a wave of a flicker"
    else:
        times = time_course(
            [before, problem] if before is not None else [problem],
            lambda share: tell("scores over time", 0.65 + 0.3 * share),
        )
    tell("ceiling, calibration and patterns", 0.95)
    found = _Found(problem.dataset, problem.candidates, problem.order, held_out, scores)
    assessment = found.assessment(
        found.setup(recordings, problem.encoder, n_purged=problem.split.n_purged),
        controls,
        missing,
        info,
        learning=learning,
        times=times,
    )
    tell("done", 1.0)
    return replace(assessment, anew=tuple(anew))


def assess_model(
    model: Model,
    dataset: Dataset,
    recordings: Sequence[Path],
    protocol: Protocol,
    *,
    candidates: Candidates | None = None,
    before: Dataset | None = None,
    info: mne.Info | None = None,
    left_out: Mapping[str, str] | None = None,
) -> Assessment:
    """Evaluate a model, as it is, on recordings that it was not fitted to.

    Parameters
    ----------
    model : Model
        With its own temperature.
    dataset : Dataset
        The recordings, through its chain.
    recordings : sequence of Path
        Where it comes from.
    protocol : str
        What of it is scored: see `models.heldout.predict`.
    candidates : Candidates, optional
        What it chooses from; its own, if not given.
    before : Dataset or None
        The same with windows that end at the stimulus, where the order is random.
    info : mne.Info, optional
        Of a recording: where its sensors are.
    left_out : dict of str to str, optional
        What is not given, and why.

    Raises
    ------
    EvaluationError
        If the model was fitted to one of the recordings, or no recording shows two things.
    """
    candidates = candidates or model.candidates
    held_out = predict(model, dataset, protocol, candidates)
    files = dataset.files[held_out.index]
    order = order_of(held_out.truth, files, candidates.vectors)
    if order.kind == "one per run":
        raise EvaluationError(order.warning)
    scores = evaluate(held_out, order)

    def control(name: str, what: str, seen: Dataset) -> Control:
        return scored_control(name, what, predict(model, seen, protocol, candidates), order)

    windows = dataset.windows
    controls = [
        control(
            SHUFFLED,
            "the model, tested on the windows of other trials of the same run",
            with_windows(dataset, shuffled(windows, dataset.groups)),
        ),
        control(
            NOISE,
            "the model, tested on white noise of the same size",
            with_windows(dataset, noise_like(windows)),
        ),
    ]
    if order.kind == "random" and before is not None:
        what = "the model, tested on the samples before each stimulus"
        controls.append(control(BEFORE, what, before))
    missing = dict(left_out or {})
    if order.kind != "random":
        missing[BEFORE] = NOT_RANDOM
    for what in ("prior only", "clock only", EYES, _MINUTES):
        missing[what] = _AS_IT_IS
    missing["scores over time"] = _AS_IT_IS
    found = _Found(dataset, candidates, order, held_out, scores)
    return found.assessment(
        found.setup(recordings, model.encoder.kind, model_id=model.model_id),
        controls,
        missing,
        info,
        model=model,
        latencies=_latencies_of(model, dataset, protocol, held_out),
    )


def _latencies_of(
    model: Model, dataset: Dataset, protocol: Protocol, whole: HeldOut
) -> list[LatencyPoint]:
    """Return how good each latency of a model is."""
    if not model.stages or not isinstance(model.windowing, LockedWindows):
        return []
    early = [
        predict(model, dataset, protocol, revision=revision)
        for revision in range(len(model.stages))
    ]
    return latency_points(model.windowing.ends, [*early, whole])


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """What is told of any evaluation."""

    dataset: Dataset
    candidates: Candidates
    order: Order
    held_out: HeldOut
    scores: Evaluation

    def assessment(
        self,
        setup: Setup,
        controls: Sequence[Control],
        missing: dict[str, str],
        info: mne.Info | None,
        *,
        learning: Sequence[LearningPoint] = (),
        times: Sequence[TimePoint] = (),
        model: Model | None = None,
        latencies: Sequence[LatencyPoint] = (),
    ) -> Assessment:
        """Put all together; what there is no pattern of is said in `missing`."""
        theirs = model is not None and self.candidates.hash != model.candidates.hash
        temperature = None if model is None else model.temperature
        sets = [] if theirs else coverage_of(self.held_out, model)
        return Assessment(
            format="braincast-evaluation",
            version=FORMAT_VERSION,
            software=version("braincast"),
            setup=setup,
            order=self.order,
            scores=self.scores,
            verdict="cannot be told" if self.explained(controls) else self.scores.verdict,
            warnings=tuple(self.warnings(controls)),
            controls=tuple(controls),
            averaging=tuple(averaging_curve(self.held_out)),
            learning=tuple(learning),
            time_course=tuple(times),
            ceiling=noise_ceiling(self.dataset),
            calibration=calibration_of(self.held_out, temperature),
            pattern=self.pattern(info, missing),
            left_out=missing,
            coverage=tuple(sets),
            latencies=tuple(latencies),
        )

    def setup(
        self,
        recordings: Sequence[Path],
        encoder: str,
        *,
        n_purged: int = 0,
        model_id: str = "",
    ) -> Setup:
        """Say what was decoded from what."""
        d = self.dataset
        return Setup(
            model=model_id,
            recordings=tuple(path.name for path in recordings),
            sha256=d.hashes,
            candidates=self.candidates.texts,
            space=self.candidates.space,
            encoder=encoder,
            chosen=self.held_out.encoders,
            ch_names=d.spec.ch_names,
            sfreq=d.spec_out.sfreq,
            tmin=d.windowing.tmin,
            tmax=d.windowing.tmax,
            settling=d.settling,
            delay=d.delay,
            transforms=tuple(d.transforms),
            n_trials=len(d),
            n_runs=len(set(d.groups.tolist())),
            n_purged=n_purged,
            withheld=d.withheld,
            dropped=d.dropped,
        )

    def pattern(self, info: mne.Info | None, missing: dict[str, str]) -> Pattern | None:
        """Return the pattern, or say in `missing` why there is none."""
        if self.candidates.space.startswith("track:"):
            missing["patterns"] = _NO_ONSET
            return None
        if flicker_rates(self.candidates.texts):
            missing["patterns"] = (
                "a flicker is told by its power, and a pattern of the signal itself averages "
                "waves of any phase"
            )
            return None
        return haufe_pattern(self.held_out, self.dataset, self.candidates, info)

    def explained(self, controls: Sequence[Control]) -> bool:
        """Say whether a control that is not at chance does about as well as the score."""
        low = self.scores.main.low
        return any(not c.at_chance and c.main.high >= low for c in controls)

    def warnings(self, controls: Sequence[Control]) -> list[str]:
        """Say what a reader must know before believing a score."""
        d, scores, texts = self.dataset, self.scores, self.candidates.texts
        found = list(self.order.warnings)
        if not d.transforms:
            found.append(
                f"{NON_CAUSAL}: others filtered it, and no live decode would be as good"
            )
        found += confounds_of(self.held_out.truth, texts)
        for control in controls:
            if control.at_chance:
                continue
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
        if len(set(d.files.tolist())) == 1 and len(self.held_out.pools) > 1:
            found.append(
                "there is one recording only, of which parts were left out: neighbours in "
                "time resemble each other, and other days are not tested"
            )
        if scores.stimulus_files == "shared" and scores.protocol == "closed_set":
            found.append(
                "the same stimulus files were shown in training and in the test, which "
                "flatters: what is recognised may be the picture, not what it shows"
            )
        if scores.pool > 2 and scores.modal_share > 0.5:
            found.append(
                f"{scores.modal_share:.0%} of all answers are "
                f"{texts[scores.modal_answer]!r} (a hub)"
            )
        n_withheld = sum(d.withheld.values())
        if n_withheld > 0.2 * (n_withheld + len(d)):
            why = ", ".join(f"{n} {reason}" for reason, n in d.withheld.items())
            found.append(f"many trials were withheld ({why}): the score is of the others")
        return found
