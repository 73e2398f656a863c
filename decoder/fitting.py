"""From recordings to a scored model folder."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from decoder.design import confounds_of
from decoder.evaluation import Evaluation, evaluate
from decoder.guards import check_different, check_recording
from decoder.problem import Problem
from decoder.tracks import TrackSettings, read_track
from models.candidates import Candidates, embed_candidates, read_candidates
from models.checkpoint import NON_CAUSAL, Model, check_vacant, save_model
from models.dataset import Dataset, MakeChain, read_dataset, read_through
from models.encoder import ENCODERS
from models.epochs import are_epochs, read_epochs
from models.fit import (
    EVOKED_BAND,
    EVOKED_WINDOWS,
    FLICKER_BAND,
    FLICKER_WINDOWS,
    evoked_chain,
    fit_model,
)
from models.folds import Protocol
from models.heldout import HeldOut
from models.spaces import PACKAGED_SPACE, open_space
from models.stimuli import StimulusTable
from models.stretches import track_chain
from models.subjects import subjects_of
from models.trials import flicker_rates
from models.warm import check_parent, windows_of
from streaming.chain_file import read_chain
from streaming.errors import ConfigError
from streaming.sources.opening import open_recording
from streaming.sources.recording import RecordingSource
from streaming.sources.xdf import XdfSource
from streaming.timing import Timing
from streaming.triggers import TriggerChannel
from streaming.window import LockedWindows, SlidingWindows

__all__ = ["FitSettings", "FittedRecordings", "fit_recordings", "read_trials", "read_windows"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class FitSettings:
    """What was shown in the recordings, and what to make of it.

    Parameters
    ----------
    events : tuple of str
        Labels of the annotations to tell apart.
    stimuli : Path or None
        Table of stimuli, instead of `events`.
    candidates : Path or None
        What to choose from; what was shown, if not given.
    space : str
        Embedding space (`models.spaces`); a space of pictures or sounds takes the table's
        ``stim_file``. If empty, ``labels`` for `events`, whose names may mean nothing, and
        the packaged sentence encoder for `stimuli`.
    picks : str
        ``"eeg"`` or ``"meg"``.
    drop : tuple of str
        Channels to leave out.
    encoder : str
        One of `models.encoder.ENCODERS`, or ``"auto"``.
    protocol : str or None
        Of the scores, ``"closed_set"`` or ``"zero_shot"``; see `models.folds.make_split`.
    tmin, tmax : float or None
        The window after a marker, in seconds. If None, where the response to what the labels
        name is: 0.5 to 3.5 s for flicker rates ("13 Hz"), else 0 to 0.8 s.
    band : tuple of float or None
        Lowest and highest frequency, in Hz. If None, 5 to 45 for flicker rates, else 0.5 to
        30.
    chain : Path or None
        File with the chain (`streaming.chain_file`), instead of the standard one.
    hop : float or None
        If given, the model decodes the newest `tmax` - `tmin` seconds every `hop` seconds, and
        waits for no marker: for states that last, such as watching a flicker.
    subjects : tuple of str
        Who each recording is of; if empty, what BIDS paths say, else one person.
    timing : Timing or None
        What is applied to the markers.
    unit : str or None
        Unit of the samples of XDF that does not say it.
    streams : tuple of str
        Which signals of XDF, by name or source_id.
    trigger : TriggerChannel or None
        A channel whose triggers are markers.
    track : TrackSettings or None
        A continuous track, instead of `events` or `stimuli`.
    latencies : tuple of float
        When to decode after each marker, in seconds; the last is the end of the window, and
        takes the place of `tmax`. Empty: at its end alone.
    parent : Model or None
        An older model to begin with (`models.warm`). It says the chain, the channels, the
        windows and the space, and what was shown and is chosen from if nothing else does.
    """

    events: tuple[str, ...] = ()
    stimuli: Path | None = None
    candidates: Path | None = None
    space: str = ""
    picks: str = "eeg"
    drop: tuple[str, ...] = ()
    encoder: str = "auto"
    protocol: Protocol | None = None
    tmin: float | None = None
    tmax: float | None = None
    band: tuple[float, float] | None = None
    chain: Path | None = None
    hop: float | None = None
    subjects: tuple[str, ...] = ()
    timing: Timing | None = None
    unit: str | None = None
    streams: tuple[str, ...] = ()
    trigger: TriggerChannel | None = None
    track: TrackSettings | None = None
    latencies: tuple[float, ...] = ()
    parent: Model | None = None

    def __post_init__(self) -> None:
        """Refuse two accounts of what was shown, or none."""
        if self.track is not None and (self.streams or self.trigger is not None):
            msg = "--track is heard in one signal, without markers: leave out --stream and "
            msg += "--trigger-channel"
            raise ConfigError(msg)
        if self.parent is not None:
            self._check_parent(self.parent)
        accounts = sum(map(bool, (self.events, self.stimuli is not None, self.track)))
        if accounts > 1 or (accounts == 0 and self.parent is None):
            msg = (
                "name what was shown: either --events face house, or --stimuli stimuli.tsv, or "
                "--track with a channel or file"
            )
            raise ConfigError(msg)
        if self.encoder not in ("auto", *ENCODERS):
            known = ", ".join(("auto", *ENCODERS))
            msg = f"encoder {self.encoder!r} is unknown; use one of {known}"
            raise ConfigError(msg)
        if self.latencies and (self.track is not None or self.hop is not None):
            msg = "--latencies are of windows after a marker: leave out --track and --hop"
            raise ConfigError(msg)
        if self.latencies and self.tmax not in (None, self.latencies[-1]):
            msg = (
                f"--tmax {self.tmax:g} is not the last of --latencies, {self.latencies[-1]:g}; "
                "leave it out"
            )
            raise ConfigError(msg)
        if self.chain is not None and self.band is not None:
            msg = f"--band is for the standard chain; write the band into {self.chain} instead"
            raise ConfigError(msg)

        if self.protocol not in (None, "closed_set", "zero_shot"):
            msg = f"protocol {self.protocol!r} is unknown; use closed_set or zero_shot"
            raise ConfigError(msg)

    def _check_parent(self, parent: Model) -> None:
        """Refuse what the older model says itself, or what it cannot be begun with for."""
        said = {
            "--track": self.track,
            "--space": self.space,
            "--picks": self.picks != "eeg",
            "--drop": self.drop,
            "--tmin": self.tmin is not None,
            "--tmax": self.tmax is not None,
            "--band": self.band,
            "--chain": self.chain,
            "--latencies": self.latencies,
            "--encoder": self.encoder not in ("auto", parent.encoder.kind),
        }
        given = [name for name, value in said.items() if value]
        if given:
            msg = f"{', '.join(given)}: the model says it itself; leave it out with --from"
            raise ConfigError(msg)
        check_parent(parent)

    def table(self) -> StimulusTable:
        """Return what the markers mean."""
        if self.parent is not None and self.stimuli is None and not self.events:
            return self.parent.stimuli
        if self.stimuli is not None:
            return StimulusTable.read(self.stimuli)
        return StimulusTable.from_labels(self.events)

    def open(self, recording: Path) -> RecordingSource | XdfSource:
        """Open a recording."""
        return open_recording(recording, unit=self.unit, streams=self.streams)

    def windows(self, table: StimulusTable) -> LockedWindows:
        """Return where the windows lie around each stimulus."""
        if self.parent is not None:
            return windows_of(self.parent)
        usual = FLICKER_WINDOWS if flicker_rates(table.texts.values()) else EVOKED_WINDOWS
        tmax = self.latencies[-1] if self.latencies else self.tmax
        return LockedWindows(
            usual.tmin if self.tmin is None else self.tmin,
            usual.tmax if tmax is None else tmax,
        )

    def ends(self) -> tuple[float, ...]:
        """Return when to decode after each marker; empty if at the end of the window alone."""
        if self.parent is not None and isinstance(self.parent.windowing, LockedWindows):
            return self.parent.windowing.latencies
        return self.latencies

    def frequencies(self, table: StimulusTable) -> tuple[float, float]:
        """Return the band to keep, in Hz."""
        usual = FLICKER_BAND if flicker_rates(table.texts.values()) else EVOKED_BAND
        return usual if self.band is None else self.band

    def make_chain(self, standard: MakeChain) -> MakeChain:
        """Return what makes the chain for the recordings: the `standard`, or the user's."""
        if self.chain is None:
            return standard
        chosen = read_chain(self.chain)
        return lambda _spec, _info: chosen

    def chain_for(self, table: StimulusTable) -> MakeChain:
        """Return what makes the chain of windows around what the table lists."""
        if self.parent is not None:
            older = self.parent
            return lambda _spec, _info: older.chain()
        return self.make_chain(partial(evoked_chain, band=self.frequencies(table)))

    def pool(self, table: StimulusTable) -> Candidates:
        """Return what to choose from."""
        usual = PACKAGED_SPACE if self.stimuli else "labels"
        if self.parent is not None:
            usual = self.parent.space
            told = self.candidates or self.stimuli or self.events
            if not told or usual == "labels":  # codes of labels go by their number
                return self.parent.candidates
        space = open_space(self.space or usual)
        if self.candidates is not None:
            return read_candidates(self.candidates, space)
        files = [table.files(name) for name in table.texts]
        return embed_candidates(
            list(table.texts), list(table.texts.values()), space, files=files
        )


