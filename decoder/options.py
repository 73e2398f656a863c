"""Options that several commands take."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from decoder.config import SourceConfig
from streaming.errors import ConfigError
from streaming.triggers import TriggerChannel

__all__ = [
    "Aux",
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
    "Streams",
    "Subject",
    "Task",
    "Timeout",
    "TimingFile",
    "Tokens",
    "TriggerChannelName",
    "TriggerMask",
    "Unit",
    "Visit",
    "parse_mask",
    "read_band",
    "read_trigger",
    "takes",
    "takes_source",
]

Source = Annotated[
    str | None,
    typer.Option(
        "--source", help="A FieldTrip buffer instead of LSL: `fieldtrip://127.0.0.1:1972`."
    ),
]
Streams = Annotated[
    list[str] | None,
    typer.Option(
        "--stream",
        help="Name or source_id of the signal's LSL stream; several are joined into one "
        "signal, at the instants of the first.",
    ),
]
Name = Annotated[str | None, typer.Option(help="Name of the signal's LSL stream.")]
Kind = Annotated[str | None, typer.Option("--type", help="Its type, such as EEG.")]
SourceId = Annotated[str | None, typer.Option(help="Its source_id.")]
Predicate = Annotated[
    str | None,
    typer.Option(
        help="LSL's own query beside these: `starts-with(name,'Bio') and hostname='lab-2'`."
    ),
]
Markers = Annotated[
    list[str] | None,
    typer.Option(
        help="Names of marker streams; by default all of type Markers of the machine of the "
        "signal and of this one."
    ),
]
Aux = Annotated[
    list[str] | None,
    typer.Option(help="Names of streams to record and not to decode, with any rate or none."),
]
TriggerChannelName = Annotated[
    str | None,
    typer.Option(
        "--trigger-channel", help="Channel of triggers, to be taken as markers: STI014."
    ),
]
TriggerMask = Annotated[
    str | None, typer.Option(help="The bits of the trigger channel that count: `0xFF`.")
]
Unit = Annotated[
    str | None, typer.Option(help="Unit of the samples, where the stream does not say: uV.")
]
Timeout = Annotated[float, typer.Option(min=0, help="How long to look for streams [s].")]
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
    typer.Option(min=0, help="From the electrode to the LSL timestamp, if it is known [s]."),
]
Port = Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0: a free one.")]
Tokens = Annotated[
    Path, typer.Option(help="File of tokens; see `braincast token`.", envvar="BRAINCAST_TOKENS")
]
Record = Annotated[Path, typer.Option(help="Folder that gets the session.")]

_SOURCE: dict[str, tuple[Any, Any]] = {
    "address": (Source, None),
    "streams": (Streams, None),
    "name": (Name, None),
    "type": (Kind, None),
    "source_id": (SourceId, None),
    "predicate": (Predicate, None),
    "markers": (Markers, None),
    "aux": (Aux, None),
    "trigger_channel": (TriggerChannelName, None),
    "trigger_mask": (TriggerMask, None),
    "unit": (Unit, None),
    "timeout": (Timeout, 10.0),
}


def takes_source(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that say what to take in, for its parameter `source`."""
    return takes("source", _SOURCE, _source_config)(command)


def takes(
    parameter: str, options: Mapping[str, tuple[Any, Any]], make: Callable[..., object]
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give commands the same options in place of one parameter.

    Typer reads a command's options from its signature; these are written into it here, once for
    all commands that have them.

    Parameters
    ----------
    parameter : str
        The command's parameter that gets what they make.
    options : dict of str to tuple
        By name, the type as typer takes it, and the default; `...` if there is none.
    make : callable
        Gets their values by name, and returns what the command gets.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        before = inspect.signature(command, eval_str=True).parameters
        written = [
            inspect.Parameter(
                name,
                inspect.Parameter.POSITIONAL_OR_KEYWORD,
                annotation=kind,
                default=inspect.Parameter.empty if default is ... else default,
            )
            for name, (kind, default) in options.items()
        ]
        place = list(before).index(parameter)
        own = [p for name, p in before.items() if name != parameter]
        parameters = sorted(
            [*own[:place], *written, *own[place:]],
            key=lambda p: p.default is not inspect.Parameter.empty,
        )

        @functools.wraps(command)
        def with_options(**values: Any) -> None:
            made = make(**{name: values.pop(name) for name in options})
            command(**{parameter: made}, **values)

        with_options.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        with_options.__annotations__ = {p.name: p.annotation for p in parameters}
        del with_options.__wrapped__
        return with_options

    return decorate


def _source_config(**said: Any) -> SourceConfig:
    """Return what the options of a source name."""
    mask = parse_mask(said.pop("trigger_mask"))
    said |= {name: tuple(said[name] or ()) for name in ("streams", "markers", "aux")}
    return SourceConfig(trigger_mask=mask, **said)


def parse_mask(text: str | None) -> int | None:
    """Return the number that a mask is, such as 255 for ``0xFF``.

    Raises
    ------
    ConfigError
        If it is none.
    """
    if text is None:
        return None
    try:
        mask = int(text, 0)
    except ValueError:
        mask = 0
    if mask <= 0:
        msg = f"--trigger-mask must be a positive number, such as 0xFF or 255, got {text!r}"
        raise ConfigError(msg)
    return mask


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


def read_trigger(channel: str | None, mask: str | None) -> TriggerChannel | None:
    """Return the trigger channel that two options name, if they do.

    Raises
    ------
    ConfigError
        If there is a mask and no channel, or it is no number.
    """
    if channel is not None:
        return TriggerChannel(channel, parse_mask(mask))
    if mask is not None:
        msg = "--trigger-mask is of a trigger channel: name it with --trigger-channel"
        raise ConfigError(msg)
    return None
