"""Read what a session left on disk, whole or cut short."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyxdf
from numpy.typing import NDArray

from decoder.control import Input
from decoder.folder import SessionFolder
from decoder.journal import End, read_journal
from decoder.session import Start
from streaming.errors import SessionError
from streaming.signal import SignalSpec
from streaming.sources.lsl import to_si

__all__ = ["read_inputs", "read_log", "read_samples", "signal_of"]


def signal_of(manifest: dict[str, Any]) -> SignalSpec:
    """Return what the source of a session delivered."""
    return SignalSpec(**{k: _frozen(v) for k, v in manifest["signal"].items()})


def read_samples(folder: SessionFolder) -> NDArray[np.float32]:
    """Return the recorded signal as it was decoded.

    Parameters
    ----------
    folder : SessionFolder
        The session.

    Returns
    -------
    data : array of shape (n_channels, n_rows)
        In SI units; all that was recorded, without the gaps.

    Raises
    ------
    SessionError
        If there is no recording.
    """
    manifest = folder.manifest()
    try:
        streams, _ = pyxdf.load_xdf(
            folder.raw, synchronize_clocks=False, dejitter_timestamps=False, verbose=False
        )
    except FileNotFoundError:
        msg = f"{folder.path} has no {folder.raw.name}: it cannot be fed again"
        raise SessionError(msg) from None
    for stream in streams:
        if stream["info"]["stream_id"] == 1 and len(stream["time_stamps"]):
            return to_si(np.asarray(stream["time_series"]), manifest["to_si"])
    return np.empty((len(manifest["to_si"]), 0), np.float32)


def read_inputs(folder: SessionFolder) -> Iterator[tuple[Input | Start | End, float]]:
    """Yield what a session was fed, and when; see `decoder.journal.read_journal`."""
    spec = signal_of(folder.manifest())
    yield from read_journal(folder.inputs, spec, read_samples(folder))


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


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
