"""Read what a session left on disk, whole or cut short."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from decoder.control import Input
from decoder.folder import SessionFolder
from decoder.journal import RECORDING, End, read_entries, read_journal
from decoder.rowfile import RowFile, RowWriter
from decoder.start import Start
from decoder.xdf import RecordedStream, read_samples, read_streams
from streaming.errors import SessionError
from streaming.joined import TYPE, join_recorded
from streaming.rows import to_si
from streaming.signal import SignalSpec

__all__ = [
    "Recorded",
    "read_inputs",
    "read_log",
    "read_recorded",
    "signal_of",
    "store_recorded",
]

_NAME = re.compile(r"([A-Za-z0-9-]+/)?raw(-[0-9]+)?\.xdf")
"""A recording within a session's folder: nothing above it."""


def signal_of(manifest: dict[str, Any]) -> SignalSpec:
    """Return what the source of a session delivered."""
    return SignalSpec.from_json(manifest["signal"])


@dataclass(frozen=True, slots=True, eq=False)
class Recorded:
    """The recordings of a session.

    Parameters
    ----------
    data : array of shape (n_channels, n_rows)
        In SI units; all that was recorded, one recording after the other, without the gaps.
    rows : dict of str to range
        Which rows are of which recording, by its place in the folder; in order.
    """

    data: NDArray[np.float32]
    rows: dict[str, range]


def read_recorded(folder: SessionFolder) -> Recorded:
    """Return the recorded signal as it was decoded.

    Recordings of which nothing was decoded are left out if there are others.

    Parameters
    ----------
    folder : SessionFolder
        The session.

    Raises
    ------
    SessionError
        If a recording is missing.
    """
    with tempfile.TemporaryDirectory(prefix="braincast-") as scratch:
        stored, rows = store_recorded(folder, Path(scratch))
        return Recorded(stored.read(0, stored.n_rows), rows)


def store_recorded(folder: SessionFolder, scratch: Path) -> tuple[RowFile, dict[str, range]]:
    """Do the same where it does not fit into memory.

    Parameters
    ----------
    folder : SessionFolder
        The session.
    scratch : Path
        An empty folder, which gets the samples.

    Returns
    -------
    RowFile
        The samples, as in `Recorded`.
    dict of str to range
        As there.

    Raises
    ------
    SessionError
        As `read_recorded`.
    """
    manifest = folder.manifest()
    spec, factors = signal_of(manifest), manifest["to_si"]
    rows: dict[str, range] = {}
    n_rows = 0
    with RowWriter(scratch / "recorded", len(factors)) as writer:
        for name in _names(read_entries(folder.inputs)):
            first = n_rows
            for block in _blocks(folder, name, spec, factors, scratch):
                writer.append(block)
                n_rows += block.shape[1]
            rows[name] = range(first, n_rows)
    return writer.close(), rows


def _names(entries: Iterable[list[Any]]) -> list[str]:
    """Return the recordings that chunks are of, in order."""
    now, names = RECORDING, dict[str, None]()
    for kind, _, *rest in entries:
        if kind == "recording":
            (now,) = rest
        elif kind == "chunk":
            names[now] = None
    return list(names) or [now]


def _blocks(
    folder: SessionFolder,
    name: str,
    spec: SignalSpec,
    factors: Sequence[float],
    scratch: Path,
) -> Iterator[NDArray[np.float32]]:
    """Yield the samples of a recording, in SI units, of shape (n_channels, n_times)."""
    if not _NAME.fullmatch(name):
        msg = f"{folder.inputs} names {name!r} as a recording: it was altered"
        raise SessionError(msg)
    path = folder.path / name
    if not path.is_file() and name != RECORDING and "/" not in name:
        return  # the disk did not take another file
    if not path.is_file():
        msg = f"{folder.path} has no {name}: it cannot be fed again"
        if "/" in name:
            there = name.rpartition("/")[0]
            msg += f"; copy the folder {there} from the machine of the amplifier into it"
        raise SessionError(msg)
    streams = read_streams(path)
    joins = [number for number, stream in streams.items() if stream.type == TYPE]
    if joins:
        yield from _joined(path, streams, joins[0], spec, factors, scratch)
    elif 1 in streams:
        for _, rows in read_samples(path, {1: streams[1]}):
            yield to_si(rows, factors)


def _joined(
    path: Path,
    streams: Mapping[int, RecordedStream],
    joins: int,
    spec: SignalSpec,
    factors: Sequence[float],
    scratch: Path,
) -> Iterator[NDArray[np.float32]]:
    """Join the signals again: each is put into a file first, to be found at any row."""
    signals = {n: streams[n] for n in range(1, streams[joins].n_channels)}
    specs: list[SignalSpec] = []
    files: list[RowFile] = []
    at = 0
    for number, stream in signals.items():
        here = slice(at, at + stream.n_channels)
        with RowWriter(scratch / f"signal-{number}", stream.n_channels) as writer:
            for _, rows in read_samples(path, {number: stream}):
                writer.append(to_si(rows, factors[here]))
        files.append(writer.close())
        specs.append(SignalSpec(stream.sfreq, spec.ch_names[here], spec.ch_types[here]))
        at = here.stop
    for _, rows in read_samples(path, {joins: streams[joins]}):
        yield join_recorded(np.asarray(rows, np.float64), files, specs)


def read_inputs(folder: SessionFolder) -> Iterator[tuple[Input | Start | End, float]]:
    """Yield what a session was fed, and when; see `decoder.journal.read_journal`."""
    recorded = read_recorded(folder)
    spec = signal_of(folder.manifest())
    yield from read_journal(folder.inputs, spec, recorded.data, recorded.rows)


def read_log(folder: SessionFolder) -> Iterator[dict[str, Any]]:
    """Yield the messages that a session published, in order.

    Raises
    ------
    SessionError
        If there is no log, or a line other than a torn last one is no message.
    """
    try:
        lines = folder.events.open("rb")
    except FileNotFoundError:
        msg = f"{folder.path} has no {folder.events.name}: nothing is known of what it decoded"
        raise SessionError(msg) from None
    with lines:
        for number, line in enumerate(lines, 1):
            if not line.endswith(b"\n"):  # torn
                return
            try:
                message: dict[str, Any] = json.loads(line)
            except ValueError as error:
                msg = (
                    f"{folder.events}: line {number} is not an event ({error}): it was altered"
                )
                raise SessionError(msg) from None
            yield message
