"""How a live source is doing, and in which words that is said."""

from __future__ import annotations

from collections.abc import Callable

from streaming.lsl_clock import Clock
from streaming.signal import SignalSpec, SourceState

__all__ = ["Condition", "outline", "worst"]

_STALL = 2.0
"""Seconds without a sample after which a source is said to be stalled."""

_WORST = ("live", "stalled", "lost")


class Condition:
    """Of one stream: live, stalled or lost; each change is said once.

    Parameters
    ----------
    name : str
        What the stream is called.
    clock : callable
        The LSL clock.
    say : callable
        Gets each change.
    """

    def __init__(self, name: str, clock: Clock, say: Callable[[SourceState], None]) -> None:
        self._name, self._clock, self._say = name, clock, say
        self.state = self.detail = ""
        self.t_sample = clock()
        """When the last sample came."""

    def now(self) -> float:
        """Return the time."""
        return self._clock()

    def change(self, state: str, detail: str) -> None:
        """Say how the stream is, unless that was said last."""
        if (state, detail) != (self.state, self.detail):
            self.state, self.detail = state, detail
            self._say(SourceState(state, self._clock(), detail))  # type: ignore[arg-type]

    def arrived(self) -> bool:
        """Note that a sample came, and return whether that was not to be expected."""
        self.t_sample = self._clock()
        if self.state == "live":
            return False
        self.change("live", f"{self._name} sends again")
        return True

    def is_due(self) -> bool:
        """Whether it sends nothing although it is there."""
        return self.state == "live" and self._clock() - self.t_sample > _STALL

    def stall(self) -> None:
        """Say that no sample comes."""
        self.change("stalled", f"{self._name} sent no sample for {_STALL:g} s")

    def refuse(self, difference: str) -> None:
        """Say that it is there again, but not as it was."""
        self.change("lost", f"{self._name} is back, but {difference}; looking on")


def worst(conditions: list[Condition]) -> Condition:
    """Return the one that is worst off; of several, the first."""
    return max(conditions, key=lambda c: _WORST.index(c.state) if c.state else 0)


def outline(spec: SignalSpec) -> str:
    """Return in words how many channels there are, and at which rate."""
    names = ", ".join(spec.ch_names[:4]) + (", ..." if len(spec.ch_names) > 4 else "")
    return f"{len(spec.ch_names)} channels ({names}) at {spec.sfreq:g} Hz"
