"""Commands from recordings to a decoder, and to what it is worth."""

from __future__ import annotations

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
from decoder.recordings import listed

if TYPE_CHECKING:
    from decoder.tracks import TrackSettings

__all__ = ["chain", "evaluate", "fit"]

Recordings = Annotated[
    list[Path], typer.Argument(help="Recordings: XDF, what MNE reads, or a BIDS dataset.")
]
Events = Annotated[
    list[str] | None,
    typer.Option(help="Annotations to tell apart, such as `--events face house`."),
]
Stimuli = Annotated[
    Path | None, typer.Option(help="Table of what the markers mean, instead of --events.")
]
TrackNames = Annotated[
    list[str] | None,
    typer.Option(
        "--track",
        help="A continuous track instead: a channel with a sound's envelope, a .wav or a .npy "
        "file; one, or one for each recording.",
    ),
]
TrackRate = Annotated[float | None, typer.Option(help="Rate of a .npy track [Hz].")]
TrackOnset = Annotated[str, typer.Option(help="Marker at which a track's file begins to play.")]
Stretch = Annotated[
    float | None,
    typer.Option(help="How much of a track to recognise at once [s]; 5 if long enough."),
]
CandidatesFile = Annotated[
    Path | None,
    typer.Option(
        "--candidates", help="What to choose from, if more than was shown: words or a TSV."
    ),
]
SpaceName = Annotated[
    str,
    typer.Option(
        "--space",
        help="Embedding space: `labels`, `minilm`, `efficientnet`, `sentence:`, `clip:`, "
        "`dinov2:`, `wav2vec2:` with a folder or hub id. By default `labels` for --events and "
        "`minilm` for --stimuli.",
    ),
]
Picks = Annotated[str, typer.Option(help="`eeg` or `meg`.")]
Drop = Annotated[
    list[str] | None,
    typer.Option(help="Channels to leave out, such as `--drop 'Right AUX'`."),
]
SampleUnit = Annotated[
    str | None, typer.Option("--unit", help="Unit of the samples of XDF that does not say it.")
]
StreamNames = Annotated[
    list[str] | None,
    typer.Option(
        "--stream", help="Name or source_id of each signal of XDF; several are joined."
    ),
]
EncoderName = Annotated[
    str,
    typer.Option(
        "--encoder",
        help="`ridge`, `riemann` (few channels and classes; flicker), `auto` (which of the two "
        "predicts the training runs from each other best), or a network, which takes minutes "
        "and many trials: `mlp`, `tsconv`, `simpleconv`.",
    ),
]
ProtocolName = Annotated[
    str | None,
    typer.Option(
        "--protocol",
        help="`closed_set`: what is decoded was seen in training, in other runs. `zero_shot`: "
        "its concept never was. By default closed_set where things recur.",
    ),
]
Tmin = Annotated[
    float | None,
    typer.Option(
        help="Start of the window after a marker [s]; by default 0, or 0.5 for flicker rates "
        "such as `13 Hz`."
    ),
]
Tmax = Annotated[
    float | None,
    typer.Option(help="Its end [s]; by default 0.8, or 3.5 for flicker rates."),
]
Band = Annotated[
    str | None,
    typer.Option(
        help="Frequencies to keep [Hz]; by default 0.5-30, or 5-45 for flicker rates."
    ),
]
People = Annotated[
    list[str] | None,
    typer.Option(
        help="Who each recording is of, in their order; by default what BIDS paths say. "
        "`simpleconv` learns a matrix for each; the model decodes the last one."
    ),
]
ChainFile = Annotated[
    Path | None,
    typer.Option(
        "--chain",
        help="Chain of transforms, instead of the standard one: a YAML file such as "
        "`braincast chain` prints.",
    ),
]


