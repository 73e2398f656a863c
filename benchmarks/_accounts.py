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
    base: dict[int, int] = {}  # of each segment: the row of its sample 0
    lost, fed = 0.0, []
    for kind, t, *rest in place(read_entries(folder.inputs), recorded.rows):
        if kind == "gap":
            lost += rest[1] * sfreq if rest[2] in {"lost", "reconnect", "ingest"} else 0.0
        elif kind == "chunk":
            segment, first, n_times, t_anchor, row = rest
            base[segment] = row - first
            if n_times and row < len(counts):
                fed.append((t, counts[row], t_anchor + first / sfreq))
    decodes = []
    for message in read_log(folder):
        params = message["params"]
        if message["method"] != "text" or params["abstained"]:
            continue
        start = base[params["segment"]] + params["first"]
        covered = counts[start : start + params["n_times"]]
        if len(covered) < params["n_times"]:
            continue  # cut off the recording by a crash
        decodes.append(
            Decode(
                int(covered[0]),
                int(covered[-1]),
                bool(np.any(np.diff(covered) != 1)),
                params["t_emit"],
                params["latency_ms"]["queue"],
            )
        )
    return Account(
        counts,
        np.concatenate([_stamps(folder.path / name) for name in recorded.rows]),
        decodes,
        round(lost),
        np.array(fed, np.float64).reshape(-1, 3),
    )


def _stamps(path: Path) -> NDArray[np.float64]:
    streams, _ = pyxdf.load_xdf(
        path, synchronize_clocks=False, dejitter_timestamps=False, verbose=False
    )
    (signal,) = (s for s in streams if s["info"]["stream_id"] == 1)
    return np.asarray(signal["time_stamps"])


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
