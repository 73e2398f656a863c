"""The command that says what recordings, or a model, are worth."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from decoder.console import err, out, progress_bar
from decoder.options import (
    Onsets,
    Subject,
    Task,
    TimingFile,
    TriggerChannelName,
    TriggerMask,
    Visit,
    read_band,
    read_trigger,
)
from decoder.options_fit import (
    Band,
    CandidatesFile,
    ChainFile,
    Drop,
    EncoderName,
    Events,
    People,
    Picks,
    ProtocolName,
    Recordings,
    SampleUnit,
    SpaceName,
    Stimuli,
    StreamNames,
    Stretch,
    Tmax,
    Tmin,
    TrackNames,
    TrackOnset,
    TrackRate,
    track_settings,
)
from decoder.recordings import listed
from streaming.errors import ConfigError

if TYPE_CHECKING:
    from decoder.assessment import Assessment

__all__ = ["evaluate", "tell_verdict"]

Tell = Callable[[str, float], None]


def evaluate(
    recordings: Recordings,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for evaluation.json and report.html.")
    ] = Path("evaluation"),
    events: Events = None,
    stimuli: Stimuli = None,
    track: TrackNames = None,
    track_rate: TrackRate = None,
    track_onset: TrackOnset = "",
    stretch: Stretch = None,
    candidates: CandidatesFile = None,
    space: SpaceName = "",
    picks: Picks = "eeg",
    drop: Drop = None,
    unit: SampleUnit = None,
    streams: StreamNames = None,
    trigger_channel: TriggerChannelName = None,
    trigger_mask: TriggerMask = None,
    encoder: EncoderName = "auto",
    protocol: ProtocolName = None,
    subject: Subject = None,
    session: Visit = None,
    task: Task = None,
    tmin: Tmin = None,
    tmax: Tmax = None,
    band: Band = None,
    chain_file: ChainFile = None,
    timing: TimingFile = None,
    onsets: Onsets = "markers",
    people: People = None,
    model: Annotated[
        Path | None,
        typer.Option(
            help="A fitted model, to be tested on recordings made later or kept back."
        ),
    ] = None,
) -> None:
    """Say how well recordings can be decoded, with controls, as JSON and a page to send.

    Without --model, fits and tests as `braincast fit` does, and keeps no model. Everything is
    causal.
    """
    from decoder.evaluating import LaterSettings, evaluate_model, evaluate_recordings
    from decoder.fitting import FitSettings
    from decoder.tables import as_table
    from models.checkpoint import load_model
    from streaming.timing import choose_timing

    files = listed(recordings, subject=subject, session=session, task=task)
    measured = choose_timing(timing, onsets)
    work: Callable[[Tell], Assessment]
    if model is not None:
        refuse_with_model(
            {
                "--events": events,
                "--stimuli": stimuli,
                "--track": track,
                "--candidates": candidates,
                "--space": space,
                "--drop": drop,
                "--tmin": tmin,
                "--tmax": tmax,
                "--band": band,
                "--chain": chain_file,
                "--people": people,
            }
        )
        later = LaterSettings(
            protocol=protocol,  # type: ignore[arg-type]  # checked there
            timing=measured,
            unit=unit,
            streams=tuple(streams or ()),
            trigger=read_trigger(trigger_channel, trigger_mask),
        )
        work = partial(evaluate_model, load_model(model), files, output, later)
    else:
        settings = FitSettings(
            events=tuple(events or ()),
            stimuli=stimuli,
            candidates=candidates,
            space=space,
            picks=picks,
            drop=tuple(drop or ()),
            unit=unit,
            streams=tuple(streams or ()),
            trigger=read_trigger(trigger_channel, trigger_mask),
            encoder=encoder,
            protocol=protocol,  # type: ignore[arg-type]  # checked there
            tmin=tmin,
            tmax=tmax,
            band=read_band(band) if band else None,
            chain=chain_file,
            subjects=tuple(people or ()),
            track=track_settings(track, track_rate, track_onset, stretch),
            timing=measured,
        )
        work = partial(evaluate_recordings, files, output, settings)
    with progress_bar() as bar:
        step = bar.add_task("reading", total=1.0)
        assessment = work(lambda now, share: bar.update(step, description=now, completed=share))
    out.print(as_table(assessment.scores))
    tell_verdict(assessment, output)
    typer.echo(f"{output / 'report.html'}")


def tell_verdict(assessment: Assessment, output: Path) -> None:
    """Print the controls, the warnings, and the verdict."""
    from decoder.tables import controls_table

    out.print(controls_table(assessment.controls))
    for warning in assessment.warnings:
        err.print(f"[yellow]warning:[/] {escape(warning)}", soft_wrap=True)
    err.print(
        f"verdict: [bold]{assessment.verdict}[/]; why: {output / 'report.html'}",
        soft_wrap=True,
        highlight=False,
    )


def refuse_with_model(options: Mapping[str, object]) -> None:
    """Refuse options that a model answers itself.

    Parameters
    ----------
    options : dict of str to object
        Each with what was given.

    Raises
    ------
    ConfigError
        If any was.
    """
    given = [name for name, value in options.items() if value not in (None, "", [])]
    if given:
        msg = f"{', '.join(given)}: the model says it itself; leave it out with --model"
        raise ConfigError(msg)
