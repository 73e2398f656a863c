"""What goes between the process that takes in samples and the one that decodes.

The side of the amplifier listens. A decoder connects, sends a line with the token, and gets a
line of JSON (`Hello`), then frames: what the source delivers, as it comes, from now on. In the
other direction go pings, from which the decoder learns what the clock over there reads: within
one machine both are the same, between two they are not. There, too, go the participant's stop,
the word to go on, and markers that somebody puts in.
"""

from __future__ import annotations

import json
import struct
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from streaming.errors import SourceError
from streaming.ingest import Fed
from streaming.signal import Chunk, Gap, Impedance, Marker, Revision, SignalSpec, SourceState

__all__ = [
    "CHUNK",
    "CLOCK",
    "END",
    "FRAME",
    "MARK",
    "OTHER",
    "PING",
    "PINGED",
    "PONG",
    "RESUME",
    "STOP",
    "Hello",
    "decode_chunk",
    "decode_other",
    "encode",
    "frame",
    "parse_address",
]

FRAME = struct.Struct("<IB")
"""Head of a frame: length of what follows, and its kind."""

CHUNK, OTHER, CLOCK, END = range(4)
"""Kinds: samples; all else that a source says; the answer to a ping; nothing more will come."""

PINGED, STOP, RESUME, MARK = range(4, 8)
"""Kinds from the decoder: a ping; stop recording, and why; begin again; a marker to record."""

PING = struct.Struct("<d")
"""When it was sent, by the clock of the decoder's side."""

PONG = struct.Struct("<dd")
"""The ping, and when it was answered, by the clock of the amplifier's side."""

_CHUNK = struct.Struct("<qqddqqqI?")

_OTHERS = {kind.__name__: kind for kind in (Marker, Revision, Gap, Impedance, SourceState)}


@dataclass(frozen=True, slots=True)
class Hello:
    """What a decoder is told first.

    Parameters
    ----------
    name : str
        What to call the source in front of a person.
    spec : SignalSpec
        What it delivers.
    to_si : tuple of float
        What its recorded samples are multiplied with.
    recording : str
        Where they are recorded, within the session's folder; another one each time that the
        taking in begins.
    """

    name: str
    spec: SignalSpec
    to_si: tuple[float, ...]
    recording: str = "raw.xdf"

    def to_json(self) -> str:
        """Return it as a line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, line: str | bytes) -> Hello:
        """Undo `to_json`."""
        values = json.loads(line)
        return cls(
            values["name"],
            SignalSpec.from_json(values["spec"]),
            tuple(values["to_si"]),
            values["recording"],
        )


def parse_address(address: str) -> tuple[str, int]:
    """Return host and port of ``tcp://HOST:PORT``.

    Examples
    --------
    >>> parse_address("tcp://192.0.2.7:7000")
    ('192.0.2.7', 7000)
    """
    scheme, _, rest = address.rpartition("://")
    host, _, port = rest.rpartition(":")
    if scheme not in {"", "tcp"} or not host or not port.isdecimal() or int(port) > 65535:
        msg = f"{address!r} is no address of an ingest; write tcp://HOST:PORT"
        raise SourceError(msg)
    return host.strip("[]"), int(port)


def frame(kind: int, body: bytes = b"") -> bytes:
    """Put a head before a body."""
    return FRAME.pack(len(body), kind) + body


def encode(fed: Fed, n_dropped: int, n_waiting: int = 0) -> bytes:
    """Make the frame of an item.

    Parameters
    ----------
    fed : Fed
        What ingest received.
    n_dropped : int
        How many samples were dropped on the way to this decoder so far.
    n_waiting : int
        How many wait behind it.
    """
    item = fed.item
    if not isinstance(item, Chunk):
        values = [type(item).__name__, fed.row, fed.t_received, asdict(item)]
        return frame(OTHER, json.dumps(values).encode())
    bad = b"" if item.bad is None else item.bad.tobytes()
    times = (item.t_anchor, fed.t_received)
    counts = (fed.row, n_dropped, n_waiting, item.n_times, bool(bad))
    fields = _CHUNK.pack(item.segment, item.first, *times, *counts)
    return frame(CHUNK, fields + bad + np.ascontiguousarray(item.data).tobytes())


def decode_chunk(body: bytes, hello: Hello) -> tuple[Fed, int, int]:
    """Return the samples of a frame of kind `CHUNK`, `n_dropped` and `n_waiting`."""
    segment, first, t_anchor, t_received, row, *counts = _CHUNK.unpack_from(body)
    n_dropped, n_waiting, n_times, has_bad = counts
    at = _CHUNK.size
    bad = None
    if has_bad:
        bad = np.frombuffer(body, np.uint8, n_times, at)
        at += n_times
    data = np.frombuffer(body, np.float32, offset=at).reshape(len(hello.spec.ch_names), n_times)
    chunk = Chunk(data, hello.spec, segment, first, t_anchor, bad)
    return Fed(chunk, row, t_received, hello.recording), n_dropped, n_waiting


def decode_other(body: bytes, hello: Hello) -> Fed:
    """Return the item of a frame of kind `OTHER`."""
    name, row, t_received, values = json.loads(body)
    said: dict[str, Any] = {
        k: tuple(v) if isinstance(v, list) else v for k, v in values.items()
    }
    return Fed(_OTHERS[name](**said), row, t_received, hello.recording)