def chain(
    recordings: Annotated[
        list[Path], typer.Argument(help="Recordings of one person, as for `fit`.")
    ],
    picks: Annotated[str, typer.Option(help="`eeg` or `meg`.")] = "eeg",
    drop: Annotated[list[str] | None, typer.Option(help="Channels to leave out.")] = None,
    unit: Annotated[
        str | None, typer.Option(help="Unit of the samples of XDF that does not say it.")
    ] = None,
    band: Annotated[str, typer.Option(help="Frequencies to keep [Hz].")] = "0.5-30",
    line_freq: Annotated[float, typer.Option(help="Mains [Hz]: 50, or 60.")] = 50.0,
) -> None:
    """Print the standard chain for recordings, to edit and give to `fit --chain`."""
    from models.channels import choose_channels
    from models.fit import evoked_chain
    from streaming.chain_file import chain_to_yaml

    channels = choose_channels(recordings, picks, drop or (), unit)
    standard = evoked_chain(
        channels.spec, channels.info, band=read_band(band), line_freq=line_freq
    )
    typer.echo(chain_to_yaml(standard), nl=False)


def fit(
    recordings: Recordings,
    output: Annotated[Path, typer.Option("--output", "-o", help="The new model folder.")],
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
    hop: Annotated[
        float | None,
        typer.Option(
            min=0.001, help="Decode every so often [s], without markers: for lasting states."
        ),
    ] = None,
) -> None:
    """Fit a decoder to recordings, and score it on runs that it never saw.

    The recordings go through the very same causal chain as the live signal.
    """
    from decoder.fitting import FitSettings, fit_recordings
    from streaming.timing import choose_timing

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
        hop=hop,
        subjects=tuple(people or ()),
        track=track_settings(track, track_rate, track_onset, stretch),
        timing=choose_timing(timing, onsets),
    )
    files = listed(recordings, subject=subject, session=session, task=task)
    with progress_bar() as bar:
        step = bar.add_task("reading and fitting", total=1.0)
        fitted, evaluation = fit_recordings(
            files, output, settings, lambda share: bar.update(step, completed=share)
        )
    from decoder.tables import as_table

    out.print(as_table(evaluation))
    tried = fitted.training["encoders_tried"].items()
    among = ", ".join(f"{name} {score:.3f}" for name, score in tried)
    reason = f", by AUC on runs left out in training ({among})" if among else ""
    err.print(f"Encoder: {fitted.encoder.kind}{reason}.", highlight=False)
    error = fitted.scores["calibration_error"]
    settling, delay = fitted.training["settling"], fitted.training["delay"]
    err.print(
        f"The chain delays a wave of 10 Hz by {1000 * delay:.0f} ms (group delay), and needs "
        f"{settling:.1f} s of signal after each gap before it can be trusted."
    )
    err.print(
        f"Expected calibration error of the best candidate's probability: {error:.3f}. "
        f"The model:"
    )
    typer.echo(f"{output}")


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
) -> None:
    """Say how well recordings can be decoded, with controls, as JSON and a page to send.

    Fits and tests as `braincast fit` does, and keeps no model. Everything is causal.
    """
    from decoder.evaluating import evaluate_recordings
    from decoder.fitting import FitSettings
    from decoder.tables import as_table, controls_table
    from streaming.timing import choose_timing

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
        timing=choose_timing(timing, onsets),
    )
    files = listed(recordings, subject=subject, session=session, task=task)
    with progress_bar() as bar:
        step = bar.add_task("reading", total=1.0)
        assessment = evaluate_recordings(
            files,
            output,
            settings,
            lambda now, share: bar.update(step, description=now, completed=share),
        )
    out.print(as_table(assessment.scores))
    out.print(controls_table(assessment.controls))
    for warning in assessment.warnings:
        err.print(f"[yellow]warning:[/] {escape(warning)}", soft_wrap=True)
    err.print(f"verdict: [bold]{assessment.verdict}[/]. The report:")
    typer.echo(f"{output / 'report.html'}")


def track_settings(
    names: list[str] | None, rate: float | None, onset: str, stretch: float | None
) -> TrackSettings | None:
    """Return which track was named, if one was."""
    from decoder.tracks import TrackSettings

    if not names and rate is None and not onset and stretch is None:
        return None
    return TrackSettings(names=tuple(names or ()), rate=rate, onset=onset, stretch=stretch)