@dataclass(frozen=True, slots=True, eq=False)
class FittedRecordings:
    """What a fit gave.

    Parameters
    ----------
    model : Model
        As it was saved.
    evaluation : Evaluation
        Scores by leaving out one run after the other; also in the model folder.
    problem : Problem
        What was decoded.
    held_out : HeldOut
        What was predicted for each trial by models that never saw its run.
    early : tuple of HeldOut
        And at each earlier latency.
    """

    model: Model
    evaluation: Evaluation
    problem: Problem
    held_out: HeldOut

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reader must know of the order and the numbers of stimuli."""
        texts = self.problem.candidates.texts
        return (*self.problem.order.warnings, *confounds_of(self.problem.truth, texts))

    early: tuple[HeldOut, ...] = ()


def fit_recordings(
    recordings: Sequence[Path],
    output: Path,
    settings: FitSettings,
    progress: Callable[[float], None] = lambda _: None,
    *,
    overwrite: bool = False,
) -> FittedRecordings:
    """Fit a model to recordings, score it on runs it never saw, and save both.

    Parameters
    ----------
    recordings : sequence of Path
        Runs of one person, or of several with the same channels; the model is of the last.
    output : Path
        The new model folder. Beside it, ``NAME.unfinished`` holds what networks have learnt
        until the model is saved: the same call goes on from there if it was interrupted.
    settings : FitSettings
        What was shown, and what to make of it.
    progress : callable
        Told the share that is done.
    overwrite : bool
        Whether a model that is there already may be replaced.

    Raises
    ------
    ModelError
        If something is in the place of the model; before anything is read.
    EvaluationError
        If no recording shows two different things.
    """
    check_vacant(output, overwrite=overwrite)
    dataset, candidates, live = read_trials(
        recordings, settings, lambda share: progress(0.5 * share)
    )
    encoder = "track" if settings.track else settings.encoder
    problem = Problem.make(dataset, candidates, settings.protocol, encoder, settings.parent)
    keep = output.with_name(f"{output.name}.unfinished")
    fitted = fit_model(
        dataset,
        candidates,
        encoder=problem.encoder,
        protocol=settings.protocol,
        parent=settings.parent,
        keep=keep,
        latencies=settings.ends(),
        progress=lambda share: progress(0.5 + 0.4 * share),
    )
    evaluation = evaluate(fitted.held_out, problem.order)
    model = replace(fitted.model, scores={**fitted.model.scores, **evaluation.to_json()})
    if not model.transforms:
        model = replace(model, training={**model.training, "input": NON_CAUSAL})
    if settings.hop is not None:
        duration = dataset.windowing.tmax - dataset.windowing.tmin
        training = {**model.training, "tmin": dataset.windowing.tmin}
        windows = SlidingWindows(duration, settings.hop)
        model = replace(model, windowing=windows, training=training)
        if settings.track:
            model = replace(model, candidates=live)
        # What slides is not like what was held out, of which each began with a stimulus.
        model = replace(model, conformal={}, usual=())
    save_model(model, output, overwrite=overwrite)
    shutil.rmtree(keep, ignore_errors=True)
    progress(1.0)
    return FittedRecordings(model, evaluation, problem, fitted.held_out, fitted.early)


def read_trials(
    recordings: Sequence[Path], settings: FitSettings, progress: Callable[[float], None]
) -> tuple[Dataset, Candidates, Candidates]:
    """Return windows, what they choose from, and what is chosen from when live.

    Raises
    ------
    RecordingError
        If a recording was named twice.
    EvaluationError
        If the chain is not causal.
    """
    if settings.track:
        found = read_track(
            recordings,
            settings.track,
            settings.make_chain(track_chain),
            space=settings.space,
            hop=settings.hop,
            picks=settings.picks,
            drop=settings.drop,
            unit=settings.unit,
            progress=progress,
        )
        dataset, candidates, live = found
    else:
        table = settings.table()
        candidates = live = settings.pool(table)
        dataset = read_windows(recordings, settings, settings.windows(table), progress)
    check_different(recordings, dataset)
    if dataset.transforms:
        people = subjects_of(recordings, settings.subjects)
        dataset = replace(dataset, subjects=people)
        with closing(settings.open(recordings[0])) as source:
            check_recording(source, dataset)
    return dataset, candidates, live


def read_windows(
    recordings: Sequence[Path],
    settings: FitSettings,
    windowing: LockedWindows,
    progress: Callable[[float], None],
) -> Dataset:
    """Return the windows of recordings; `progress` is told the share that is done."""
    table = settings.table()
    if settings.parent is not None:
        return read_through(
            recordings,
            windowing,
            table,
            settings.parent.chain(),
            settings.parent.spec,
            timing=settings.timing,
            unit=settings.unit,
            streams=settings.streams,
            trigger=settings.trigger,
            progress=progress,
        )
    if are_epochs(recordings):
        logger.warning("%s: epochs that others filtered, of which no model is live", NON_CAUSAL)
        return read_epochs(recordings, windowing, table)
    return read_dataset(
        recordings,
        windowing,
        table,
        settings.chain_for(table),
        picks=settings.picks,
        drop=settings.drop,
        timing=settings.timing,
        unit=settings.unit,
        streams=settings.streams,
        trigger=settings.trigger,
        progress=progress,
    )
