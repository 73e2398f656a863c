"""What events look like on the wire, for the documents.

`wire.encode` makes them without these models, which would take longer than the decode; a test
holds the two to each other. An event that goes out as it is has no model here: its dataclass is
one.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from decoder.events import Evidence, ImagePreview, Latency, State, TextDecoded

__all__ = [
    "FRAMES",
    "NOTIFICATIONS",
    "Envelope",
    "GapMessage",
    "MarkerMessage",
    "OverrunMessage",
    "PictureMessage",
    "QualityMessage",
    "RevisionMessage",
    "SignalHeader",
]


class _Message(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True)


class Envelope(_Message):
    """What every event has beside its own."""

    seq: int = 0
    """Its place among all logged events of the session, from 1, without holes."""

    t_emit: float
    """When it was sent."""

    missed: int = 0
    """How many messages this client has missed so far, as it read too slowly; if it grew."""


class MarkerMessage(_Message):
    """A marker arrived."""

    t: float
    """When, by its own timestamp."""

    label: str | int
    """What it says."""

    role: str
    """What it means by the table of stimuli; `unknown` if that does not list it."""

    candidate_id: str
    """Which candidate it shows; empty if none."""

    text: str
    """What to show of it."""

    glyph: str
    """An emoji that a page may draw; empty if there is none."""


class PictureMessage(_Message):
    """The picture itself, and what goes with it where it does not follow the header."""

    format: str = ""
    """`png`, `jpeg` or `webp`; empty where no picture is kept. Absent in the log."""

    base64: str = ""
    """The picture; with the encoding `base64` alone."""


class QualityMessage(_Message):
    """How the channels were in the second before."""

    segment: int
    """Of which stretch of samples."""

    sample: int
    """From which raw sample on this holds."""

    t: float
    """When that was taken."""

    ch_names: list[str]
    """The model's channels."""

    verdicts: list[str]
    """Of each: good, noisy, line, flat, saturated, disconnected or marked."""

    spread: list[float]
    """Standard deviation of each, in SI units."""

    line: list[float]
    """Share of each one's power at the mains."""

    interpolated: list[str]
    """Channels that others stand in for."""

    refused: bool
    """More are bad than can be interpolated: windows are withheld."""

    impedance_kohm: list[float | None] = []
    """What the amplifier said last of each channel; absent where it says nothing."""


class GapMessage(_Message):
    """Samples were lost."""

    what: Literal["gap"]
    state: Literal["gap", "filled"]
    """`gap` ended a segment; `filled` are up to 20 ms that were filled in."""

    t: float
    """Since when."""

    duration: float
    """For how long, in seconds."""

    reason: str
    """`lost`, `overrun`, `filled`, `clock`, `reconnect`, `ingest` or `restart`."""

    detail: str
    """One line for a person."""


class RevisionMessage(_Message):
    """More samples were lost than was said, or fewer."""

    what: Literal["gap"]
    state: Literal["revised"]
    segment: int
    """Of which stretch of samples."""

    first: int
    """Before one of these samples they were lost: from this one,"""

    stop: int
    """up to, but not including, this one."""

    t: float
    """When `first` was taken."""

    n_times: int
    """How many more samples were lost; below 0: fewer."""

    decode_ids: list[str]
    """The decodes since then."""

    detail: str
    """One line for a person."""


class OverrunMessage(_Message):
    """Samples were recorded, but not decoded, as decoding was too slow."""

    what: Literal["overrun"]
    state: Literal["overrun"]
    t: float
    """When."""

    detail: str
    """One line for a person."""


class SignalHeader(_Message):
    """The JSON header of a binary frame of signal."""

    stream: Literal["signal"]
    t0: float
    """When the first sample was taken."""

    sfreq: float
    """Samples a second."""

    n_channels: int
    """How many channels; their names and units are in `/v1/session`."""

    n_times: int
    """How many samples of each channel follow."""

    missed: int = 0
    """How many messages this client has missed so far, as it read too slowly; if it grew."""


class LatentHeader(_Message):
    """The JSON header of a binary frame of a latent."""

    stream: Literal["latent"]
    decode_id: str
    """Of the decode that was made of it."""

    revision: int = 0
    """Which of the answers under that id."""

    space: str
    """Name of the embedding space."""

    model_id: str
    """Which model made it."""

    t_end: float
    """When the newest sample it was made from was taken."""

    n_dims: int
    """How many coordinates follow."""

    t_emit: float
    """When it was sent."""

    missed: int = 0
    """How many messages this client has missed so far, as it read too slowly; if it grew."""


NOTIFICATIONS: dict[str, tuple[type, ...]] = {
    "text": (TextDecoded,),
    "image": (ImagePreview,),
    "markers": (MarkerMessage,),
    "evidence": (Evidence,),
    "quality": (QualityMessage,),
    "state": (State, GapMessage, RevisionMessage, OverrunMessage),
    "latency": (Latency,),
}
"""Stream -> what its events may look like; those in `FRAMES` go as binary frames."""

FRAMES: dict[str, tuple[str, type]] = {
    "signal": ("A stretch of the signal, channel after channel", SignalHeader),
    "latent": ("Where a window lies in the embedding space", LatentHeader),
}
"""Stream -> what its binary frames hold, and their header."""
