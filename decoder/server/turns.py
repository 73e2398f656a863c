"""When a request is answered: all clients share the event loop, and the decoder is near."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Turns", "all_turns", "frame_turns", "own_turns"]


@dataclass(slots=True)
class Turns:
    """Gives out turns, so many a second, and some at once after a pause.

    Parameters
    ----------
    rate : float
        Requests a second.
    burst : int
        How many may come at once.
    """

    rate: float
    burst: int
    _due: float = 0.0

    def wait(self, now: float) -> float:
        """Return for how many seconds a request has to wait that comes at `now`."""
        self._due = max(self._due + 1 / self.rate, now - self.burst / self.rate)
        return max(0.0, self._due - now)


def own_turns() -> Turns:
    """Return the turns of one client."""
    return Turns(rate=50.0, burst=100)


def all_turns() -> Turns:
    """Return the turns of all clients together.

    Answering 1,000 a second made the decoder late by up to 0.3 s on a busy machine: both are
    threads of one interpreter.
    """
    return Turns(rate=500.0, burst=500)


def frame_turns() -> Turns:
    """Return the turns of the frames of one client: also of pings, and of pieces of a message.

    Unlimited, one that had not said who it is kept a core busy, everybody else waiting for
    2.7 s, and 20 MB of answers to its pings a second in memory.
    """
    return Turns(rate=200.0, burst=1000)
