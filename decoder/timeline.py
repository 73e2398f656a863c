"""Where the samples of a recorded session belong: its gaps back in their places."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streaming.signal import Marker, Revision

__all__ = ["Missing", "Stretch", "Timeline"]

_INEXACT = {"restart", "ingest", "stopped", "filled"}
"""Gaps of which all samples were recorded, or the first few; or those within a segment."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Rows of the recording that follow each other in time.

    Parameters
    ----------
    segment : int
        Which segment they are of.
    row, n_times : int
        The first row, and how many.
    start : int
        Index of the first sample on the timeline.
    first : int
        The same in its segment: 0, but after samples that were lost and filled in, or that
        were found to be lost too late to end the segment.
    """

    segment: int
    row: int
    n_times: int
    start: int
    first: int = 0


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
        not decoded, so that it was not decided whether any between them were lost; or samples
        between which some were lost, but it is not known where.
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
    revisions : tuple of Revision
        Losses that were found late, in order.
    """

    stretches: tuple[Stretch, ...]
    missing: tuple[Missing, ...]
    revisions: tuple[Revision, ...] = ()

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
        told = _read(entries, sfreq)
        stretches: list[Stretch] = []
        missing: list[Missing] = []
        at = 0
        numbers = sorted(n for n in told.bases if told.bases[n][0][0] < n_rows)
        for segment, following in zip_longest(numbers, numbers[1:]):
            stop = n_rows if following is None else told.bases[following][0][0]
            if stretches:
                gap = told.before.get(segment)
                if gap is None:
                    last = stretches[-1]
                    apart = (
                        told.anchors[segment][0]
                        - told.anchors.get(last.segment, told.anchors[segment])[1]
                    )
                    gap = max(0, round(apart * sfreq) - last.first - last.n_times)
                missing.append(Missing(at, gap, "BAD_ACQ_SKIP" if gap else "EDGE boundary"))
                at += gap
            late = [r for r in told.revisions if r.segment == segment and r.first]
            parts, holes = _lay_out(segment, told.bases[segment], late, stop, at)
            stretches += parts
            missing += holes
            at = parts[-1].start + parts[-1].n_times
            unplaced = stop - told.decoded[segment]
            if following != segment + 1 and unplaced > 0:
                missing.append(Missing(at - unplaced, unplaced, "BAD_unplaced"))
        return cls(tuple(stretches), tuple(missing), tuple(told.revisions))

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

    def locate(self, segment: int, sample: int, n_revisions: int | None = None) -> int | None:
        """Return the index on the timeline of a sample of a segment.

        None if it is not on it: before the first sample, after the last, or in a segment that
        was not recorded.

        Parameters
        ----------
        segment, sample : int
            As they were told.
        n_revisions : int or None
            How many of the revisions were known when an instant was turned into that sample;
            None if it was not, but the sample was counted.
        """
        for s in self.stretches:
            if s.segment == segment:  # the first one, which begins with sample 0
                known = self.revisions[:n_revisions]
                at = s.start + sample + _shift(known, segment, sample)
                return at if 0 <= at < self.n_times else None
        return None

    def markers(self, entries: Iterable[list[Any]]) -> tuple[list[tuple[int, Marker]], int]:
        """Return the markers with their places, in order, and how many have none."""
        found, n_outside, n_revisions = [], 0, 0
        for kind, _, *rest in entries:
            n_revisions += kind == "revision"
            if kind == "marker":
                marker = Marker(*rest)
                at = self.locate(marker.segment, marker.sample, n_revisions)
                if at is None:
                    n_outside += 1
                else:
                    found.append((at, marker))
        return sorted(found, key=lambda pair: pair[0]), n_outside


@dataclass(slots=True)
class _Told:
    """What a journal says of each segment.

    Parameters
    ----------
    bases : dict of int to list of tuple of int
        Rows at which its samples begin to be counted from another row, and which. That happens
        where some were filled in: they are counted, but were not recorded.
    decoded : dict of int to int
        Row after its last chunk.
    before : dict of int to int
        Samples lost before it, if each gap was told.
    anchors : dict of int to tuple of float
        Those of its first and its last chunk.
    revisions : list of Revision
        Losses that were found late.
    """

    bases: dict[int, list[tuple[int, int]]] = field(default_factory=lambda: {0: [(0, 0)]})
    decoded: dict[int, int] = field(default_factory=lambda: {0: 0})
    before: dict[int, int] = field(default_factory=dict)
    anchors: dict[int, tuple[float, float]] = field(default_factory=dict)
    revisions: list[Revision] = field(default_factory=list)


def _read(entries: Iterable[list[Any]], sfreq: float) -> _Told:
    told, newest, gaps = _Told(), 0, list[int]()
    for kind, _, *rest in entries:
        if kind == "chunk" and rest[4] >= 0:
            segment, first, n_times, t_anchor, row = rest
            if segment > newest and len(gaps) == segment - newest:
                told.before[segment] = sum(gaps)
            newest, gaps = segment, []
            bases = told.bases.setdefault(segment, [(row - first, row - first)])
            if bases[-1][1] != row - first:
                bases.append((row, row - first))
            told.decoded[segment] = row + n_times
            told.anchors[segment] = (told.anchors.get(segment, (t_anchor,))[0], t_anchor)
        elif kind == "revision":
            told.revisions.append(Revision(*rest))
        elif kind == "gap" and rest[2] not in _INEXACT:
            gaps.append(round(rest[1] * sfreq))
    for revision in told.revisions:
        if revision.first == 0 and revision.segment in told.before:
            lost = told.before[revision.segment] + revision.n_times
            told.before[revision.segment] = max(0, lost)
    return told


def _shift(revisions: Iterable[Revision], segment: int, sample: int) -> int:
    """Return how many samples were lost before one that were not counted."""
    return sum(r.n_times for r in revisions if r.segment == segment and 0 < r.first <= sample)


def _lay_out(
    segment: int,
    bases: list[tuple[int, int]],
    revisions: list[Revision],
    stop: int,
    start: int,
) -> tuple[list[Stretch], list[Missing]]:
    """Return the rows of a segment up to `stop`, and what is missing between them."""
    cuts = [(row, base) for row, base in bases if row < stop]
    for revision in revisions:
        base = max((c for c in cuts if c[0] - c[1] <= revision.first), key=lambda c: c[0])[1]
        if base + revision.first < stop:
            cuts.append((base + revision.first, base))
    cuts = sorted(dict(cuts).items())
    parts: list[Stretch] = []
    missing: list[Missing] = []
    for (row, base), end in zip(cuts, [*(row for row, _ in cuts[1:]), stop], strict=True):
        at = start + row - base + _shift(revisions, segment, row - base)
        if parts and (n_lost := at - parts[-1].start - parts[-1].n_times):
            missing.append(Missing(at - n_lost, n_lost, "BAD_ACQ_SKIP"))
        parts.append(Stretch(segment, row, end - row, at, row - base))
        unsure = [r.stop - r.first for r in revisions if r.first == row - base]
        missing += [Missing(at, min(n, end - row), "BAD_unplaced") for n in unsure]
    return parts, missing
