"""From the decoder to the clients: each message encoded once, each client at its own pace.

Lives on the event loop: `publish` is called there and never waits.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass

from streaming.lsl_clock import Clock

__all__ = ["Client", "Hub", "Message"]

N_LOSSLESS = 1024
"""Messages a lossless client may lag behind before it is closed: about 50 s at 20 a second."""

MAX_AGE = 0.5
"""Seconds after which a message is not worth sending to a `latest` client any more."""

N_LATEST = 64
"""Messages kept for `latest` streams: `MAX_AGE` at 128 a second."""


@dataclass(frozen=True, slots=True)
class Message:
    """What goes to clients.

    Parameters
    ----------
    stream : str
        What it belongs to.
    body : str or bytes
        A text frame, or a binary one.
    t_emit : float
        When it was made, in seconds on the LSL clock.
    retain : str
        The newest message of each is also sent to whoever subscribes later: who joins while
        the source is away must not think it live. Empty for those that are not kept.
    seq : int
        Its place in the log; 0 for what is never logged.
    """

    stream: str
    body: str | bytes
    t_emit: float
    retain: str = ""
    seq: int = 0


class Client:
    """The queues of one client, one for each policy.

    A full queue closes a `lossless` client; a `latest` one misses what grew too old.
    """

    def __init__(self, clock: Clock) -> None:
        self.policies: dict[str, str] = {}
        self.n_missed = 0
        self._clock = clock
        self._overflowed = False
        self._lossless: deque[Message] = deque()
        self._latest: deque[Message] = deque(maxlen=N_LATEST)
        self._wake = asyncio.Event()

    @property
    def n_queued(self) -> int:
        """How many messages wait for the client."""
        return len(self._lossless) + len(self._latest)

    def offer(self, message: Message) -> None:
        """Queue a message by the policy of its stream; never waits."""
        policy = self.policies.get(message.stream)
        if policy is None:
            return
        if policy == "latest":
            self.n_missed += len(self._latest) == N_LATEST
            self._latest.append(message)
        elif len(self._lossless) < N_LOSSLESS:
            self._lossless.append(message)
        else:
            self._overflowed = True
        self._wake.set()

    async def next(self) -> Message | None:
        """Return the next message, or None when the client has to be closed with 1013."""
        while not self._overflowed:
            if self._lossless:
                return self._lossless.popleft()
            while self._latest:
                message = self._latest.popleft()
                if self._clock() - message.t_emit <= MAX_AGE:
                    return message
                self.n_missed += 1
            self._wake.clear()
            await self._wake.wait()
        return None


class Hub:
    """All clients.

    Parameters
    ----------
    last_seq : int
        The last event of the log; later `publish` counts on.
    """

    def __init__(self, last_seq: int = 0) -> None:
        self.last_seq = last_seq
        self.clients: set[Client] = set()
        self.retained: dict[str, Message] = {}

    def wants(self, stream: str) -> bool:
        """Whether any client subscribed to a stream; any thread may ask."""
        return any(stream in client.policies for client in tuple(self.clients))

    def publish(self, message: Message) -> None:
        """Offer a message to every client."""
        self.last_seq = message.seq or self.last_seq
        if message.retain:
            self.retained[message.retain] = message
        for client in self.clients:
            client.offer(message)
