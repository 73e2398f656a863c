"""When a client that asked for so many messages a second gets the next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from decoder.server.hub import Message

__all__ = ["Pace"]

GRACE = 0.02
"""Seconds at most that a client of policy ``rate`` waits for something newer."""


@dataclass(slots=True)
class Pace:
    """The newest message of a stream, and when the client gets it.

    Parameters
    ----------
    period : float
        Seconds between two messages.
    due : float
        When the next may be sent.
    newest : Message or None
        What waits.
    ahead : float
        By how many seconds turns have been moved.

    Notes
    -----
    A message that had to wait for its turn is old. So another one is waited for a little, and
    turns move to when messages come: by up to half a period in all, so that the client gets no
    more of them in the long run.
    """

    period: float
    due: float = 0.0
    newest: Message | None = None
    ahead: float = 0.0

    @property
    def turn(self) -> float:
        """When a message that waits is sent, if no newer one has come by then."""
        grace = min(GRACE, self.period / 10)
        is_old = self.newest is not None and self.due - self.newest.t_emit > grace
        return self.due + grace if is_old else self.due

    def sent(self, now: float, message: Message) -> None:
        """Note that a message is sent; nothing waits any more."""
        shift = min(max(now - message.t_emit, 0.0), self.period / 2 - self.ahead)
        self.ahead = max(0.0, self.ahead + shift - (now - self.due))
        self.newest, self.due = None, now + self.period - shift
