"""How a recording holds several signals that were decoded as one.

Each is recorded as it was sent. Beside them is a stream of type `TYPE`, with a row for each
chunk that was decoded: the row of the first signal where it begins, how many rows it has, and
where it lies in each other signal (`streaming.join.Join`). So the very samples that were
decoded come out of the recording again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from streaming.join import Join, join_data
from streaming.outlet import StreamDescription, source_id_for, to_xml
from streaming.signal import SignalSpec

__all__ = ["TYPE", "Rows", "join_header", "join_recorded", "join_row"]

TYPE = "braincast-join"


class Rows(Protocol):
    """The samples of a signal, wherever they are."""

    def read(self, start: int, stop: int) -> NDArray[np.float32]:
        """Return samples `start` up to `stop`, of shape (n_channels, n_times)."""


def join_header(n_signals: int) -> str:
    """Return the description of the stream, as LSL gives it."""
    n_channels = n_signals + 1
    name = "joined"
    return to_xml(
        StreamDescription(name, TYPE, n_channels, 0.0, "double64", source_id_for(name, "join"))
    )


def join_row(join: Join) -> NDArray[np.float64]:
    """Return one row of the stream."""
    return np.array([[join.row, join.n_times, *join.positions]])


def join_recorded(
    rows: NDArray[np.float64],
    data: Sequence[Rows],
    specs: Sequence[SignalSpec],
) -> NDArray[np.float32]:
    """Return what was decoded.

    Parameters
    ----------
    rows : array of shape (n_chunks, n_signals + 1)
        The stream.
    data : sequence of Rows
        The signals, in SI units.
    specs : sequence of SignalSpec
        What they are.

    Returns
    -------
    array of shape (n_channels_of_all, n_times)
    """
    parts = []
    for row in rows.tolist():
        join = Join(int(row[0]), int(row[1]), tuple(row[2:]))
        # Of each signal only what the join needs: the four samples around each position.
        starts = [join.row, *(max(0, math.floor(p) - 1) for p in join.positions)]
        windows = []
        for signal, spec, start in zip(data, specs, starts, strict=True):
            length = math.ceil(join.n_times * spec.sfreq / specs[0].sfreq) + 4
            windows.append(signal.read(start, start + length))
        parts.append(join_data(join, windows, starts, specs))
    n_channels = sum(len(spec.ch_names) for spec in specs)
    return np.concatenate([np.empty((n_channels, 0), np.float32), *parts], axis=1)
