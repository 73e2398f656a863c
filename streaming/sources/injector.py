"""Cut streams into what leaves together, and let faults act on it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from streaming.description import describe
from streaming.errors import ConfigError, UnitError
from streaming.outlet import StreamDescription
from streaming.sources.effects import alter_rows, jitter_delay, stamp_shift
from streaming.sources.faults import Fault, Schedule
from streaming.sources.playable import Block, Rows

__all__ = ["Hit", "Injector", "Piece", "injectors"]

_LONGEST_PIECE = 0.1
"""Seconds of signal that leave together at most."""

_JUMP = 0.1
"""Seconds between two samples from which they do not leave together."""


@dataclass(frozen=True, slots=True)
class Hit:
    """What a fault did to a piece.

    Parameters
    ----------
    fault : int
        Number of the fault in the schedule.
    value : float
        The delay of ``jitter`` [s], the shift of ``drift`` at the last sample [s], when a
        ``stall`` lets it go [s since the start]; else 0.
    """

    fault: int
    value: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """Consecutive samples of one stream that leave together.

    Parameters
    ----------
    stream : int
        Which stream, from 0.
    first : int
        Index of the first, counted as they were taken.
    t : array of shape (n_taken,)
        When each was taken, in seconds since the start.
    rows : array of shape (n_sent, n_channels) or list of lists of str
        What is sent: the samples, fewer or none where a fault swallows them.
    stamps : array of shape (n_sent,)
        What the sender says of when, in seconds since the start.
    due : float
        When they leave, in seconds since the start.
    hits : tuple of Hit
        The faults that act on them.
    """

    stream: int
    first: int
    t: NDArray[np.float64]
    rows: Rows
    stamps: NDArray[np.float64]
    due: float
    hits: tuple[Hit, ...] = ()


class Injector:
    """Cut a stream into pieces and let the faults that concern it act on each.

    Pieces end at multiples of their length, at jumps, and where a fault begins or ends; so
    how the stream comes in changes nothing. Whatever faults do, a stream is a pipe: a piece
    never leaves before the one that was taken before it.

    Parameters
    ----------
    stream : int
        Number of the stream.
    description : StreamDescription
        What it says of itself.
    schedule : Schedule
        All faults.
    chunk_size : int
        Samples in a piece, at most; fewer where those take more than 0.1 s.

    Raises
    ------
    ConfigError
        If a fault names a channel that is not there or has a level in a unit that is not the
        channel's.
    """

    def __init__(
        self, stream: int, description: StreamDescription, schedule: Schedule, chunk_size: int
    ) -> None:
        self.description = description
        d = description
        self._stream, self._sfreq, self._seed = stream, d.sfreq, schedule.seed
        self._length = 1
        if d.sfreq > 0:
            self._length = max(1, min(chunk_size, round(_LONGEST_PIECE * d.sfreq)))
        self.faults = {
            n: fault
            for n, fault in enumerate(schedule.faults)
            if d.is_signal and fault.stream in {"", d.name}
        }
        self.columns = {n: _columns(fault, d) for n, fault in self.faults.items()}
        self.levels = {n: _levels(f, d, self.columns[n]) for n, f in self.faults.items()}
        self._n, self._last_due = 0, -math.inf
        self._held: Block | None = None
        self._back: dict[int, tuple[int, float]] = {}  # fault: first sample after its outage

    @property
    def outages(self) -> list[tuple[float, float, StreamDescription]]:
        """When the outlet is taken away and comes back [s since the start], and how."""
        return [
            (fault.at, fault.end, _variant(self.description, fault))
            for fault in sorted(self.faults.values(), key=lambda fault: fault.at)
            if fault.kind == "disconnect"
        ]

    def feed(self, block: Block) -> Iterator[Piece]:
        """Take samples, and yield the pieces that are complete."""
        if self._held is not None:
            t = np.concatenate([self._held.t, block.t])
            block = Block(block.stream, t, _joined(self._held.rows, block.rows))
        cuts = self._cuts(block.t)
        for start, stop in pairwise(cuts):
            yield self._piece(block.t[start:stop], block.rows[start:stop])
        last = cuts[-1]
        self._held = Block(block.stream, block.t[last:], block.rows[last:])
        if (self._n + len(self._held.t)) % self._length == 0:
            yield from self.flush()

    def flush(self) -> Iterator[Piece]:
        """Yield what is left."""
        held, self._held = self._held, None
        if held is not None and len(held.t):
            yield self._piece(held.t, held.rows)

    def _cuts(self, t: NDArray[np.float64]) -> list[int]:
        """Return where pieces begin; the last is not complete."""
        index = self._n + np.arange(1, len(t))
        cut = (index % self._length == 0) | (np.diff(t) > _JUMP)
        for fault in self.faults.values():
            cut |= np.diff(fault.covers(t))
            if fault.kind == "drift":  # its outages end within its reach
                cut |= np.diff(t < fault.at + fault.duration)
        return [0, *(np.flatnonzero(cut) + 1).tolist()]

    def _piece(self, t: NDArray[np.float64], rows: Rows) -> Piece:
        first, self._n = self._n, self._n + len(t)
        period = 1 / self._sfreq if self._sfreq else 0.0
        piece = Piece(self._stream, first, t, rows, t, float(t.max()) + period)
        for n, fault in self.faults.items():
            if fault.covers(t[:1])[0]:
                piece = self._hit(piece, n, fault)
        piece = self._announced(piece)
        coming = [fault.at for fault in self.faults.values() if fault.kind == "disconnect"]
        gone = min((at for at in coming if at > t[0]), default=math.inf)
        self._last_due = max(self._last_due, min(piece.due, gone))
        return replace(piece, due=self._last_due)

    def _hit(self, piece: Piece, n: int, fault: Fault) -> Piece:
        if fault.kind in {"drop", "disconnect"}:
            hits = (*piece.hits, Hit(n))
            return replace(piece, rows=piece.rows[:0], stamps=piece.stamps[:0], hits=hits)
        rows, stamps, due, value = piece.rows, piece.stamps, piece.due, 0.0
        if fault.kind == "stall":
            value = due = max(due, fault.end)
        elif fault.kind == "jitter":
            key = self._seed, self._stream, n
            period = self._length / self._sfreq
            value = jitter_delay(key, piece.first // self._length, fault.amount, period)
            stamps, due = stamps + value, due + value
        else:
            index = piece.first + np.arange(len(piece.t))
            shift = stamp_shift(fault, index, piece.t, self._sfreq)
            stamps = stamps + shift[: len(stamps)]
            if fault.kind in {"bunch", "drift"}:
                due += float(shift.max())
            if fault.kind == "drift":
                value = float(shift[-1])
        if not isinstance(rows, list):
            t = piece.t[: len(rows)]
            rows = alter_rows(fault, rows, t, self.columns[n], self.levels[n])
        hits = (*piece.hits, Hit(n, value))
        return replace(piece, rows=rows, stamps=stamps, due=due, hits=hits)

    def _announced(self, piece: Piece) -> Piece:
        """Return a piece at the rate and with the channels with which the stream came back."""
        over = {n: f for n, f in self.faults.items() if f.kind == "disconnect"}
        over = {n: f for n, f in over.items() if f.end <= piece.t[0] + 1e-6}
        if not over:
            return piece
        n, fault = max(over.items(), key=lambda item: item[1].end)
        first, _ = self._back.setdefault(n, (piece.first, float(piece.t[0])))
        rows, stamps = piece.rows, piece.stamps
        if fault.rate and len(rows):
            start, stop = piece.first - first, piece.first - first + len(rows)
            share = self._sfreq / fault.rate
            k = np.arange(math.ceil(start / share), math.ceil(stop / share))
            at = np.minimum(np.floor(k * share).astype(int) - start, len(rows) - 1)
            assert isinstance(rows, np.ndarray)  # noqa: S101 - faults concern signals alone
            rows = rows[at]
            stamps = stamps[at] + (k * share - np.floor(k * share)) / self._sfreq
        if fault.n_channels:
            assert isinstance(rows, np.ndarray)  # noqa: S101
            rows = rows[:, : fault.n_channels]
        return replace(piece, rows=rows, stamps=stamps)


def injectors(
    streams: Sequence[StreamDescription], schedule: Schedule, chunk_size: int
) -> list[Injector]:
    """Make the injector of each stream.

    Raises
    ------
    ConfigError
        If a fault concerns no signal, or outages overlap; see also `Injector`.
    """
    made = [Injector(n, d, schedule, chunk_size) for n, d in enumerate(streams)]
    names = [d.name for d in streams if d.is_signal]
    for n, fault in enumerate(schedule.faults):
        if not any(n in injector.faults for injector in made):
            there = ", ".join(names) or "none"
            msg = f"fault {fault.text!r}: there is no such signal; the signals are: {there}"
            raise ConfigError(msg)
    for injector in made:
        times = [t for gone, back, _ in injector.outages for t in (gone, back)]
        if times != sorted(times):
            msg = (
                f"outages of {injector.description.name} overlap: let each end before the next"
            )
            raise ConfigError(msg)
    return made


def _columns(fault: Fault, description: StreamDescription) -> list[int]:
    labels = [label for label, _, _ in description.channels()]
    missing = [name for name in fault.channels if name not in labels]
    if missing:
        msg = (
            f"fault {fault.text!r}: {description.name} has no channel {missing[0]!r}; "
            f"it has {', '.join(labels[:20])}"
        )
        raise ConfigError(msg)
    if fault.n_channels > description.n_channels:
        msg = f"fault {fault.text!r}: {description.name} has {description.n_channels} channels"
        raise ConfigError(msg)
    if fault.kind == "nan" and description.channel_format not in {"float32", "double64"}:
        msg = f"fault {fault.text!r}: {description.name} sends whole numbers, which have no NaN"
        raise ConfigError(msg)
    if fault.channels:
        return [labels.index(name) for name in fault.channels]
    return list(range(description.n_channels))


def _levels(
    fault: Fault, description: StreamDescription, columns: list[int]
) -> NDArray[np.float64]:
    """Return a level in the unit of each channel."""
    if not fault.unit:
        return np.full(len(columns), fault.amount)
    d = description
    said = [d.channels()[n] for n in columns]
    try:
        found = describe(d.sfreq, d.type, said)
    except UnitError as error:
        msg = f"fault {fault.text!r}: {d.name}: {error}; or give the level as a plain number"
        raise ConfigError(msg) from error
    other = [
        name
        for name, unit in zip(found.spec.ch_names, found.spec.units, strict=True)
        if unit != fault.unit
    ]
    if other:
        msg = (
            f"fault {fault.text!r}: {d.name} has channels that are not in {fault.unit}, such "
            f"as {other[0]}: name those that are with channels=, or give a plain number"
        )
        raise ConfigError(msg)
    return fault.amount / np.array(found.to_si)


def _variant(description: StreamDescription, fault: Fault) -> StreamDescription:
    changed = replace(description, sfreq=fault.rate or description.sfreq)
    return changed.first_channels(fault.n_channels) if fault.n_channels else changed


def _joined(one: Rows, other: Rows) -> Rows:
    if isinstance(one, list) or isinstance(other, list):
        return [*one, *other]
    return np.concatenate([one, other])
