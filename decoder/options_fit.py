"""Options of the commands that fit: what was recorded, what was shown, what is made of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

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
    takes,
)
from decoder.recordings import listed
from streaming.errors import ConfigError

if TYPE_CHECKING:
    from decoder.evaluating import LaterSettings
    from decoder.fitting import FitSettings
    from decoder.tracks import TrackSettings

__all__ = ["Said", "takes_recordings", "takes_what_is_shown"]

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
Latencies = Annotated[
    list[float] | None,
    typer.Option(
        help="Decode so long after each marker [s], sharpening: `--latencies 0.2 0.4 0.6 0.8`."
    ),
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
Parent = Annotated[
    Path | None,
    typer.Option(
        "--from",
        help="An older model to begin with: of another day, or of another person. It says the "
        "chain, the channels, the windows and the space.",
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What the options that `fit` and `evaluate` have in common say.

    Parameters
    ----------
    files : list of Path
        The recordings.
    values : dict of str to object
        The other options.
    """

    files: list[Path]
    values: Mapping[str, Any]

    def settings(self, hop: float | None = None) -> FitSettings:
        """Return what was shown, and what to make of it."""
        from decoder.fitting import FitSettings
        from models.checkpoint import load_model

        v = self.values
        return FitSettings(
            events=tuple(v["events"] or ()),
            stimuli=v["stimuli"],
            candidates=v["candidates"],
            space=v["space"],
            picks=v["picks"],
            drop=tuple(v["drop"] or ()),
            encoder=v["encoder"],
            protocol=v["protocol"],
            tmin=v["tmin"],
            tmax=v["tmax"],
            latencies=tuple(v["latencies"] or ()),
            band=read_band(v["band"]) if v["band"] else None,
            chain=v["chain_file"],
            hop=hop,
            subjects=tuple(v["people"] or ()),
            track=_track_settings(v),
            parent=load_model(v["parent"]) if v["parent"] else None,
            **self._reading(),
        )

    def later(self) -> LaterSettings:
        """Return how recordings are read for a model, which says the rest itself.

        Raises
        ------
        ConfigError
            If an option says what the model does.
        """
        from decoder.evaluating import LaterSettings

        given = [
            name
            for name, key in _OF_A_MODEL.items()
            if self.values[key] not in (_OPTIONS[key][1], [])
        ]
        if given:
            msg = f"{', '.join(given)}: the model says it itself; leave it out with --model"
            raise ConfigError(msg)
        return LaterSettings(
            protocol=self.values["protocol"],
            track=_track_settings(self.values),
            **self._reading(),
        )

    def _reading(self) -> dict[str, Any]:
        """Return how recordings are read."""
        from streaming.timing import choose_timing

        v = self.values
        return {
            "timing": choose_timing(v["timing"], v["onsets"]),
            "unit": v["unit"],
            "streams": tuple(v["streams"] or ()),
            "trigger": read_trigger(v["trigger_channel"], v["trigger_mask"]),
        }


def takes_recordings(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command recordings and the options of a fit, for its parameter `said`."""
    return takes("said", _OPTIONS, _said)(command)


def takes_what_is_shown(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command of a live stream the options of a fit, for its parameter `said`."""
    return takes("said", _OF_A_STREAM, _said_live)(command)


_OPTIONS: dict[str, tuple[Any, Any]] = {
    "recordings": (Recordings, ...),
    "events": (Events, None),
    "stimuli": (Stimuli, None),
    "track": (TrackNames, None),
    "track_rate": (TrackRate, None),
    "track_onset": (TrackOnset, ""),
    "stretch": (Stretch, None),
    "candidates": (CandidatesFile, None),
    "space": (SpaceName, ""),
    "picks": (Picks, "eeg"),
    "drop": (Drop, None),
    "unit": (SampleUnit, None),
    "streams": (StreamNames, None),
    "trigger_channel": (TriggerChannelName, None),
    "trigger_mask": (TriggerMask, None),
    "encoder": (EncoderName, "auto"),
    "protocol": (ProtocolName, None),
    "subject": (Subject, None),
    "session": (Visit, None),
    "task": (Task, None),
    "tmin": (Tmin, None),
    "tmax": (Tmax, None),
    "latencies": (Latencies, None),
    "band": (Band, None),
    "chain_file": (ChainFile, None),
    "timing": (TimingFile, None),
    "onsets": (Onsets, "markers"),
    "people": (People, None),
    "parent": (Parent, None),
}

_OF_A_RECORDING = (
    "recordings",
    "track",
    "track_rate",
    "track_onset",
    "stretch",
    "unit",
    "streams",
    "trigger_channel",
    "trigger_mask",
    "subject",
    "session",
    "task",
    "people",
)
"""Options that a live stream does not need, or says with the source's."""

_OF_A_STREAM = {name: o for name, o in _OPTIONS.items() if name not in _OF_A_RECORDING}

_OF_A_MODEL = {
    "--events": "events",
    "--stimuli": "stimuli",
    "--stretch": "stretch",
    "--candidates": "candidates",
    "--space": "space",
    "--picks": "picks",
    "--drop": "drop",
    "--encoder": "encoder",
    "--tmin": "tmin",
    "--tmax": "tmax",
    "--latencies": "latencies",
    "--band": "band",
    "--chain": "chain_file",
    "--people": "people",
    "--from": "parent",
}


def _said(recordings: list[Path], **values: Any) -> Said:
    """Return what was said, with BIDS datasets as their files."""
    labels = {name: values.pop(name) for name in ("subject", "session", "task")}
    return Said(files=listed(recordings, **labels), values=values)


def _said_live(**values: Any) -> Said:
    """Return what was said of a stream, as if all else had been left out."""
    defaults = {name: _OPTIONS[name][1] for name in _OF_A_RECORDING}
    return Said(files=[], values={**defaults, **values})


def _track_settings(values: Mapping[str, Any]) -> TrackSettings | None:
    """Return which track was named, if one was."""
    from decoder.tracks import TrackSettings

    names, rate, onset = values["track"], values["track_rate"], values["track_onset"]
    stretch = values["stretch"]
    if not names and rate is None and not onset and stretch is None:
        return None
    return TrackSettings(names=tuple(names or ()), rate=rate, onset=onset, stretch=stretch)
