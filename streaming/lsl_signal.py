"""One signal from LSL: taken in, watched over, and found again."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from streaming.description import Described
from streaming.errors import BraincastError
from streaming.lsl_clock import Clock
from streaming.lsl_inlet import Finder, Inlet, LostError
from streaming.lsl_streams import StreamQuery, is_signal
from streaming.rows import Piece, RowClock
from streaming.signal import SourceState
from streaming.sources.condition import Condition, outline

__all__ = ["LslSignal"]

Receive = Callable[[NDArray[np.generic], NDArray[np.float64]], None]


class LslSignal:
    """A signal that is open.

    If it is gone, it is looked for by its source_id and taken again, in another segment, if
    rate, channels, units and format are what they were.

    Parameters
    ----------
    inlet : Inlet
        The stream.
    described : Described
        Its channels.
    interpret : callable
        How the channels of an inlet are interpreted, when it is there again.
    clock : callable
        The LSL clock.
    say : callable
        Gets each change of state.
    alone : bool
        Whether it is the only signal; see `RowClock`.
    """

    def __init__(
        self,
        inlet: Inlet,
        described: Described,
        interpret: Callable[[Inlet], Described],
        clock: Clock,
        say: Callable[[SourceState], None],
        *,
        alone: bool = True,
    ) -> None:
        self.summary, self.described = inlet.summary, described
        self.xml, self.description = inlet.xml, inlet.description
        self.inlet: Inlet | None = inlet
        self.condition = Condition(self.summary.name, clock, say)
        self.rows = RowClock(described.spec.sfreq, described.to_si, alone=alone)
        self._interpret, self._say = interpret, say
        self._format, self._uid = inlet.channel_format, inlet.uid
        self._finder: Finder | None = None

    def pull(self, timeout: float, receive: Receive) -> list[Piece]:
        """Return the samples that are there.

        Parameters
        ----------
        timeout : float
            Seconds to wait for one.
        receive : callable
            Gets rows and timestamps as they were sent.
        """
        if self.inlet is None:
            return []
        try:
            rows, stamps = self.inlet.pull(timeout)
        except LostError:
            return self._lose()
        if not len(stamps):
            return []
        if self.condition.arrived():
            self._stop_looking()
        receive(rows, stamps)
        pieces = self.rows.feed(rows, stamps + self.inlet.shift, self.condition.t_sample)
        for state, detail in self.rows.clock.take_remarks():
            said = f"{self.summary.name}: {detail}"
            self._say(SourceState(state, self.condition.t_sample, said, "clock"))
        return pieces

    def watch(self) -> list[Piece]:
        """Notice if nothing comes; return the samples that are not to wait for more."""
        if not self.condition.is_due():
            return []
        pieces = self.rows.settle()
        self._look()
        self.condition.stall()
        return pieces

    def find(self) -> tuple[bool, list[Piece]]:
        """Take it again if it is there again; return whether, and what was held back."""
        found = self._finder.poll() if self._finder is not None else None
        if found is None:
            return False, []
        difference = self._difference(found)
        if difference:
            found.close()
            self.condition.refuse(difference)
            return False, []
        pieces = self.rows.reconnect()
        if self.inlet is not None:
            self.inlet.close()
        self.inlet, self._uid, self.description = found, found.uid, found.description
        self.condition.t_sample = self.condition.now()
        return True, pieces

    def close(self) -> None:
        """Disconnect."""
        if self.inlet is not None:
            self.inlet.close()
            self.inlet = None
        self._stop_looking()

    def _lose(self) -> list[Piece]:
        self.inlet = None
        pieces = self.rows.settle()
        self._look()
        self.condition.change("lost", f"{self.summary.name} is gone; looking for it")
        return pieces

    def _look(self) -> None:
        if self._finder is None:
            s = self.summary
            again = StreamQuery(source_id=s.source_id)
            if not s.source_id:  # the sender does not identify itself
                again = StreamQuery(name=s.name, type=s.type)
            known = {self._uid} if self.inlet is not None else set()
            self._finder = Finder(again.to_xpath(), is_signal, known)
        elif self.inlet is None:
            self._finder.forget(self._uid)

    def _stop_looking(self) -> None:
        if self._finder is not None:
            self._finder.close()
            self._finder = None

    def _difference(self, inlet: Inlet) -> str:
        try:
            found = self._interpret(inlet)
        except BraincastError as error:
            return str(error)
        before = self.described
        if found.spec != before.spec:
            return f"with {outline(found.spec)}, and not {outline(before.spec)}"
        if found.to_si != before.to_si or inlet.channel_format != self._format:
            return "in another unit or number format"
        return ""
