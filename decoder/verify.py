"""Feed a session again from its own recording, and compare what it says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from decoder.events import Latency, Signal
from decoder.folder import SessionFolder, open_folder
from decoder.reading import read_inputs, read_log, signal_of
from decoder.server.wire import encode
from decoder.session import Session
from models.checkpoint import load_model

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
        The recording ends before the log, or the log within the last input, as after a crash;
        what they hold was compared.
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
    logged = (_comparable(message) for message in read_log(folder))
    n_equal = 0
    repeated = _repeated(folder)
    for messages in repeated:
        for message in messages:
            said = next(logged, None)
            if said is None and next(repeated, None) is None:
                return Verdict(n_equal, "", cut_short=True)
            if said is None:
                missing = f"event {n_equal + 1} is not in the log: {json.dumps(message)[:200]}"
                return Verdict(n_equal, missing, cut_short=False)
            if said != message:
                difference = _difference(n_equal + 1, said, message)
                return Verdict(n_equal, difference, cut_short=False)
            n_equal += 1
    return Verdict(n_equal, "", cut_short=next(logged, None) is not None)


def _repeated(folder: SessionFolder) -> Iterator[list[dict[str, Any]]]:
    """Yield what the session says to each input when it is fed again."""
    manifest = folder.manifest()
    session = Session(
        load_model(folder.model),
        signal_of(manifest),
        manifest["session"],
        manifest["freshness"],
    )
    for item, t in read_inputs(folder):
        yield [
            _comparable(json.loads(encode(event, None, 0.0)))
            for event in session.feed(item, t)
            if not isinstance(event, Signal | Latency)
        ]


def _comparable(message: dict[str, Any]) -> dict[str, Any]:
    for name in _NOT_DECIDED:
        message["params"].pop(name, None)
    return message


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
