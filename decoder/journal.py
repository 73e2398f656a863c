"""What a session was fed, in order: enough to feed it again.

One JSON array a line, written before its events are published. Samples are not repeated here:
a chunk is named by its place in `raw.xdf`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from decoder.control import Input
from decoder.folder import SessionFolder
from decoder.lines import LineFile
from decoder.shelf import Shelf, control_line
from decoder.start import Start
from streaming.errors import SessionError
from streaming.signal import Chunk, Gap, Impedance, Marker, Revision, SignalSpec, SourceState

__all__ = ["RECORDING", "End", "Journal", "place", "read_entries", "read_journal"]

RECORDING = "raw.xdf"
"""The recording of which rows are until another is named."""

_N_OF_CHUNK = 5


@dataclass(frozen=True, slots=True)
class End:
    """A session came to its end; without it, it crashed."""


class Journal:
    """Writes `inputs.jsonl`.

    Parameters
    ----------
    path : Path
        Is made, or gone on with.
    """

    def __init__(self, path: Path) -> None:
        self._file = LineFile(path)

    def start(self, start: Start, t: float) -> None:
        """Note that a session begins, or goes on after a crash, at time `t`."""
        self._line(["start", t, *(getattr(start, field.name) for field in fields(start))])

    def recording(self, name: str, t: float) -> None:
        """Note that from time `t` on rows are those of another recording.

        Segments then go on with the one after the newest.

        Parameters
        ----------
        name : str
            Where it is, within the session's folder.
        t : float
            When, in seconds on the LSL clock.

        Raises
        ------
        SessionError
            If the disk fails, once.
        """
        self._line(["recording", t, name])

    def write(self, item: Input, row: int, t: float, *, held: bool = False) -> None:
        """Add one input.

        Parameters
        ----------
        item : Input
            What was fed.
        row : int
            For a chunk, how many rows its recording has before it.
        t : float
            When it was fed, in seconds on the LSL clock.
        held : bool
            It was said before, to a decoder that died.

        Raises
        ------
        SessionError
            If the disk fails, once.
        """
        match item:
            case Chunk():
                entry = [item.segment, item.first, item.n_times, item.t_anchor, row]
                line: list[Any] = ["chunk", t, *entry]
            case Marker():
                line = ["marker", t, item.label, item.t, item.segment, item.sample]
            case Gap():
                line = ["gap", t, item.t, item.duration, item.reason]
            case Revision():
                place = [item.segment, item.first, item.stop]
                line = ["revision", t, *place, item.t, item.n_times]
            case Impedance():
                line = ["impedance", t, list(item.ch_names), list(item.ohms), item.t]
            case SourceState():
                line = ["state", t, item.state, item.t, item.detail, item.what, item.timed]
            case _:
                line = ["held" if held else "control", t, *control_line(item)]
        self._line(line)

    def _line(self, line: list[Any]) -> None:
        self._file.write(json.dumps(line, ensure_ascii=False))

    def close(self, t: float) -> None:
        """Note that the session ended at time `t`, and not by a crash; close the file."""
        self._line(["end", t])
        self._file.close()

    def abandon(self) -> None:
        """Close the file without an end: the disk takes nothing more."""
        self._file.close()


def read_journal(
    path: Path,
    spec: SignalSpec,
    data: NDArray[np.float32],
    rows: Mapping[str, range] | None = None,
) -> Iterator[tuple[Input | Start | End, float]]:
    """Yield what a session was fed.

    Parameters
    ----------
    path : Path
        The `inputs.jsonl` of a session.
    spec : SignalSpec
        What the source delivered.
    data : array of shape (n_channels, n_rows)
        The samples of all recordings, as the source delivered them. Some may be missing, after
        a crash of the machine or on a full disk; the first input that names them ends the
        iteration.
    rows : mapping of str to range
        Which of them are of which recording; if not given, there is one.

    Yields
    ------
    item : Item, Start or End
        As it was given to `Session.feed`, or how another session begins, or an end.
    t : float
        And when.

    Raises
    ------
    SessionError
        If a line other than a torn last one cannot be read, or names what is not kept.
    """
    rows = rows or {RECORDING: range(data.shape[1])}
    shelf = Shelf(SessionFolder(path.parent))
    for number, (kind, t, *rest) in enumerate(place(read_entries(path), rows), 1):
        if kind == "recording":
            continue
        if kind == "chunk" and rest[4] < 0:
            return
        try:
            item = _item(kind, rest, spec, data, shelf)
        except (ValueError, TypeError, LookupError) as error:
            raise _no_input(path, number, error) from None
        yield item, t


def place(entries: Iterable[list[Any]], rows: Mapping[str, range]) -> Iterator[list[Any]]:
    """Yield entries with the rows of chunks numbered through all recordings.

    Parameters
    ----------
    entries : iterable of list
        From `read_entries`.
    rows : mapping of str to range
        Which rows are of which recording.

    Yields
    ------
    list
        Each entry; the row of a chunk that is not, or not all, in its recording is -1.
    """
    recording = RECORDING
    for kind, t, *rest in entries:
        if kind == "recording":
            (recording,) = rest
        elif kind == "chunk" and len(rest) == _N_OF_CHUNK:
            ours = rows.get(recording, range(0))
            there = rest[4] + rest[2] <= len(ours)
            rest[4] = ours.start + rest[4] if there else -1
        yield [kind, t, *rest]


def read_entries(path: Path) -> Iterator[list[Any]]:
    """Yield the lines of a journal as `Journal.write` made them, up to a torn last one.

    Raises
    ------
    SessionError
        If there is no journal, or a line cannot be read.
    """
    try:
        lines = path.open("rb")
    except FileNotFoundError:
        msg = f"{path.parent} has no {path.name}: it is not known where its samples belong"
        raise SessionError(msg) from None
    with lines:
        for number, line in enumerate(lines, 1):
            if not line.endswith(b"\n"):  # torn
                return
            try:
                kind, t, *rest = json.loads(line)
            except (ValueError, TypeError) as error:
                raise _no_input(path, number, error) from None
            yield [kind, t, *rest]


def _no_input(path: Path, number: int, error: Exception) -> SessionError:
    return SessionError(f"{path}: line {number} is not an input of a session ({error})")


def _item(
    kind: str, rest: list[Any], spec: SignalSpec, data: NDArray[np.float32], shelf: Shelf
) -> Input | Start | End:
    match kind:
        case "chunk":
            segment, first, n_times, t_anchor, row = rest
            samples = np.ascontiguousarray(data[:, row : row + n_times])
            return Chunk(samples, spec, segment, first, t_anchor)
        case "marker":
            return Marker(*rest)
        case "impedance":
            ch_names, ohms, t_measured = rest
            return Impedance(tuple(ch_names), tuple(ohms), t_measured)
        case "control" | "held":
            return shelf.control(rest)
        case "end":
            return End()
    kinds: dict[str, type[Start | Gap | Revision | SourceState]] = {
        "start": Start,
        "gap": Gap,
        "revision": Revision,
        "state": SourceState,
    }
    if kind in kinds:
        return kinds[kind](*rest)
    msg = f"unknown kind {kind!r}"
    raise ValueError(msg)
