"""What a session holds, against what was sent: by the channel that counts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyxdf
from numpy.typing import NDArray

from decoder.folder import open_folder
from decoder.journal import place, read_entries
from decoder.reading import read_log, read_recorded

__all__ = ["Account", "Decode", "lost_in_truth", "read_account", "read_truth"]

_SWALLOWING = {"drop", "disconnect"}
"""Faults whose samples are never sent."""


@dataclass(frozen=True, slots=True)
class Decode:
    """A decode that was not withheld.

    Parameters
    ----------
    first, last : int
        Numbers of the first and the last sample of its window, as they were counted when sent.
    spans : bool
        Whether samples are missing between the two.
    t_emit : float
        When it was sent, in seconds on the LSL clock.
    queue_ms : float
        How long its newest samples took from ingest to the decoder, in milliseconds.
    """

    first: int
    last: int
    spans: bool
    t_emit: float
    queue_ms: float


@dataclass(frozen=True, slots=True)
class Account:
    """What a session holds.

    Parameters
    ----------
    counts : array of shape (n_recorded,)
        The numbers of the samples that were recorded.
    stamps : array of shape (n_recorded,)
        Their timestamps.
    decodes : list of Decode
        In order.
    n_ledger : int
        How many samples were lost, by the session's own gaps.
    fed : array of shape (n_chunks, 3)
        Of each chunk that was fed to the decoder: when, the number of its first sample, and
        when that was taken as the session has it.
    """

    counts: NDArray[np.int64]
    stamps: NDArray[np.float64]
    decodes: list[Decode]
    n_ledger: int
    fed: NDArray[np.float64]


def read_account(session: Path) -> Account:
    """Read a session, whole or cut short."""
    folder = open_folder(session)
    sfreq = folder.manifest()["signal"]["sfreq"]
    recorded = read_recorded(folder)
    counts = np.rint(recorded.data[-1] / folder.manifest()["to_si"][-1]).astype(np.int64)
    # The samples of the recording by segment and index: those that were filled in are no rows.
    places = np.full((len(counts), 2), -1)
    lost, fed = 0, []
    for kind, t, *rest in place(read_entries(folder.inputs), recorded.rows):
        if kind == "gap":
            lost += round(rest[1] * sfreq) if rest[2] not in {"overrun", "restart"} else 0
        elif kind == "revision":
            lost += rest[4]
        elif kind == "chunk" and rest[4] >= 0:
            segment, first, n_times, t_anchor, row = rest
            rows = np.arange(row, min(row + n_times, len(counts)))
            places[rows, 0], places[rows, 1] = segment, rows - row + first
            if n_times and row < len(counts):
                fed.append((t, counts[row], t_anchor + first / sfreq))
    decodes = []
    fed_rows = places[:, 0] >= 0
    places, covered_counts = places[fed_rows], counts[fed_rows]
    order = _key(places[:, 0], places[:, 1])
    for message in read_log(folder):
        params = message["params"]
        if message["method"] != "text" or params["abstained"]:
            continue
        first, stop = params["first"], params["first"] + params["n_times"]
        begin, end = np.searchsorted(order, [_key(params["segment"], n) for n in (first, stop)])
        covered = covered_counts[begin:end]
        at = places[begin:end, 1]
        if not len(at) or at[-1] < stop - 1:
            continue  # cut off the recording by a crash
        decodes.append(
            Decode(
                int(covered[0]),
                int(covered[-1]),
                bool(np.ptp(covered - at)),
                params["t_emit"],
                params["latency_ms"]["queue"],
            )
        )
    return Account(
        counts,
        np.concatenate([_stamps(folder.path / name) for name in recorded.rows]),
        decodes,
        lost,
        np.array(fed, np.float64).reshape(-1, 3),
    )


def _stamps(path: Path) -> NDArray[np.float64]:
    streams, _ = pyxdf.load_xdf(
        path, synchronize_clocks=False, dejitter_timestamps=False, verbose=False
    )
    (signal,) = (s for s in streams if s["info"]["stream_id"] == 1)
    return np.asarray(signal["time_stamps"])


def _key(segment: Any, sample: Any) -> Any:
    """Return numbers that sort as samples do: by segment, then by index."""
    return segment * 2**40 + sample


def read_truth(path: Path) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return what an injector logged of its faults, and the totals."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return lines[:-1], lines[-1]


def lost_in_truth(faults: Sequence[dict[str, Any]]) -> NDArray[np.int64]:
    """Return the numbers of the samples that were never sent, in order, of shape (n_lost,)."""
    swallowed = [
        np.arange(line["first"], line["first"] + line["n_samples"])
        for line in faults
        if line["kind"] in _SWALLOWING
    ]
    return np.unique(np.concatenate([np.empty(0, np.int64), *swallowed]))
