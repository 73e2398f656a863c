"""Where the samples of a recorded session belong: its gaps back in their places."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streaming.signal import Marker

__all__ = ["Missing", "Stretch", "Timeline"]

_INEXACT = {"restart", "ingest"}
"""Gaps of which all samples were recorded, or the first few."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Rows of the recording that follow each other in time.

    Parameters
    ----------
    segment : int
        Which segment they are; they begin with its sample 0.
    row, n_times : int
        The first row, and how many.
    start : int
        Index of the first sample on the timeline.
    """

    segment: int
    row: int
    n_times: int
    start: int


@dataclass(frozen=True, slots=True)
class Missing:
    """A part of the timeline that analyses must leave out.

    Parameters
    ----------
    start, n_times : int
        Where it is on the timeline, in samples.
    label : str
        ``"BAD_ACQ_SKIP"``: lost, and zero on the timeline. ``"EDGE boundary"``: something is
        lost here, of unknown or no length. ``"BAD_unplaced"``: samples that were recorded but
        not decoded, so that it was not decided whether any between them were lost.
    """

    start: int
    n_times: int
    label: str


@dataclass(frozen=True, slots=True)
class Timeline:
    """All recorded rows, and the gaps between them, at the nominal rate.

    Parameters
    ----------
    stretches : tuple of Stretch
        In order; every recorded row is in exactly one.
    missing : tuple of Missing
        In order.
    """

    stretches: tuple[Stretch, ...]
    missing: tuple[Missing, ...]

    @property
    def n_times(self) -> int:
        """Length of the timeline, in samples."""
        return self.stretches[-1].start + self.stretches[-1].n_times if self.stretches else 0

    @classmethod
    def of(cls, entries: Iterable[list[Any]], n_rows: int, sfreq: float) -> Timeline:
        """Lay out what a session recorded.

        A segment begins at the row of any of its chunks less the index of that chunk; this
        also places rows that the decoder dropped because it was too slow, or was away. Each
        segment but the first is preceded by one gap; where the decoder was away and not every
        gap was told, their length is how far the segments' anchors are apart.

        Parameters
        ----------
        entries : iterable of list
            The journal, from `decoder.journal.place`.
        n_rows : int
            Rows in the recording; after a crash fewer than the journal knows of.
        sfreq : float
            Rate of the recording, in Hz.
        """
        begins = {0: 0}
        decoded = {0: 0}  # row after the last chunk of each segment
        before: dict[int, int] = {}  # samples lost before a segment, if each gap was told
        anchors: dict[int, tuple[float, float]] = {}  # at the first and at the last chunk
        newest = 0
        told: list[int] = []
        for kind, _, *rest in entries:
            if kind == "chunk" and rest[4] >= 0:
                segment, first, n_times, t_anchor, row = rest
                if segment > newest and len(told) == segment - newest:
                    before[segment] = sum(told)
                newest, told = segment, []
                begins[segment] = row - first
                decoded[segment] = row + n_times
                anchors[segment] = (anchors.get(segment, (t_anchor,))[0], t_anchor)
            elif kind == "gap" and rest[2] not in _INEXACT:
                told.append(round(rest[1] * sfreq))
        stretches: list[Stretch] = []
        missing: list[Missing] = []
        at = 0
        numbers = sorted(n for n in begins if begins[n] < n_rows)
        for segment, following in zip_longest(numbers, numbers[1:]):
            row = begins[segment]
            n_times = (n_rows if following is None else begins[following]) - row
            if stretches:
                last = stretches[-1]
                gap = before.get(segment)
                if gap is None:
                    apart = anchors[segment][0] - anchors.get(last.segment, anchors[segment])[1]
                    gap = max(0, round(apart * sfreq) - last.n_times)
                missing.append(Missing(at, gap, "BAD_ACQ_SKIP" if gap else "EDGE boundary"))
                at += gap
            stretches.append(Stretch(segment, row, n_times, at))
            at += n_times
            unplaced = row + n_times - decoded[segment]
            if following != segment + 1 and unplaced > 0:
                missing.append(Missing(at - unplaced, unplaced, "BAD_unplaced"))
        return cls(tuple(stretches), tuple(missing))

    def lay(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Put recorded samples in their places.

        Parameters
        ----------
        rows : array of shape (n_channels, n_rows)
            As recorded.

        Returns
        -------
        data : array of shape (n_channels, n_times)
            Zero where nothing was recorded.
        """
        data = np.zeros((len(rows), self.n_times), rows.dtype)
        for s in self.stretches:
            data[:, s.start : s.start + s.n_times] = rows[:, s.row : s.row + s.n_times]
        return data

    def locate(self, segment: int, sample: int) -> int | None:
        """Return the index on the timeline of a sample of a segment.

        None if it is not on it: before the first sample, after the last, or in a segment that
        was not recorded.
        """
        for s in self.stretches:
            at = s.start + sample
            if s.segment == segment and 0 <= at < self.n_times:
                return at
        return None

    def markers(self, entries: Iterable[list[Any]]) -> tuple[list[tuple[int, Marker]], int]:
        """Return the markers with their places, in order, and how many have none."""
        found, n_outside = [], 0
        for kind, _, *rest in entries:
            if kind == "marker":
                marker = Marker(*rest)
                at = self.locate(marker.segment, marker.sample)
                if at is None:
                    n_outside += 1
                else:
                    found.append((at, marker))
        return sorted(found, key=lambda pair: pair[0]), n_outside
