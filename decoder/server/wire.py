"""Events as they go over the wire: JSON-RPC 2.0 notifications, protocol version 1.

An event goes out as a notification whose method is the name of its stream. The very same line
is what `events.jsonl` holds, so that a log can be served again without change. Signal goes as a
binary frame: a 4-byte big-endian header length, a JSON header, then little-endian float32 of
shape (n_channels, n_times); latents likewise, with (n_dims,). Pictures have a way of their own:
`decoder.server.images`.
"""

from __future__ import annotations

import json
import struct
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from decoder.events import (
    Event,
    Evidence,
    GapFound,
    GapRevised,
    ImagePreview,
    Latency,
    LatentMade,
    MarkerSeen,
    Overrun,
    Quality,
    Signal,
    State,
    TextDecoded,
)
from streaming.signal import Gap

__all__ = [
    "LOGGED",
    "PROTOCOL",
    "STREAMS",
    "encode",
    "encode_latent",
    "encode_signal",
    "stream_of",
]

PROTOCOL = "1"

LOGGED = ("text", "image", "markers", "evidence", "quality", "state")
"""Streams whose events have a `seq` and can be resumed."""

STREAMS = (*LOGGED, "signal", "latent", "latency")


def stream_of(event: Event) -> str:  # noqa: PLR0911 - one for each kind
    """Return the stream that carries an event."""
    match event:
        case TextDecoded():
            return "text"
        case ImagePreview():
            return "image"
        case MarkerSeen():
            return "markers"
        case Evidence():
            return "evidence"
        case Quality():
            return "quality"
        case GapFound() | GapRevised() | Overrun() | State():
            return "state"
        case Latency():
            return "latency"
        case Signal():
            return "signal"
        case LatentMade():
            return "latent"


def encode(event: Event, seq: int | None, t_emit: float) -> str:
    """Make the message of an event.

    Parameters
    ----------
    event : Event
        Any but a `Signal` or `LatentMade`.
    seq : int or None
        Its place in the log; None for what is never logged.
    t_emit : float
        When it is sent, in seconds on the LSL clock.
    """
    params: dict[str, Any] = {} if seq is None else {"seq": seq}
    params |= _fields(event) | {"t_emit": t_emit}
    return _dumps({"jsonrpc": "2.0", "method": stream_of(event), "params": params})


def _fields(event: Event) -> dict[str, Any]:
    match event:
        case MarkerSeen(marker=marker):
            return {
                "t": marker.t,
                "label": marker.label,
                "role": event.role,
                "candidate_id": event.candidate_id,
                "text": event.text,
                "glyph": event.glyph,
            }
        case Quality(channels=channels):
            own = _plain(event)
            del own["channels"]
            ohms = own.pop("impedance")
            kohm = {"impedance_kohm": [z if z is None else z / 1000 for z in ohms]}
            return own | _plain(channels) | (kohm if ohms else {})
        case GapFound(gap=gap):
            return _gap_fields(gap)
        case GapRevised(revision=revision):
            own = _plain(revision) | {"decode_ids": event.decode_ids}
            return {"what": "gap", "state": "revised", "detail": _detail(event), **own}
        case Overrun():
            detail = (
                f"{event.n_times} samples were recorded, but did not reach the decoder in time"
            )
            return {"what": "overrun", "state": "overrun", "t": event.t, "detail": detail}
        case TextDecoded() | ImagePreview() | State() | Latency() | Evidence():
            return _plain(event)
        case Signal() | LatentMade():
            msg = "it goes as a binary frame: encode_signal, encode_latent"
            raise TypeError(msg)


_REASONS = {
    "lost": "lost on the way from the amplifier",
    "overrun": "not decoded because decoding was too slow",
    "filled": "lost on the way from the amplifier, and filled in",
    "clock": "missing where the sender's clock was set",
    "reconnect": "missed while the source was away",
    "ingest": "neither recorded nor decoded while taking in was restarted",
    "stopped": "neither recorded nor decoded after the participant's stop",
    "restart": "recorded, but not decoded while decoding was restarted",
}


def _gap_fields(gap: Gap) -> dict[str, Any]:
    return {
        "what": "gap",
        "state": "filled" if gap.reason == "filled" else "gap",
        "t": gap.t,
        "duration": gap.duration,
        "reason": gap.reason,
        "detail": f"{gap.duration * 1000:.0f} ms of signal {_REASONS[gap.reason]}",
    }


def _detail(event: GapRevised) -> str:
    n_times, n_decodes = event.revision.n_times, len(event.decode_ids)
    more = "more" if n_times > 0 else "fewer"
    found = f"{abs(n_times)} samples {more} were lost than was said"
    if not n_times:
        found = "one of several signals lost samples, and that was not noticed"
    return f"{found}; it concerns {n_decodes} decodes"


def encode_signal(signal: Signal) -> bytes:
    """Make the binary frame of a stretch of signal."""
    n_channels, n_times = signal.data.shape
    header = {
        "stream": "signal",
        "t0": signal.t0,
        "sfreq": signal.sfreq,
        "n_channels": n_channels,
        "n_times": n_times,
    }
    return _frame(header, signal.data)


def encode_latent(latent: LatentMade, t_emit: float) -> bytes:
    """Make the binary frame of a latent that is sent at `t_emit`, on the LSL clock [s]."""
    header = {
        "stream": "latent",
        "decode_id": latent.decode_id,
        "revision": latent.revision,
        "space": latent.space,
        "model_id": latent.model_id,
        "t_end": latent.t_end,
        "n_dims": len(latent.vector),
        "t_emit": t_emit,
    }
    return _frame(header, latent.vector)


def _frame(header: dict[str, Any], values: NDArray[np.float32]) -> bytes:
    head = _dumps(header).encode()
    data = np.ascontiguousarray(values, dtype="<f4").tobytes()
    return struct.pack(">I", len(head)) + head + data


def _dumps(message: object) -> str:
    # `default` gets the dataclasses within an event; dataclasses.asdict would copy them in
    # depth, which took 0.09 of the 0.15 ms of a decode.
    return json.dumps(
        message, ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=_plain
    )


def _plain(part: Any) -> dict[str, Any]:
    return {field.name: getattr(part, field.name) for field in fields(part)}
