"""Discontinuous EDF+ and BDF+: where the signal breaks off, and where in it notes belong.

MNE lays the data records of such a file end to end, whatever time is between them, and leaves
its notes where they were in that time: late ones it omits, others fall on other samples. The
form of the file is that of Kemp & Olivan, "European data format 'plus' (EDF+)", Clinical
Neurophysiology 114 (2003), sections 2.1 to 2.3.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

if TYPE_CHECKING:
    import mne

__all__ = ["Note", "Notes", "read_notes"]

logger = logging.getLogger(__name__)

_SAID_OF_SIGNAL = (16, 80, 8, 8, 8, 8, 8, 80, 8)
"""Bytes of what the header says of each signal, up to its samples in a record."""

_BOUNDARY = "EDGE boundary"
"""What MNE calls a place whose neighbours were not."""

_SAME = 1e-4
"""Seconds by which a record may miss the end of the one before: instants are decimals."""


@dataclass(frozen=True, slots=True)
class Note:
    """What was noted.

    Parameters
    ----------
    onset : float
        When, in seconds since the file's start.
    duration : float
        How long it lasts, in seconds.
    text : str
        What it says.
    """

    onset: float
    duration: float
    text: str


@dataclass(frozen=True, slots=True)
class Notes:
    """When the records of a file begin, and what was noted.

    Parameters
    ----------
    starts : tuple of float
        When each record begins, in seconds since the file's start.
    record : float
        How long a record is, in seconds.
    notes : tuple of Note
        In the order of the file.
    """

    starts: tuple[float, ...]
    record: float
    notes: tuple[Note, ...]

    def annotations(self) -> mne.Annotations:
        """Return the notes at their samples, where records are end to end, and the breaks.

        Notes of instants that no record holds are left out; how many is logged.
        """
        import mne

        starts = np.array(self.starts)
        breaks = np.flatnonzero(np.diff(starts) > self.record + _SAME) + 1
        rows = [(float(n) * self.record, 0.0, _BOUNDARY) for n in breaks]
        n_outside = 0
        for note in self.notes:
            n = int(np.searchsorted(starts, note.onset + _SAME, side="right")) - 1
            since = note.onset - self.starts[max(n, 0)]
            if n < 0 or since >= self.record - _SAME:
                n_outside += 1
                continue
            rows.append((max(since, 0.0) + n * self.record, note.duration, note.text))
        if n_outside:
            logger.warning("%d notes are at instants that were not recorded", n_outside)
        onsets, durations, texts = zip(*sorted(rows), strict=True) if rows else ((), (), ())
        return mne.Annotations(onsets, durations, texts)


def read_notes(path: Path) -> Notes | None:
    """Read a discontinuous EDF+ or BDF+; None if the file is of another kind.

    Raises
    ------
    OSError, ValueError
        If it cannot be read, or is cut off within its header.
    """
    with path.open("rb") as file:
        header = file.read(256)
        kind = header[192:197]
        if kind not in {b"EDF+D", b"BDF+D"}:
            return None
        width = 3 if kind == b"BDF+D" else 2
        record, n_signals = float(header[244:252]), int(header[252:256])
        said = file.read(256 * n_signals)
        labels = [said[16 * n : 16 * n + 16].strip() for n in range(n_signals)]
        at = sum(_SAID_OF_SIGNAL[:-1]) * n_signals
        sizes = [width * int(said[at + 8 * n : at + 8 * n + 8]) for n in range(n_signals)]
        of_notes = [n for n in range(n_signals) if labels[n] == kind[:3] + b" Annotations"]
        starts: list[float] = []
        notes: list[Note] = []
        for texts in _records(file, sizes, of_notes):
            # the first of a record's first list says when it begins, and nothing else
            starts.append(texts[0].onset if texts else np.nan)
            notes += [note for note in texts if note.text]
    if not starts or not np.isfinite(starts).all():
        msg = "a record does not say when it begins"
        raise ValueError(msg)
    return Notes(tuple(starts), record, tuple(notes))


def _records(file: BinaryIO, sizes: list[int], of_notes: list[int]) -> Iterator[list[Note]]:
    """Yield what is noted in each whole record."""
    while len(data := file.read(sum(sizes))) == sum(sizes):
        ends = np.cumsum([0, *sizes])
        yield [note for n in of_notes for note in _parse(data[ends[n] : ends[n + 1]])]


def _parse(data: bytes) -> Iterator[Note]:
    """Yield the notes of a list; one without a text says when a record begins."""
    for entry in data.split(b"\x14\x00"):
        instant, *texts = entry.strip(b"\x00").split(b"\x14")
        if not instant:
            continue
        onset, _, duration = instant.partition(b"\x15")
        for text in texts or [b""]:
            said = text.decode("utf-8", "replace").strip()
            yield Note(float(onset), float(duration or 0), said)
