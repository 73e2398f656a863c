"""Feed a session again from its own recording, and compare what it says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyxdf
from numpy.typing import NDArray

from decoder.events import Latency, Signal
from decoder.folder import SessionFolder, open_folder
from decoder.journal import read_journal
from decoder.server.wire import encode
from decoder.session import Session
from models.checkpoint import load_model
from streaming.errors import SessionError
from streaming.signal import SignalSpec
from streaming.sources.lsl import to_si

__all__ = ["Verdict", "verify_session"]

_NOT_DECIDED = ("seq", "t_emit", "latency_ms")
"""Fields that depend on when a message went out, and not on what was decoded."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of feeding a session again.

    Parameters
    ----------
    n_equal : int
        Events that came out again, bit for bit.
    difference : str
        The first that did not, and how; empty if all did.
    cut_short : bool
        The recording ends before the log, as after a crash; what it holds was compared.
    """

    n_equal: int
    difference: str
    cut_short: bool


def verify_session(path: Path) -> Verdict:
    """Feed a session again and compare every event.

    Parameters
    ----------
    path : Path
        A session's folder.

    Raises
    ------
    SessionError
        If the folder is none, or lacks a part.
    """
    folder = open_folder(path)
    logged = _logged(folder)
    n_equal = 0
    for message in _repeated(folder):
        said = next(logged, None)
        if said is None:
            missing = f"event {n_equal + 1} is not in the log: {json.dumps(message)[:200]}"
            return Verdict(n_equal, missing, cut_short=False)
        if said != message:
            return Verdict(n_equal, _difference(n_equal + 1, said, message), cut_short=False)
        n_equal += 1
    return Verdict(n_equal, "", cut_short=next(logged, None) is not None)


def _repeated(folder: SessionFolder) -> Iterator[dict[str, Any]]:
    """Yield what the session says when it is fed again."""
    manifest = folder.manifest()
    spec = SignalSpec(**{k: _frozen(v) for k, v in manifest["signal"].items()})
    session = Session(
        load_model(folder.model), spec, manifest["session"], manifest["freshness"]
    )
    data = _samples(folder, spec, manifest["to_si"])
    for item, t in read_journal(folder.inputs, spec, data):
        for event in session.feed(item, t):
            if not isinstance(event, Signal | Latency):
                yield _comparable(encode(event, None, 0.0))


def _logged(folder: SessionFolder) -> Iterator[dict[str, Any]]:
    """Yield what the session said."""
    try:
        lines = folder.events.read_bytes().split(b"\n")
    except FileNotFoundError:
        msg = f"{folder.path} has no {folder.events.name}: there is nothing to compare with"
        raise SessionError(msg) from None
    for line in lines[:-1]:  # what follows the last newline is torn
        yield _comparable(line)


def _comparable(line: str | bytes) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(line)
    for name in _NOT_DECIDED:
        message["params"].pop(name, None)
    return message


def _samples(
    folder: SessionFolder, spec: SignalSpec, factors: list[float]
) -> NDArray[np.float32]:
    """Return the recorded signal as it was decoded, of shape (n_channels, n_rows)."""
    try:
        streams, _ = pyxdf.load_xdf(
            folder.raw, synchronize_clocks=False, dejitter_timestamps=False, verbose=False
        )
    except FileNotFoundError:
        msg = f"{folder.path} has no {folder.raw.name}: it cannot be fed again"
        raise SessionError(msg) from None
    for stream in streams:
        if stream["info"]["stream_id"] == 1 and len(stream["time_stamps"]):
            return to_si(np.asarray(stream["time_series"]), factors)
    return np.empty((len(spec.ch_names), 0), np.float32)


def _difference(number: int, said: dict[str, Any], repeated: dict[str, Any]) -> str:
    if said["method"] != repeated["method"]:
        return f"event {number} was of stream {said['method']}, now of {repeated['method']}"
    before, now = said["params"], repeated["params"]
    fields = [k for k in before | now if before.get(k) != now.get(k)]
    first = fields[0]
    return (
        f"event {number} ({said['method']}) differs in {', '.join(fields)}: {first} was "
        f"{before.get(first)!r:.80}, now {now.get(first)!r:.80}"
    )


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
