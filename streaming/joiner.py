"""The state that joins signals as their samples come: what waits, and where the joined one is.

How samples are joined is in `streaming.join`. Joining takes 2 % of a core for two amplifiers of
32 or of 153 channels at 1 kHz that send blocks of 10, beside 2 % for their clocks; 16 % for
three that send each sample alone.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from streaming.clock import StreamClock
from streaming.join import Join, join_data
from streaming.ring import Ring
from streaming.rows import Piece
from streaming.signal import Chunk, Gap, Revision, SignalSpec

__all__ = ["PATIENCE", "Joined", "Joiner"]

PATIENCE = 3.0
"""Seconds of the first signal that wait for another at most: one that sends nothing for 2 s is
stalled, and said to be."""

_KEPT = 6.0
"""Seconds of another signal that are kept for the first: its clock may hold samples back for
5 s, and in the first second of a segment its anchor moves by up to half a sample with each
chunk. If the first sends nothing for longer, the oldest are let go."""


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
    revisions : tuple of Revision
        What is only known by now of samples before.
    """

    gap: Gap | None
    chunk: Chunk
    join: Join | None = None
    revisions: tuple[Revision, ...] = ()

    @property
    def news(self) -> list[Gap | Revision]:
        """What is to be told before the samples."""
        return [*self.revisions, *([self.gap] if self.gap is not None else [])]


class _Segment:
    """The newest samples of a signal in one unbroken stretch.

    Parameters
    ----------
    piece : Piece
        The first.
    sfreq : float
        Nominal rate of the signal, in Hz.
    """

    def __init__(self, piece: Piece, sfreq: float) -> None:
        gap = piece.stretch.gap
        self.number, self.start = piece.stretch.segment, piece.row - piece.stretch.first
        self.reason = gap.reason if gap is not None else "lost"
        self.sfreq, self.t_anchor, self.closed = sfreq, 0.0, False
        self.rows = Ring(len(piece.data), math.ceil(_KEPT * sfreq))
        self.rows.clear(piece.row)

    def take(self, piece: Piece) -> None:
        self.rows.write(piece.data)
        self.t_anchor = piece.stretch.t_anchor

    def position(self, t: float) -> float:
        return self.start + (t - self.t_anchor) * self.sfreq


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
    n_dropped: int = 0  # samples of the first signal since then
    reasons: set[str] = field(default_factory=set)  # of gaps in what was dropped
    revisions: list[Revision] = field(default_factory=list)  # to be told


class Joiner:
    """Join signals as their samples come; one alone passes as it is.

    A gap in one is a gap of all. A loss in another than the first that is found late is told
    as a `Revision` of 0 samples: none are missing of the first, but those of the other were at
    other instants than was thought. Where one sends nothing, the first waits for it for up to
    3 s of its samples; those before are dropped, which is a gap too. If the first sends
    nothing, the newest 6 s of each other are kept.

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
            self._note(which, piece.stretch.revisions)
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
        most = self._spec.to_samples(PATIENCE)
        while self._n_waiting > most:
            self._drop(min(self._n_waiting - most, self._first[0].data.shape[1]))
        return joined

    def _pass(self, piece: Piece) -> Joined:
        chunk, here = piece.to_chunk(self._spec), self._here
        here.segment, here.t_anchor, here.t_next = chunk.segment, chunk.t_anchor, chunk.t_end
        return Joined(piece.stretch.gap, chunk, revisions=piece.stretch.revisions)

    def _take(self, segments: deque[_Segment], sfreq: float, piece: Piece) -> None:
        if not segments or segments[-1].number != piece.stretch.segment:
            if segments:
                segments[-1].closed = True
            segments.append(_Segment(piece, sfreq))
        segments[-1].take(piece)
        # all of one that has ended is too old
        while segments[0].closed and segments[-1].rows.stop - segments[0].rows.stop > (
            _KEPT * sfreq
        ):
            segments.popleft()

    def _advance(self) -> int:
        """Return how many of the next samples are complete; negative: never will be."""
        piece = self._first[0]
        n_times = int(piece.data.shape[1])
        t = piece.stretch.t_anchor + piece.stretch.first / self._spec.sfreq
        for segments, spec in zip(self._others, self._specs[1:], strict=True):
            step = spec.sfreq / self._spec.sfreq
            while segments and segments[0].closed:
                if segments[0].position(t) < segments[0].rows.stop - 2:
                    break
                segments.popleft()
            if not segments:
                return 0
            segment = segments[0]
            at = segment.position(t)
            start, stop = segment.rows.start + 1, segment.rows.stop - 2
            if at < start:  # taken before there was anything
                return -min(n_times, math.ceil((start - at) / step))
            n_times = min(n_times, max(0, math.ceil((stop - at) / step)))
        # the last may be a rounding error too far
        for segments, spec in zip(self._others, self._specs[1:], strict=True):
            step = spec.sfreq / self._spec.sfreq
            at, stop = segments[0].position(t), segments[0].rows.stop
            while n_times and math.floor(at + (n_times - 1) * step) + 2 >= stop:
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
        self._here.n_dropped += n_times
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
            [piece.data, *(head.rows.read(head.rows.start, head.rows.stop) for head in heads)],
            [piece.row, *(head.rows.start for head in heads)],
            self._specs,
        )
        numbers = (s.segment, *(head.number for head in heads))
        gap = None
        if numbers != here.segments or piece.row != here.row:
            gap = self._begin(numbers, piece, heads, t)
        here.t_anchor = s.t_anchor + here.start / sfreq
        chunk = Chunk(data, self._spec, here.segment, here.n, here.t_anchor)
        here.n += n_times
        here.row, here.n_dropped = piece.row + n_times, 0
        here.t_next = chunk.t_end
        revisions = tuple(here.revisions)
        here.revisions.clear()
        return Joined(gap, chunk, join, revisions)

    def _note(self, which: int, revisions: Sequence[Revision]) -> None:
        """Keep late findings about a signal as ones about all, to be told."""
        here = self._here
        for revision in revisions:
            if here.segment < 0 or revision.segment != here.segments[which]:
                continue
            length = revision.stop - revision.first
            first, n_times = revision.first - here.start, revision.n_times
            if which:
                first, n_times = self.locate(revision.t)[1], 0
            first, stop = max(0, first), max(1, first + length)
            here.revisions.append(
                replace(revision, segment=here.segment, first=first, stop=stop, n_times=n_times)
            )

    def _begin(
        self, numbers: tuple[int, ...], piece: Piece, heads: Sequence[_Segment], t: float
    ) -> Gap | None:
        here = self._here
        gap = None
        if here.segment >= 0:
            own = piece.stretch.gap
            reasons: set[str] = here.reasons | {
                head.reason
                for head, before, now in zip(heads, here.segments[1:], numbers[1:], strict=True)
                if before != now
            }
            reasons |= {own.reason} if own is not None else set()
            reason = "reconnect" if "reconnect" in reasons else "lost"
            lost = max(0.0, t - here.t_next)
            if reasons == {"clock"}:  # instants do not tell
                reason = "clock"
                lost = here.n_dropped / self._spec.sfreq
                lost += own.duration if own is not None else 0.0
            gap = Gap(here.t_next, lost, reason)  # type: ignore[arg-type]
        here.segment, here.n, here.segments = here.segment + 1, 0, numbers
        here.start = piece.stretch.first
        here.reasons.clear()
        return gap
