"""Several signals as one: the channels of all, at the instants of the first.

Two amplifiers have two clocks, so their samples are not taken at the same instants, and one
takes a few more than the other in an hour. The samples of the first stream stay as they are;
those of the others are interpolated at its instants, by the cubic through the four samples
around (Lagrange), and triggers are taken from the nearest. That passes a sine at a tenth of the
rate to 0.4 %, and at a fifth to 5 %, at worst (half way between two samples). It costs no delay
in time, as each value is for its instant, but waiting: a sample is given out when two more have
come of each other stream.

Joining takes 3 % of a core for two amplifiers of 32 or of 153 channels at 1 kHz that send
blocks of 10, beside 2 % for their clocks; 22 % for three that send each sample alone.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from streaming.clock import StreamClock
from streaming.errors import SourceError
from streaming.rows import Piece
from streaming.signal import Chunk, Gap, Revision, SignalSpec

__all__ = ["Join", "Joined", "Joiner", "interpolate", "join_data", "join_specs"]

_SAME_RATE = 1e-3
"""How far nominal rates may be apart, relatively: clocks are, rates that are set are not."""

_PATIENCE = 3.0
"""Seconds of the first signal that wait for another at most: one that sends nothing for 2 s is
stalled, and said to be."""

_KEPT = 0.25
"""Seconds of another signal that are kept for samples of the first that are placed anew: in
the first second of a segment its anchor moves by up to half a sample with each chunk."""


def join_specs(names: Sequence[str], specs: Sequence[SignalSpec]) -> SignalSpec:
    """Return what several signals are together, at the rate of the first.

    Parameters
    ----------
    names : sequence of str
        What the signals are called, for errors.
    specs : sequence of SignalSpec
        One for each.

    Raises
    ------
    SourceError
        If their rates differ by more than 0.1 %, or they share names of channels.
    """
    first = specs[0]
    seen: dict[str, str] = {}
    for name, spec in zip(names, specs, strict=True):
        if abs(spec.sfreq / first.sfreq - 1) > _SAME_RATE:
            msg = (
                f"{names[0]} has {first.sfreq:g} Hz and {name} {spec.sfreq:g} Hz: signals are "
                f"joined sample by sample, so set both amplifiers to the same rate"
            )
            raise SourceError(msg)
        both = [ch for ch in spec.ch_names if ch in seen]
        if both:
            shown = ", ".join(both[:4]) + (", ..." if len(both) > 4 else "")
            msg = (
                f"{seen[both[0]]} and {name} both have channels {shown}: give them different "
                f"labels in the program that sends one of them"
            )
            raise SourceError(msg)
        seen |= dict.fromkeys(spec.ch_names, name)
    positions: tuple[float, ...] = ()
    if any(spec.positions for spec in specs):
        unknown = [(0.0,) * 3 * len(spec.ch_names) for spec in specs]
        positions = sum((s.positions or u for s, u in zip(specs, unknown, strict=True)), ())
    return SignalSpec(
        first.sfreq,
        sum((spec.ch_names for spec in specs), ()),
        sum((spec.ch_types for spec in specs), ()),
        positions,
    )


def interpolate(
    data: NDArray[np.float32], base: int, positions: NDArray[np.float64], steps: Sequence[bool]
) -> NDArray[np.float32]:
    """Return what a signal is between its samples.

    Each value depends on nothing but its position and the four samples around, so that it is
    the same bit for bit however the signal was cut.

    Parameters
    ----------
    data : array of shape (n_channels, n_rows)
        Samples; with at least one before and two after each position.
    base : int
        Row of the first.
    positions : array of shape (n_times,)
        Where, in rows.
    steps : sequence of bool
        For each channel, whether it is of steps (triggers): the nearest sample is taken.

    Returns
    -------
    array of shape (n_channels, n_times)
    """
    whole = np.floor(positions)
    u = positions - whole
    at = whole.astype(np.intp) - base
    out = np.empty((len(data), len(positions)), np.float32)
    stepped = np.asarray(steps, bool)
    out[stepped] = data[stepped][:, at + (u >= 0.5)]
    if not stepped.all():
        x = data[~stepped].astype(np.float64)
        # Lagrange's polynomials at -1, 0, 1 and 2
        y = x[:, at - 1] * (-u * (u - 1) * (u - 2) / 6)
        y += x[:, at] * ((u + 1) * (u - 1) * (u - 2) / 2)
        y += x[:, at + 1] * (-(u + 1) * u * (u - 2) / 2)
        y += x[:, at + 2] * ((u + 1) * u * (u - 1) / 6)
        with np.errstate(over="ignore"):
            out[~stepped] = y
    return out


@dataclass(frozen=True, slots=True)
class Join:
    """How samples were joined: enough to do it again.

    Parameters
    ----------
    row : int
        Of the first signal, where they begin.
    n_times : int
        How many.
    positions : tuple of float
        For each other signal, where in its rows the first of them lies.
    """

    row: int
    n_times: int
    positions: tuple[float, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Joined:
    """Samples of all signals.

    Parameters
    ----------
    gap : Gap or None
        What lies before them.
    chunk : Chunk
        The samples.
    join : Join or None
        How they were joined; None of one signal alone.
    revision : Revision or None
        What is only known by now of samples before.
    """

    gap: Gap | None
    chunk: Chunk
    join: Join | None = None
    revision: Revision | None = None

    @property
    def news(self) -> list[Gap | Revision]:
        """What is to be told before the samples."""
        return [item for item in (self.revision, self.gap) if item is not None]


def join_data(
    join: Join,
    data: Sequence[NDArray[np.float32]],
    bases: Sequence[int],
    specs: Sequence[SignalSpec],
) -> NDArray[np.float32]:
    """Return samples of several signals as those of one.

    Parameters
    ----------
    join : Join
        Which.
    data : sequence of array of shape (n_channels, n_rows)
        The samples of each signal.
    bases : sequence of int
        The row of the first sample of each array.
    specs : sequence of SignalSpec
        What each signal is.

    Returns
    -------
    array of shape (n_channels_of_all, join.n_times)
    """
    start = join.row - bases[0]
    parts = [data[0][:, start : start + join.n_times]]
    for x, base, spec, position in zip(
        data[1:], bases[1:], specs[1:], join.positions, strict=True
    ):
        at = position + np.arange(join.n_times) * (spec.sfreq / specs[0].sfreq)
        steps = [not unit for unit in spec.units]
        parts.append(interpolate(x, base, at.astype(np.float64), steps))
    return np.concatenate(parts)


@dataclass(slots=True)
class _Segment:
    """Samples of a signal in one unbroken stretch, of which the oldest were let go."""

    number: int
    start: int  # row of its first sample
    reason: Literal["lost", "reconnect", "clock"]
    sfreq: float
    base: int  # row of the first sample that is kept
    data: NDArray[np.float32]
    t_anchor: float = 0.0
    closed: bool = False

    @property
    def stop(self) -> int:
        return self.base + int(self.data.shape[1])

    def take(self, piece: Piece) -> None:
        self.data = np.concatenate([self.data, piece.data], axis=1)
        self.t_anchor = piece.stretch.t_anchor

    def position(self, t: float) -> float:
        return self.start + (t - self.t_anchor) * self.sfreq

    def let_go(self, row: int) -> None:
        n = min(max(0, row - self.base), self.data.shape[1])
        self.data, self.base = self.data[:, n:], self.base + n


@dataclass(slots=True)
class _Here:
    """Where the joined signal is."""

    segment: int = -1
    n: int = 0  # samples of the segment
    segments: tuple[int, ...] = ()  # of each signal
    start: int = 0  # index in the first signal's segment of the joined segment's first sample
    t_anchor: float = 0.0
    t_next: float = 0.0
    row: int = 0  # of the first signal, after the last that was given out
    reasons: set[str] = field(default_factory=set)  # of gaps in what was dropped


class Joiner:
    """Join signals as their samples come; one alone passes as it is.

    A gap in one is a gap of all, but losses in another than the first that are found late are
    only followed. Where one sends nothing, the first waits for it for up to
    3 s of its samples; those before are dropped, which is a gap too.

    Parameters
    ----------
    specs : sequence of SignalSpec
        What each signal is; that of all together is `join_specs` of them.
    clocks : sequence of StreamClock
        What places their samples.
    spec : SignalSpec
        What they are together.
    """

    def __init__(
        self, specs: Sequence[SignalSpec], clocks: Sequence[StreamClock], spec: SignalSpec
    ) -> None:
        self._specs, self._clocks, self._spec = specs, clocks, spec
        self._first: deque[Piece] = deque()
        self._n_waiting = 0
        self._others: list[deque[_Segment]] = [deque() for _ in specs[1:]]
        self._here = _Here()

    @property
    def started(self) -> bool:
        """Whether any sample was given out, so that markers can be placed."""
        return self._here.segment >= 0

    @property
    def undecided(self) -> bool:
        """Whether it is not known yet how the samples are placed that came last."""
        return any(clock.undecided for clock in self._clocks)

    @property
    def t_next(self) -> float:
        """When the sample after the last that was given out is taken."""
        return self._here.t_next

    def locate(self, t: float) -> tuple[int, int]:
        """Return the segment and the index in it of the sample nearest to an instant."""
        here = self._here
        return here.segment, round((t - here.t_anchor) * self._spec.sfreq)

    def feed(self, which: int, pieces: Sequence[Piece]) -> list[Joined]:
        """Take samples of one signal, and return those that are complete.

        Parameters
        ----------
        which : int
            Which signal, from 0.
        pieces : sequence of Piece
            Its next samples.

        Returns
        -------
        list of Joined
            In order.
        """
        if len(self._specs) == 1:
            return [self._pass(piece) for piece in pieces]
        for piece in pieces:
            if which == 0:
                self._first.append(piece)
                self._n_waiting += piece.data.shape[1]
            else:
                self._take(self._others[which - 1], self._specs[which].sfreq, piece)
        joined = []
        while self._first and (n_times := self._advance()):
            if n_times < 0:
                self._drop(-n_times)
            else:
                joined.append(self._give(n_times))
        most = self._spec.to_samples(_PATIENCE)
        while self._n_waiting > most:
            self._drop(min(self._n_waiting - most, self._first[0].data.shape[1]))
        return joined

    def _pass(self, piece: Piece) -> Joined:
        chunk, here = piece.to_chunk(self._spec), self._here
        here.segment, here.t_anchor, here.t_next = chunk.segment, chunk.t_anchor, chunk.t_end
        return Joined(piece.stretch.gap, chunk, revision=piece.stretch.revision)

    def _take(self, segments: deque[_Segment], sfreq: float, piece: Piece) -> None:
        s = piece.stretch
        if not segments or segments[-1].number != s.segment:
            if segments:
                segments[-1].closed = True
            reason = s.gap.reason if s.gap is not None else "lost"
            segments.append(
                _Segment(
                    s.segment,
                    piece.row,
                    reason if reason in {"reconnect", "clock"} else "lost",
                    sfreq,
                    piece.row,
                    piece.data[:, :0],
                )
            )
        segments[-1].take(piece)

    def _advance(self) -> int:
        """Return how many of the next samples are complete; negative: never will be."""
        piece = self._first[0]
        n_times = int(piece.data.shape[1])
        t = piece.stretch.t_anchor + piece.stretch.first / self._spec.sfreq
        for segments, spec in zip(self._others, self._specs[1:], strict=True):
            step = spec.sfreq / self._spec.sfreq
            while segments and segments[0].closed:
                if segments[0].position(t) < segments[0].stop - 2:
                    break
                segments.popleft()
            if not segments:
                return 0
            segment = segments[0]
            at = segment.position(t)
            if at < segment.base + 1:  # taken before there was anything
                return -min(n_times, math.ceil((segment.base + 1 - at) / step))
            n_times = min(n_times, max(0, math.ceil((segment.stop - 2 - at) / step)))
        # the last may be a rounding error too far
        for segments, spec in zip(self._others, self._specs[1:], strict=True):
            step = spec.sfreq / self._spec.sfreq
            at = segments[0].position(t)
            while n_times and math.floor(at + (n_times - 1) * step) + 2 >= segments[0].stop:
                n_times -= 1
        return n_times

    def _cut(self, n_times: int) -> Piece:
        """Take the next samples of the first signal."""
        piece = self._first.popleft()
        s = piece.stretch
        self._n_waiting -= n_times
        if n_times < piece.data.shape[1]:
            rest = Piece(
                piece.data[:, n_times:],
                piece.row + n_times,
                type(s)(s.n_times - n_times, s.segment, s.first + n_times, s.t_anchor),
            )
            self._first.appendleft(rest)
        return Piece(piece.data[:, :n_times], piece.row, s)

    def _drop(self, n_times: int) -> None:
        gap = self._cut(n_times).stretch.gap
        if gap is not None:
            self._here.reasons.add(gap.reason)

    def _give(self, n_times: int) -> Joined:
        piece, here, sfreq = self._cut(n_times), self._here, self._spec.sfreq
        s = piece.stretch
        t = s.t_anchor + s.first / sfreq
        heads = [segments[0] for segments in self._others]
        join = Join(piece.row, n_times, tuple(head.position(t) for head in heads))
        data = join_data(
            join,
            [piece.data, *(head.data for head in heads)],
            [piece.row, *(head.base for head in heads)],
            self._specs,
        )
        numbers = (s.segment, *(head.number for head in heads))
        revision = self._revised(s.revision)
        gap = None
        if numbers != here.segments or piece.row != here.row:
            gap = self._begin(numbers, piece, heads, t)
        here.t_anchor = s.t_anchor + here.start / sfreq
        chunk = Chunk(data, self._spec, here.segment, here.n, here.t_anchor)
        here.n += n_times
        here.row = piece.row + n_times
        here.t_next = chunk.t_end
        for head, position in zip(heads, join.positions, strict=True):
            at = position + n_times * head.sfreq / sfreq
            head.let_go(math.floor(at - _KEPT * head.sfreq))
        return Joined(gap, chunk, join, revision)

    def _revised(self, revision: Revision | None) -> Revision | None:
        """Return a late finding about the first signal as one about all."""
        here = self._here
        if revision is None or revision.segment != here.segments[0]:
            return None
        first = max(0, revision.first - here.start)
        stop = max(first + 1, revision.stop - here.start)
        return replace(revision, segment=here.segment, first=first, stop=stop)

    def _begin(
        self, numbers: tuple[int, ...], piece: Piece, heads: Sequence[_Segment], t: float
    ) -> Gap | None:
        here = self._here
        gap = None
        if here.segment >= 0:
            reasons: set[str] = {
                head.reason
                for head, before, now in zip(heads, here.segments[1:], numbers[1:], strict=True)
                if before != now
            }
            if piece.stretch.gap is not None:
                reasons.add(piece.stretch.gap.reason)
            reason = "reconnect" if "reconnect" in {*reasons, *here.reasons} else "lost"
            lost = max(0.0, t - here.t_next)
            if reasons == {"clock"} and not here.reasons:
                own = piece.stretch.gap
                reason, lost = "clock", own.duration if own is not None else 0.0
            gap = Gap(here.t_next, lost, reason)  # type: ignore[arg-type]
        here.segment, here.n, here.segments = here.segment + 1, 0, numbers
        here.start = piece.stretch.first
        here.reasons.clear()
        return gap
