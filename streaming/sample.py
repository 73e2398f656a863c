"""Public recordings to try braincast with."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pooch

from streaming.errors import ConfigError, RecordingError

if TYPE_CHECKING:
    import mne

__all__ = ["SAMPLES", "fetch_sample"]

_N170_URL = (
    "https://raw.githubusercontent.com/NeuroTechX/eeg-notebooks_v0.1/"
    "5ee39e4f91080937ead13c208a65089cbb13b7f6/data/visual/N170/subject1/session1/"
)
_N170_FILES = {
    "data_2017-09-13-15.30.01.csv": (
        "f0b0732555601a258f0764f4c3f4d6d8826977893b4fd2a742199f34e2d3ca99"
    ),
    "data_2017-09-13-15.32.50.csv": (
        "77d013eadb1af31e2f8aa07733e4027cf338119ca7bd5af054b10f2b92cf959e"
    ),
    "data_2017-09-13-15.35.26.csv": (
        "ea9c15c8a96e501fbd5a042a97b651c36e73813e09c7d305a26f8e3a5aab5939"
    ),
    "data_2017-09-13-15.40.17.csv": (
        "6fb52e15b0bbbd268147f3950688a1d10cca7532c06997762905617ca8fb0f75"
    ),
    "data_2017-09-13-15.42.33.csv": (
        "b8b2de836288ea2ee0fcff88261cf153fc69389c9780059041471d4f4921d15a"
    ),
    "data_2017-09-13-15.45.08.csv": (
        "e80e5280bff9aef8ea05abff9e394c57623fcaad7685ed6b690766f139dacf11"
    ),
}
# no electrode was at the auxiliary input
_N170_CHANNELS = {"TP9": "eeg", "AF7": "eeg", "AF8": "eeg", "TP10": "eeg", "Right AUX": "misc"}
_N170_MARKERS = {1: "house", 2: "face"}
_N170_SFREQ = 256.0

SAMPLES = ("muse-n170",)
"""What there is: ``muse-n170``, six runs of two minutes in which one person looks at faces and
houses, with a Muse (NeuroTechX eeg-notebooks, BSD-3-Clause)."""


def fetch_sample(name: str, folder: str | Path) -> list[Path]:
    """Download a public recording, or find it in the cache, and write it as FIF.

    Files that are in ``$BRAINCAST_DATA``, or in ``muse/original`` below it, are used instead
    of being downloaded. Checksums are compared in either case.

    Parameters
    ----------
    name : str
        One of `SAMPLES`.
    folder : path
        Where to write the files; it is made if it is not there.

    Returns
    -------
    paths : list of Path
        One file for each run, in the order in which they were recorded: volts, and
        annotations ``face`` and ``house``.

    Raises
    ------
    ConfigError
        If there is no sample of that name.
    RecordingError
        If it cannot be downloaded, or is not what was published.
    """
    if name not in SAMPLES:
        msg = f"there is no sample {name!r}; choose one of: {', '.join(SAMPLES)}"
        raise ConfigError(msg)
    sources = [_find(file, checksum) for file, checksum in _N170_FILES.items()]
    folder = Path(folder)
    paths = [folder / f"{name}_run{n}_raw.fif" for n in range(1, len(sources) + 1)]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for source, path in zip(sources, paths, strict=True):
            _read_csv(source).save(path, overwrite=True, verbose="ERROR")
    except OSError as error:
        msg = f"cannot write to {folder} ({error.strerror}): choose another folder"
        raise RecordingError(msg) from error
    return paths


def _folders() -> Iterator[Path]:
    given = os.environ.get("BRAINCAST_DATA")
    if given:
        yield Path(given)
        yield Path(given) / "muse" / "original"


def _find(file: str, checksum: str) -> Path:
    for folder in _folders():
        path = folder / file
        if path.is_file():
            if pooch.file_hash(path) != checksum:
                msg = (
                    f"{path} is not the file that was published (its checksum is wrong): "
                    f"delete it or unset BRAINCAST_DATA"
                )
                raise RecordingError(msg)
            return path
    pooch.get_logger().setLevel("WARNING")
    try:
        return Path(pooch.retrieve(_N170_URL + file, f"sha256:{checksum}", file, _cache()))
    except OSError as error:  # those of requests are among them
        msg = (
            f"cannot download {file} ({type(error).__name__}; is the network closed?): set "
            f"BRAINCAST_DATA to a folder that has it, from {_N170_URL}"
        )
        raise RecordingError(msg) from error
    except ValueError as error:
        msg = f"{file} was altered on its way (its checksum is wrong): try again"
        raise RecordingError(msg) from error


def _cache() -> Path:
    return Path(pooch.os_cache("braincast"))


def _read_csv(path: Path) -> mne.io.BaseRaw:
    import mne

    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    data = np.array([[float(row[name]) for row in rows] for name in _N170_CHANNELS])
    info = mne.create_info(list(_N170_CHANNELS), _N170_SFREQ, list(_N170_CHANNELS.values()))
    raw = mne.io.RawArray(1e-6 * data, info, verbose="ERROR")
    shown = [(n, int(float(row["Marker0"]))) for n, row in enumerate(rows)]
    events = [(n / _N170_SFREQ, _N170_MARKERS[code]) for n, code in shown if code]
    raw.set_annotations(mne.Annotations([t for t, _ in events], 0.0, [s for _, s in events]))
    return raw
