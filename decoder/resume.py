"""Where a session goes on from after its decoder died."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from decoder.control import MarkBad
from decoder.folder import SessionFolder
from decoder.journal import RECORDING
from decoder.reading import signal_of
from decoder.runtime import Place
from decoder.session import FRESH_START, Start
from streaming.link import Hello
from streaming.link_feed import Position

__all__ = ["BEGINNING", "Resumption", "resume"]


@dataclass(frozen=True, slots=True)
class Resumption:
    """What a folder says of the decoder that wrote it.

    Parameters
    ----------
    start : Start
        How the next session object begins.
    last_seq : int
        The last event that was logged.
    purged : int
        The participant's last stop, before which nothing is given out again; 0 if none.
    place : Place or None
        Where the next sample would have been; None if none was fed.
    position : Position or None
        Where the feed goes on from; None if the session begins.
    controls : tuple of MarkBad
        What the operator said and still holds.
    """

    start: Start = FRESH_START
    last_seq: int = 0
    purged: int = 0
    place: Place | None = None
    position: Position | None = None
    controls: tuple[MarkBad, ...] = ()


BEGINNING = Resumption()


def resume(folder: SessionFolder) -> Resumption:
    """Read where a session stands, and cut torn last lines off its journal and its log.

    What the log lacks of the last input is lost: its decodes were not published.
    """
    if not folder.events.exists():
        return BEGINNING
    start, last_seq, purged = _logged(folder)
    manifest = folder.manifest()
    spec, sfreq = signal_of(manifest), manifest["signal"]["sfreq"]
    place: Place | None = None
    recording, first_segment, newest = RECORDING, 0, -1
    marked: dict[str, bool] = {}
    for kind, _, *rest in _lines(folder.inputs):
        if kind == "recording":
            (recording,) = rest
            first_segment = newest + 1
        elif kind == "chunk":
            segment, first, n_times, t_anchor, row = rest
            newest = max(newest, segment)
            t_next = t_anchor + (first + n_times) / sfreq
            place = Place(recording, row + n_times, t_next)
        elif kind == "marker":
            newest = max(newest, rest[2])
        elif kind == "control":
            _, ch_names, bad = rest
            marked |= dict.fromkeys(ch_names, bad)
    bads = tuple(name for name, bad in marked.items() if bad)
    controls = (MarkBad(bads, bad=True),) if bads else ()
    hello = Hello(manifest["source"], spec, tuple(manifest["to_si"]), recording)
    position = Position(hello, first_segment, newest)
    return Resumption(start, last_seq, purged, place, position, controls)


def _logged(folder: SessionFolder) -> tuple[Start, int, int]:
    """Return what the log says: how a session goes on, its last event, the last stop."""
    last_seq, purged, first_trigger = 0, 0, 0
    ranks: dict[str, list[int]] = {"closed_set": [], "zero_shot": []}
    for message in _lines(folder.events):
        params = message["params"]
        last_seq = params["seq"]
        if (params.get("what"), params.get("state")) == ("session", "stopped"):
            purged = last_seq
        if message["method"] == "text":
            first_trigger = max(first_trigger, 1 + int(params["decode_id"].rpartition("/")[2]))
            truth = params["truth"]
            if truth and not params["stale"]:
                ranks["closed_set" if truth["trained"] else "zero_shot"].append(truth["rank"])
    return Start(first_trigger, ranks), last_seq, purged


def _lines(path: Path) -> Iterator[Any]:
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if len(whole) < len(content):
        with path.open("r+b") as file:
            file.truncate(len(whole))
    for line in whole.splitlines():
        yield json.loads(line)
