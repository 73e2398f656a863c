"""All that is said about how well recordings can be decoded, as one document."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from decoder.calibration import Calibration
from decoder.ceiling import Ceiling
from decoder.controls import Control
from decoder.coverage import CoveragePoint, LatencyPoint
from decoder.curves import AveragePoint, LearningPoint, TimePoint
from decoder.design import Order
from decoder.evaluation import Evaluation, Verdict
from decoder.patterns import Pattern
from decoder.picture_scores import Pictures

__all__ = ["FORMAT_VERSION", "Assessment", "Setup"]

FORMAT_VERSION = 2


@dataclass(frozen=True, slots=True)
class Setup:
    """What was decoded from what, and how.

    Parameters
    ----------
    model : str
        Id of the fitted model that these recordings test; empty where models were fitted to
        them, and each run was predicted from the others.
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

    model: str
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
    pattern : Pattern or None
        Where and when the signal goes with the decoder's output; None for flicker.
    left_out : dict of str to str
        What could not be evaluated, and why.
    coverage : tuple of CoveragePoint
        Promised and measured coverage of conformal sets, at several risks; of a model, as it
        would give them live.
    latencies : tuple of LatencyPoint
        Scores by the time after the stimulus; empty where windows have a single end.
    pictures : Pictures or None
        How good pictures of decodes are; None where none were asked for.
    anew : tuple of LearningPoint
        What stands in `learning`, on the same folds, for encoders that begin with nothing;
        empty where none begins with an older model.
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
    pattern: Pattern | None
    left_out: dict[str, str]
    coverage: tuple[CoveragePoint, ...] = ()
    latencies: tuple[LatencyPoint, ...] = ()
    pictures: Pictures | None = None
    anew: tuple[LearningPoint, ...] = ()

    def write(self, path: Path) -> None:
        """Write the document as JSON."""
        text = json.dumps(asdict(self), ensure_ascii=False, indent=1, allow_nan=False)
        path.write_text(text + "\n", encoding="utf-8")
