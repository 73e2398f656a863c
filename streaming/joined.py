"""How a recording holds several signals that were decoded as one.

Each is recorded as it was sent. Beside them is a stream of type `TYPE`, with a row for each
chunk that was decoded: the row of the first signal where it begins, how many rows it has, and
where it lies in each other signal (`streaming.join.Join`). So the very samples that were
decoded come out of the recording again.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from streaming.join import Join, join_data
from streaming.outlet import StreamDescription, source_id_for, to_xml
from streaming.signal import SignalSpec

__all__ = ["TYPE", "join_header", "join_recorded", "join_row"]

TYPE = "braincast-join"


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
    data: Sequence[NDArray[np.float32]],
    specs: Sequence[SignalSpec],
) -> NDArray[np.float32]:
    """Return what was decoded.

    Parameters
    ----------
    rows : array of shape (n_chunks, n_signals + 1)
        The stream.
    data : sequence of array of shape (n_channels, n_rows)
        The signals, whole, in SI units.
    specs : sequence of SignalSpec
        What they are.

    Returns
    -------
    array of shape (n_channels_of_all, n_times)
    """
    joins = [Join(int(row[0]), int(row[1]), tuple(row[2:])) for row in rows.tolist()]
    n_channels = sum(len(x) for x in data)
    out = np.empty((n_channels, sum(join.n_times for join in joins)), np.float32)
    at = 0
    for join in joins:
        part = join_data(join, data, [0] * len(data), specs)
        out[:, at : at + join.n_times] = part
        at += join.n_times
    return out
