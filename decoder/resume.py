"""Where a session goes on from after its decoder died."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from decoder.control import MarkBad
from decoder.folder import SessionFolder
from decoder.session import FRESH_START, Start

__all__ = ["Resumption", "resume"]


@dataclass(frozen=True, slots=True)
class Resumption:
    """What a folder says of the decoder that wrote it.

    Parameters
    ----------
    start : Start
        How the next session object begins.
    last_seq : int
        The last event that was logged.
    next_row : int
        Samples that were fed; 0 if there were none.
    controls : tuple of MarkBad
        What the operator said and still holds.
    """

    start: Start = FRESH_START
    last_seq: int = 0
    next_row: int = 0
    controls: tuple[MarkBad, ...] = ()


def resume(folder: SessionFolder) -> Resumption:
    """Read where a session stands, and cut torn last lines off its journal and its log.

    What the log lacks of the last input is lost: its decodes were not published.
    """
    if not folder.events.exists():
        return Resumption()
    last_seq, first_trigger = 0, 0
    ranks: dict[str, list[int]] = {"closed_set": [], "zero_shot": []}
    for message in _lines(folder.events):
        params = message["params"]
        last_seq = params["seq"]
        if message["method"] == "text":
            first_trigger = max(first_trigger, 1 + int(params["decode_id"].rpartition("/")[2]))
            truth = params["truth"]
            if truth and not params["stale"]:
                ranks["closed_set" if truth["trained"] else "zero_shot"].append(truth["rank"])
    next_row = 0
    marked: dict[str, bool] = {}
    for kind, _, *rest in _lines(folder.inputs):
        if kind == "chunk":
            next_row = rest[4] + rest[2]
        elif kind == "control":
            _, ch_names, bad = rest
            marked |= dict.fromkeys(ch_names, bad)
    bads = tuple(name for name, bad in marked.items() if bad)
    controls = (MarkBad(bads, bad=True),) if bads else ()
    return Resumption(Start(first_trigger, ranks), last_seq, next_row, controls)


def _lines(path: Path) -> Iterator[Any]:
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if len(whole) < len(content):
        with path.open("r+b") as file:
            file.truncate(len(whole))
    for line in whole.splitlines():
        yield json.loads(line)
