"""Options of the commands that fit: what was recorded, what was shown, what is made of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from decoder.tracks import TrackSettings

__all__ = [
    "Band",
    "CandidatesFile",
    "ChainFile",
    "Drop",
    "EncoderName",
    "Events",
    "People",
    "Picks",
    "ProtocolName",
    "Recordings",
    "SampleUnit",
    "SpaceName",
    "Stimuli",
    "StreamNames",
    "Stretch",
    "Tmax",
    "Tmin",
    "TrackNames",
    "TrackOnset",
    "TrackRate",
    "track_settings",
]

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


def track_settings(
    names: list[str] | None, rate: float | None, onset: str, stretch: float | None
) -> TrackSettings | None:
    """Return which track was named, if one was."""
    from decoder.tracks import TrackSettings

    if not names and rate is None and not onset and stretch is None:
        return None
    return TrackSettings(names=tuple(names or ()), rate=rate, onset=onset, stretch=stretch)
