"""Where a session goes on from after its decoder died."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from decoder.control import Control
from decoder.folder import SessionFolder
from decoder.held import Held
from decoder.journal import RECORDING
from decoder.pool import pool_name
from decoder.reading import signal_of
from decoder.runtime import Place
from decoder.score import sets_so_far
from decoder.shelf import Shelf
from decoder.start import FRESH_START, Start
from models.stimuli import read_marker
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
        The event before which nothing is given out again; 0 if all is.
    place : Place or None
        Where the next sample would have been; None if none was fed.
    position : Position or None
        Where the feed goes on from; None if the session begins.
    controls : tuple of Control
        What somebody said and still holds.
    """

    start: Start = FRESH_START
    last_seq: int = 0
    purged: int = 0
    place: Place | None = None
    position: Position | None = None
    controls: tuple[Control, ...] = ()


BEGINNING = Resumption()


def resume(folder: SessionFolder) -> Resumption:
    """Read where a session stands, and cut torn last lines off its journal and its log.

    What the log lacks of the last input is lost: its decodes were not published.
    """
    if not folder.events.exists():
        return BEGINNING
    held = Held(Shelf(folder))
    start, last_seq, purged = _read_log(folder.events, held)
    place, position = _read_journal(folder, held)
    start = replace(start, version=held.version)
    return Resumption(start, last_seq, purged, place, position, held.controls())


def _read_log(path: Path, held: Held) -> tuple[Start, int, int]:
    """Return where decodes go on from, all but the version, the last event, the last stop."""
    last_seq, purged, first_trigger, pool = 0, 0, 0, ""
    ranks: dict[str, list[int]] = {}
    sets: dict[str, list[int]] = {}
    evidence: dict[str, Any] = {"stakes": {}, "reason": "", "over": False, "warning": ""}
    trials: dict[str, str] = {}
    for message in _lines(path):
        params = message["params"]
        last_seq = params["seq"]
        if message["method"] == "text":
            first_trigger = max(first_trigger, 1 + int(params["decode_id"].rpartition("/")[2]))
            now = pool_name(params["model_id"], params["candidates_hash"])
            if now != pool:
                pool, ranks, sets = now, {"closed_set": [], "zero_shot": []}, {}
            for score in params.get("running", ()):
                sets[score["protocol"]] = sets_so_far(score)
            truth = params["truth"]
            single = params.get("n_repeats", 1) == 1
            if truth and single and not params["stale"]:
                ranks["closed_set" if truth["trained"] else "zero_shot"].append(truth["rank"])
        elif message["method"] == "markers" and params["role"] == "stimulus":
            trials.setdefault(read_marker(params["label"])[1], params["label"])
        elif message["method"] == "evidence":
            evidence |= {name: params[name] for name in ("reason", "over", "warning")}
            if params["available"]:
                stake = [params["n"], params["log10_bets"], params["log10_e_max"]]
                evidence["stakes"][params["protocol"]] = stake
        elif message["method"] == "state" and params["what"] == "session":
            held.said(params["t"], params["state"], params["detail"])
            purged = last_seq if params["state"] == "stopped" else purged
    trials.pop("", None)  # of those that were not numbered
    evidence |= {"trials": list(trials.values())} if trials else {}
    start = Start(first_trigger, ranks, pool, sets=sets, evidence=evidence)
    return start, last_seq, purged


def _read_journal(folder: SessionFolder, held: Held) -> tuple[Place | None, Position]:
    """Return where the next sample would have been, and where the feed goes on from."""
    manifest = folder.manifest()
    spec, sfreq = signal_of(manifest), manifest["signal"]["sfreq"]
    place: Place | None = None
    recording, first_segment, newest = RECORDING, 0, -1
    for kind, t, *rest in _lines(folder.inputs):
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
            held.control(t, rest)
        elif kind == "state" and rest[3] == "session":
            held.said(t, "stopped", rest[2])
    hello = Hello(manifest["source"], spec, tuple(manifest["to_si"]), recording)
    return place, Position(hello, first_segment, newest)


def _lines(path: Path) -> Iterator[Any]:
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if len(whole) < len(content):
        with path.open("r+b") as file:
            file.truncate(len(whole))
    for line in whole.splitlines():
        yield json.loads(line)
