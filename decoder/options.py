"""Options that several commands take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from streaming.errors import ConfigError

__all__ = [
    "DeviceDelay",
    "Kind",
    "Markers",
    "Name",
    "Onsets",
    "Port",
    "Record",
    "Run",
    "Source",
    "SourceId",
    "Subject",
    "Task",
    "Timeout",
    "TimingFile",
    "Unit",
    "Visit",
    "read_band",
]

Source = Annotated[
    str | None,
    typer.Option(help="A FieldTrip buffer instead of LSL: `fieldtrip://127.0.0.1:1972`."),
]
Name = Annotated[str | None, typer.Option(help="Name of the signal's LSL stream.")]
Kind = Annotated[str | None, typer.Option("--type", help="Its type, such as EEG.")]
SourceId = Annotated[str | None, typer.Option(help="Its source_id.")]
Markers = Annotated[
    list[str] | None,
    typer.Option(help="Names of marker streams; by default all of type Markers."),
]
Unit = Annotated[
    str | None, typer.Option(help="Unit of the samples, where the stream does not say: uV.")
]
Timeout = Annotated[float, typer.Option(help="How long to look for streams [s].")]
Subject = Annotated[str | None, typer.Option(help="Who: a BIDS label, such as 01.")]
Visit = Annotated[str | None, typer.Option(help="Which visit: a BIDS label, such as 01.")]
Task = Annotated[str | None, typer.Option(help="What is done: a BIDS label; `decoding`.")]
Run = Annotated[str | None, typer.Option(help="Which recording of the visit: digits.")]
Onsets = Annotated[
    str,
    typer.Option(help="`markers`, or `trigger`: onsets from the channel that was measured."),
]
TimingFile = Annotated[
    Path | None,
    typer.Option("--timing", help="What `braincast timing` measured; moves markers."),
]
DeviceDelay = Annotated[
    float | None,
    typer.Option(help="From the electrode to the LSL timestamp, if it is known [s]."),
]
Port = Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")]
Record = Annotated[Path, typer.Option(help="Folder that gets the session.")]


def read_band(text: str) -> tuple[float, float]:
    """Return the two frequencies of a band, in Hz.

    Examples
    --------
    >>> read_band("5-45")
    (5.0, 45.0)
    """
    low, _, high = text.partition("-")
    try:
        return float(low), float(high)
    except ValueError:
        msg = f"--band {text} is no band; write its two frequencies in Hz, such as 5-45"
        raise ConfigError(msg) from None
