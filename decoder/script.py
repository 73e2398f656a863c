"""What a mock says: the lines of a session that was recorded, and faults put into them."""

from __future__ import annotations

import base64
import binascii
import itertools
import json
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from decoder.mock_pictures import pictured
from decoder.previews import FOLDER, read
from streaming.errors import ConfigError, SessionError

__all__ = ["EVERY", "FAULTS", "GOLDEN", "Line", "Script", "read_script"]

GOLDEN = Path(__file__).parent / "golden" / "things.jsonl"
"""The session that ships: of a simulated participant, with all that can happen to one."""

FAULTS = ("stale", "gap", "abstain", "drop", "1013")
"""What can be made to go wrong."""

EVERY = 3
"""Which decodes: each third."""

LATE = 2.0
"""Seconds that a stale decode is late; `serve` calls those beyond 1 s stale."""

REASONS = ("artifact", "bad channels", "bad samples", "late", "settling")
"""Why there is no decode, one after the other."""

_EPHEMERAL = ("latency", "latent", "signal")


@dataclass(frozen=True, slots=True)
class Line:
    """What is sent at once.

    Parameters
    ----------
    stream : str
        Of which stream it is.
    body : str or bytes
        As it goes over the wire.
    t : float
        When it was sent, in seconds on the clock of its session.
    seq : int
        Its place in the log; 0 for what is never logged.
    retain : str
        What a client that comes later must know of it; see `decoder.server.hub.Message`.
    purges : bool
        Whether what was before it is not given out any more.
    breaks : str
        How connections end after it: ``"drop"``, ``"1013"``, or not.
    pictures : mapping of str to bytes
        What goes with it of the stream ``image``, by format.
    file : str
        Name under which that is kept; empty if it is not.
    """

    stream: str
    body: str | bytes
    t: float
    seq: int
    retain: str = ""
    purges: bool = False
    breaks: str = ""
    pictures: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    file: str = ""


@dataclass(frozen=True, slots=True)
class Script:
    """A session to be said again.

    Parameters
    ----------
    session_id : str
        Its name.
    about : dict
        What ``/v1/session`` answers.
    candidates : list of dict
        What ``/v1/candidates`` answers.
    lines : tuple of Line
        In order.
    """

    session_id: str
    about: dict[str, Any]
    candidates: list[dict[str, Any]]
    lines: tuple[Line, ...]


def read_script(path: Path, fault: str = "", *, previews: bool = False) -> Script:
    """Read what a session said, and put a fault into it.

    Parameters
    ----------
    path : Path
        The folder of a session, its ``events.jsonl``, or a golden file.
    fault : str
        One of `FAULTS`; empty: none.
    previews : bool
        Picture decodes; see `decoder.mock_pictures`. If not, those of the session are said.

    Raises
    ------
    ConfigError
        If there is no such fault.
    SessionError
        If the file is not there, or is no log.
    """
    if fault and fault not in FAULTS:
        msg = f"--fault {fault} is not known; there are {', '.join(FAULTS)}"
        raise ConfigError(msg)
    log = path / "events.jsonl" if path.is_dir() else path
    messages = list(_messages(log))
    header = messages.pop(0)["params"] if messages[0]["method"] == "session" else None
    if header is None:
        header = _about(log.parent, messages)
    said = _faulty(messages, fault)
    said = _numbered(pictured(said) if previews else said)
    lines = tuple(_lines(said, log.parent / FOLDER))
    return Script(header["about"]["session"], header["about"], header["candidates"], lines)


def _messages(path: Path) -> Iterator[dict[str, Any]]:
    try:
        content = path.read_bytes().split(b"\n")[:-1]  # what follows the last newline is torn
    except OSError as error:
        msg = f"cannot read {path} ({error.strerror}): name a session's folder or its log"
        raise SessionError(msg) from None
    if not content:
        msg = f"{path} says nothing: not one whole line"
        raise SessionError(msg)
    for number, line in enumerate(content, 1):
        try:
            message = json.loads(line)
            known = {"session": "about", "signal": "base64", "latent": "base64"}
            message["params"][known.get(message["method"], "t_emit")]  # what is needed of it
        except (ValueError, TypeError, KeyError):
            msg = f"{path} line {number} is no event: each is a JSON-RPC notification"
            raise SessionError(msg) from None
        yield message


def _about(folder: Path, messages: list[dict[str, Any]]) -> dict[str, Any]:
    """Describe a session by its folder, as far as that says."""
    top = [c for m in messages for c in m["params"].get("top", ())]
    about: dict[str, Any] = {"session": folder.name, "protocol": "1", "simulated": None}
    candidates = [{k: c[k] for k in ("id", "text", "glyph")} | {"trained": True} for c in top]
    manifest, model = folder / "manifest.json", folder / "model" / "model.json"
    if manifest.exists():
        said = json.loads(manifest.read_bytes())
        spec = said["signal"]
        names, sfreq = spec["ch_names"], spec["sfreq"]
        about["source"] = {"name": said["source"], "sfreq": sfreq, "ch_names": names}
    if model.exists():
        listed = json.loads(model.read_bytes())["candidates"]
        keys = {"id": "ids", "text": "texts", "glyph": "glyphs", "trained": "trained"}
        rows = zip(*(listed[key] for key in keys.values()), strict=True)
        candidates = [dict(zip(keys, row, strict=True)) for row in rows]
    listed = list({c["id"]: c for c in candidates}.values())
    about["candidates"] = {"n": len(listed)}
    return {"about": about, "candidates": listed}


