"""Where samples and markers are: numbers in the recording, and numbers within the chain."""

from __future__ import annotations

from dataclasses import dataclass, replace

from streaming.signal import Chunk, Marker, SignalSpec

__all__ = ["Stretch", "Stretches"]


@dataclass(frozen=True, slots=True)
class Stretch:
    """Samples fed without a break: a segment, or what follows an interruption within one.

    Parameters
    ----------
    number : int
        What the chain takes for its segment.
    segment : int
        Of the recording.
    base : int
        Index in that of the stretch's first sample.
    """

    number: int
    segment: int
    base: int


class Stretches:
    """The newest stretches: chunks come out counted from the start of theirs.

    Parameters
    ----------
    spec : SignalSpec
        Of the source, at the rate of the model.

    Attributes
    ----------
    next : int
        Index in its segment of the sample that is due.
    """

    def __init__(self, spec: SignalSpec) -> None:
        self.spec = spec
        self._known: list[Stretch] = []
        self._broken = False
        self._oldest = 0  # the first in which markers are placed
        self.next = 0

    @property
    def begun(self) -> bool:
        """Whether any sample was fed."""
        return bool(self._known)

    def break_off(self) -> None:
        """Begin another with the next chunk, wherever that is."""
        self._broken = True

    def forget(self) -> None:
        """Break off, and place no marker any more in what was fed so far."""
        self._broken = True
        self._oldest = self._known[-1].number + 1 if self._known else 0

    def follow(self, chunk: Chunk) -> tuple[Stretch, bool, int]:
        """Take the next chunk.

        Returns
        -------
        stretch : Stretch
            That it is in.
        begins : bool
            Whether it begins with this chunk.
        n_skipped : int
            Samples of the same segment that were never fed.
        """
        now = self._known[-1] if self._known else None
        broken, self._broken = self._broken, False
        goes_on = now is not None and chunk.segment == now.segment
        n_skipped = chunk.first - self.next if goes_on and not broken else 0
        self.next = chunk.first + chunk.n_times
        if now is not None and goes_on and not broken and not n_skipped:
            return now, False, 0
        begun = Stretch(now.number + 1 if now else 0, chunk.segment, chunk.first)
        self._known = [*self._known[-1:], begun]
        return begun, True, n_skipped

    def numbered(self, number: int) -> Stretch:
        """Return a stretch by what the chain calls it."""
        for stretch in self._known:
            if stretch.number == number:
                return stretch
        return Stretch(number, number, 0)

    def renumber(self, chunk: Chunk, stretch: Stretch) -> Chunk:
        """Count from the start of the stretch, at the rate of the model."""
        first = chunk.first - stretch.base
        t_anchor = chunk.t_anchor + stretch.base / self.spec.sfreq
        if chunk.spec.sfreq != self.spec.sfreq:  # else this would round, by how it was cut
            t_anchor = chunk.t0 - first / self.spec.sfreq
        return Chunk(chunk.data, self.spec, stretch.number, first, t_anchor, chunk.bad)

    def is_ahead(self, marker: Marker) -> bool:
        """Whether a marker is for a stretch that did not begin yet."""
        if not self._known or self._broken:
            return True
        return marker.segment > self._known[-1].segment

    def place(self, marker: Marker) -> Marker:
        """Say where a marker is in the stretches that were fed."""
        placed = [stretch for stretch in self._known if stretch.number >= self._oldest]
        for stretch in reversed(placed):
            before_segment = stretch.base == 0  # and so is a marker that fell into a gap
            if stretch.segment == marker.segment and (
                marker.sample >= stretch.base or before_segment
            ):
                sample = marker.sample - stretch.base
                return replace(marker, segment=stretch.number, sample=sample)
        return replace(marker, segment=-1)
