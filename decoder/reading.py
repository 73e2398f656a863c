"""Read what a session left on disk, whole or cut short."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyxdf
from numpy.typing import NDArray

from decoder.control import Input
from decoder.folder import SessionFolder
from decoder.journal import RECORDING, End, read_entries, read_journal
from decoder.start import Start
from streaming.errors import SessionError
from streaming.joined import TYPE, join_recorded
from streaming.rows import to_si
from streaming.signal import SignalSpec

__all__ = ["Recorded", "read_inputs", "read_log", "read_recorded", "signal_of"]

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
    manifest = folder.manifest()
    spec, to_si_of = signal_of(manifest), manifest["to_si"]
    parts = [np.empty((len(to_si_of), 0), np.float32)]
    rows: dict[str, range] = {}
    n_rows = 0
    for name in _names(read_entries(folder.inputs)):
        parts.append(_read_samples(folder, name, spec, to_si_of))
        rows[name] = range(n_rows, n_rows + parts[-1].shape[1])
        n_rows = rows[name].stop
    return Recorded(np.concatenate(parts, axis=1) if len(parts) > 2 else parts[-1], rows)


def _names(entries: Iterable[list[Any]]) -> list[str]:
    """Return the recordings that chunks are of, in order."""
    now, names = RECORDING, dict[str, None]()
    for kind, _, *rest in entries:
        if kind == "recording":
            (now,) = rest
        elif kind == "chunk":
            names[now] = None
    return list(names) or [now]


def _read_samples(
    folder: SessionFolder, name: str, spec: SignalSpec, factors: Sequence[float]
) -> NDArray[np.float32]:
    if not _NAME.fullmatch(name):
        msg = f"{folder.inputs} names {name!r} as a recording: it was altered"
        raise SessionError(msg)
    path = folder.path / name
    if not path.is_file() and name != RECORDING and "/" not in name:
        return np.empty((len(factors), 0), np.float32)  # the disk did not take another file
    if not path.is_file():
        msg = f"{folder.path} has no {name}: it cannot be fed again"
        if "/" in name:
            there = name.rpartition("/")[0]
            msg += f"; copy the folder {there} from the machine of the amplifier into it"
        raise SessionError(msg)
    streams, _ = pyxdf.load_xdf(
        path, synchronize_clocks=False, dejitter_timestamps=False, verbose=False
    )
    by_id = {stream["info"]["stream_id"]: stream for stream in streams}
    joins = [s for s in streams if s["info"]["type"] == [TYPE]]
    if joins:
        return _joined(joins[0], by_id, spec, factors)
    return _scaled(by_id[1], factors) if by_id else np.empty((len(factors), 0), np.float32)


def _joined(
    joins: dict[str, Any],
    by_id: dict[int, dict[str, Any]],
    spec: SignalSpec,
    factors: Sequence[float],
) -> NDArray[np.float32]:
    n_columns = int(joins["info"]["channel_count"][0])
    data, specs, at = [], [], 0
    for number in range(1, n_columns):
        info = by_id[number]["info"]
        here = slice(at, at + int(info["channel_count"][0]))
        data.append(_scaled(by_id[number], factors[here]))
        sfreq = float(info["nominal_srate"][0])
        specs.append(SignalSpec(sfreq, spec.ch_names[here], spec.ch_types[here]))
        at = here.stop
    return join_recorded(np.reshape(joins["time_series"], (-1, n_columns)), data, specs)


def _scaled(stream: dict[str, Any], factors: Sequence[float]) -> NDArray[np.float32]:
    if not len(stream["time_stamps"]):
        return np.empty((len(factors), 0), np.float32)
    return to_si(np.asarray(stream["time_series"]), factors)


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
        If there is no log.
    """
    try:
        lines = folder.events.read_bytes().split(b"\n")
    except FileNotFoundError:
        msg = f"{folder.path} has no {folder.events.name}: nothing is known of what it decoded"
        raise SessionError(msg) from None
    for line in lines[:-1]:  # what follows the last newline is torn
        yield json.loads(line)