def _faulty(messages: list[dict[str, Any]], fault: str) -> Iterator[dict[str, Any]]:
    """Yield messages with a fault in each third decode."""
    reasons = itertools.cycle(REASONS)
    n_decodes = 0
    for message in messages:
        said = [message]
        if message["method"] == "text":
            n_decodes += 1
            if n_decodes % EVERY == 0:
                said = list(_fail(message, fault, reasons))
        yield from said


def _numbered(messages: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield messages with new numbers of what is logged."""
    seq = itertools.count(1)
    for message in messages:
        if message["method"] not in _EPHEMERAL:
            message["params"] = {**message["params"], "seq": next(seq)}
        yield message


def _fail(text: dict[str, Any], fault: str, reasons: Iterator[str]) -> Iterator[dict[str, Any]]:
    said = text["params"]
    if fault == "stale":
        # One that was given up before its window was over would be on time otherwise.
        by = LATE + max(0.0, said["t_end"] - said["t_emit"])
        late = {key: said[key] - by for key in ("t_start", "t_end")}
        stages = dict(said["latency_ms"] or {})
        for stage in stages.keys() & {"acquire", "total"}:
            stages[stage] += 1000 * by
        yield text | {"params": {**said, **late, "stale": True, "latency_ms": stages}}
    elif fault == "abstain":
        yield _withheld(text, next(reasons))
    elif fault == "gap":
        t = said["t_emit"]
        lost = {"t": said["t_end"] - 0.6, "duration": 0.5, "reason": "lost"}
        detail = "500 ms of signal lost on the way from the amplifier"
        yield _state("gap", "gap", detail, t, **lost)
        yield _state("decoder", "settling", "filters begin again after the gap", t)
        yield _withheld(text, "gap")
        yield _state("decoder", "ready", "decodes come again", t)
    else:
        yield text | ({"breaks": fault} if fault else {})


def _withheld(text: dict[str, Any], reason: str) -> dict[str, Any]:
    nothing: dict[str, Any] = {"top": [], "truth": None, "running": [], "abstained": reason}
    return text | {"params": {**text["params"], **nothing}}


def _state(
    what: str, state: str, detail: str, t_emit: float, t: float | None = None, **more: object
) -> dict[str, Any]:
    params = {"what": what, "state": state, "t": t_emit if t is None else t, **more}
    params |= {"detail": detail, "t_emit": t_emit}
    return {"jsonrpc": "2.0", "method": "state", "params": {"seq": 0, **params}}


def _lines(messages: Iterable[dict[str, Any]], previews: Path) -> Iterator[Line]:
    t = float("-inf")
    for message in messages:
        stream, params = message["method"], message["params"]
        breaks, pictures = message.pop("breaks", ""), message.pop("pictures", {})
        if "base64" in params:
            data = _decoded(params)
            header = {key: value for key, value in params.items() if key != "base64"}
            head = _dumps(header).encode()
            t = max(t, header["t_emit"] if stream == "latent" else _end(header))
            yield Line(stream, struct.pack(">I", len(head)) + head + data, t, 0)
            continue
        t = max(t, params["t_emit"])
        seq = 0 if stream in _EPHEMERAL else params["seq"]
        stops = (params.get("what"), params.get("state")) == ("session", "stopped")
        file = (params["file"] or "") if stream == "image" else ""
        if not pictures and (png := read(previews, file or None)):
            pictures = {"png": png}
        yield Line(
            stream,
            _dumps(message),
            t,
            seq,
            _retain(stream, params),
            stops,
            breaks,
            pictures,
            file if pictures else "",
        )


def _decoded(params: dict[str, Any]) -> bytes:
    try:
        return base64.b64decode(params["base64"], validate=True)
    except binascii.Error as error:
        msg = (
            f"what is under base64 in a line of stream {params.get('stream')} is not ({error})"
        )
        raise SessionError(msg) from None


def _end(header: dict[str, Any]) -> float:
    return float(header["t0"] + header["n_times"] / header["sfreq"])


def _dumps(message: object) -> str:
    return json.dumps(message, ensure_ascii=False, separators=(",", ":"))


def _retain(stream: str, params: dict[str, Any]) -> str:
    """Say which news replaces it; the same as `decoder.log` says of the events themselves."""
    if stream == "evidence":
        return stream
    if stream != "state" or params["what"] == "overrun":
        return ""
    if params["what"] == "gap":
        return "restart" if params.get("reason") == "restart" else ""
    return str(params["what"])
