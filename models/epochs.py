"""Epochs that others cut and filtered, as a dataset: for published arrays alone.

They did not go through our chain, and nobody knows what of the future is in them. A model of
them is stamped so, and cannot be served.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from models.dataset import N_BLOCKS, Dataset
from models.stimuli import StimulusTable
from streaming.errors import RecordingError
from streaming.signal import SignalSpec
from streaming.sources.files import UNREADABLE, check_file, unreadable
from streaming.window import LockedWindows

__all__ = ["are_epochs", "read_epochs"]


def are_epochs(paths: Sequence[str | Path]) -> bool:
    """Tell whether recordings are files of epochs, by their names (``-epo.fif``).

    Raises
    ------
    RecordingError
        If some are and others are not.
    """
    found = [str(path).endswith(("-epo.fif", "_epo.fif")) for path in paths]
    if any(found) and not all(found):
        msg = (
            f"{paths[found.index(False)]} is no file of epochs, but others are; fit them apart"
        )
        raise RecordingError(msg)
    return bool(found) and all(found)


def read_epochs(
    paths: Sequence[str | Path], windowing: LockedWindows, table: StimulusTable
) -> Dataset:
    """Read epochs as the windows of a dataset.

    Parameters
    ----------
    paths : sequence of path
        Files that MNE wrote; each is cut into five contiguous blocks.
    windowing : LockedWindows
        Which part of each epoch to take.
    table : StimulusTable
        What the events mean.

    Returns
    -------
    Dataset
        Without a chain. When a trial was is unknown, so that none is purged.

    Raises
    ------
    RecordingError
        If a file cannot be read, or does not hold the window or the events.
    """
    import mne

    parts, ids, files, specs = [], [], [], []
    for path in map(Path, paths):
        check_file(path)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                epochs = mne.read_epochs(path, preload=True, verbose="ERROR")
        except UNREADABLE as error:
            raise unreadable(path, error) from error
        specs.append(SignalSpec.from_info(epochs.info))
        names = {code: label for label, code in epochs.event_id.items()}
        found = [table.find(names[code]) for code in epochs.events[:, 2]]
        kept = [n for n, row in enumerate(found) if row is not None and row.role == "stimulus"]
        if not kept:
            msg = (
                f"{path} has none of the events of the table; its first is "
                f"{next(iter(epochs.event_id))!r}"
            )
            raise RecordingError(msg)
        sfreq = specs[-1].sfreq
        start = round((windowing.tmin - epochs.tmin) * sfreq)
        stop = start + round((windowing.tmax - windowing.tmin) * sfreq)
        if start < 0 or stop > len(epochs.times):
            msg = (
                f"{path} has epochs from {epochs.tmin:g} to {epochs.tmax:g} s, not "
                f"{windowing.tmin:g} to {windowing.tmax:g} s; set --tmin and --tmax"
            )
            raise RecordingError(msg)
        if specs[-1] != specs[0]:
            msg = f"{path} and {paths[0]} differ in their rate or channels; fit them apart"
            raise RecordingError(msg)
        data = epochs.get_data(copy=False)[kept, :, start:stop]
        parts.append(np.ascontiguousarray(data, dtype=np.float32))
        rows = [row for n in kept if (row := found[n]) is not None]
        ids += [row.candidate_id for row in rows]
        files += [row.stim_file for row in rows]
    windows, n = np.concatenate(parts), sum(map(len, parts))
    counts = np.array([len(part) for part in parts])
    return Dataset(
        windows=windows,
        ids=tuple(ids),
        stim_files=tuple(files),
        files=np.repeat(np.arange(len(parts)), counts),
        groups=np.concatenate(
            [m * N_BLOCKS + np.arange(k) * N_BLOCKS // k for m, k in enumerate(counts)]
        ),
        t=np.arange(n, dtype=np.float64) * (windowing.tmax - windowing.tmin),
        spec=specs[0],
        spec_out=specs[0],
        transforms=[],
        settling=0.0,
        delay=0.0,
        windowing=windowing,
        table=table,
        dropped={},
        withheld={},
        hashes=tuple(hashlib.sha256(part.tobytes()).hexdigest() for part in parts),
    )
