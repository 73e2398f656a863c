"""From the decoder to the clients: each message encoded once, each client at its own pace.

Lives on the event loop: `publish` is called there and never waits. To a client that reads, a
message is handed at once; only one that does not has a queue, by its policy:

- ``lossless`` keeps all up to a bound, and is closed with 1013 beyond it;
- ``latest`` misses what grew too old;
- ``rate`` gets the newest message of a stream so many times a second.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

import anyio
from websockets.frames import Frame, Opcode

from decoder.server.images import PNG, Encoding, encode_image
from decoder.server.paced import Pace
from streaming.lsl_clock import Clock

__all__ = ["Client", "Hub", "Line", "Message", "Policy", "frame_of", "frame_of_body"]

Policy = Literal["lossless", "latest", "rate"]

N_LOSSLESS = 1024
"""Messages a lossless client may lag behind before it is closed: about 50 s at 20 a second."""

MAX_LAG = 10.0
"""Seconds that it may lag behind: what is older is not delivered as if it were live."""

MAX_AGE = 0.5
"""Seconds after which a message is not worth sending to another client any more."""

N_LATEST = 64
"""Messages kept for `latest` streams: `MAX_AGE` at 128 a second."""


def frame_of(data: bytes, opcode: Opcode = Opcode.TEXT) -> bytes:
    """Return the websocket frame of a message, the same for all clients."""
    return Frame(opcode, data).serialize(mask=False)


def frame_of_body(body: str | bytes) -> bytes:
    """Return the websocket frame of a body: of text, or a binary one."""
    return frame_of(body.encode()) if isinstance(body, str) else frame_of(body, Opcode.BINARY)


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
    logged : bool
        Whether it is in the log; not if the disk failed.
    purges : bool
        What was queued before it is not sent any more, nor given out again from the log.
    pictures : mapping of str to bytes
        What goes with it of the stream ``image``, by format.

    Attributes
    ----------
    frame : bytes
        As it goes over the wire.
    """

    stream: str
    body: str | bytes
    t_emit: float
    retain: str = ""
    seq: int = 0
    logged: bool = True
    purges: bool = False
    pictures: Mapping[str, bytes] = field(default_factory=dict, repr=False, compare=False)
    frame: bytes = field(init=False, repr=False, compare=False)
    _as: dict[Encoding, str | bytes] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )

    def __post_init__(self) -> None:
        """Encode it, once for all clients."""
        object.__setattr__(self, "frame", frame_of_body(self.body))

    def said(self, encoding: Encoding) -> str | bytes:
        """Return the body as a client wants pictures; each way is made once for all."""
        if self.stream != "image" or not isinstance(self.body, str):
            return self.body
        if encoding not in self._as:
            self._as[encoding] = encode_image(self.body, self.pictures, encoding)
        return self._as[encoding]


class Line(Protocol):
    """The way to a client."""

    @property
    def ready(self) -> bool:
        """Whether the client took all that was written to it before."""

    @property
    def prompt(self) -> bool:
        """Whether it also read it, as far as it is known."""

    @property
    def steady(self) -> bool:
        """Whether it can get more of what it must not miss, also if it reads that later."""

    @property
    def lag(self) -> float:
        """How long what was sent of late was on the way, in seconds."""

    def write(self, frame: bytes, *, timely: bool | None = None) -> None:
        """Write a frame; never waits. `timely`: the client wants nothing old, or no hole."""


class Client:
    """One client: what it subscribed to, and what it did not take yet.

    Parameters
    ----------
    clock : Clock
        LSL's.
    line : Line
        Where messages go.

    Attributes
    ----------
    policies : dict of str to Policy
        Of each stream that it subscribed to.
    resuming : set of str
        Streams that it still gets from the log.
    pictures : Encoding
        How it wants pictures.
    n_missed : int
        Messages it did not get because it read too slowly.
    wanted : Counter of str
        How many clients subscribed to each stream: of all, once it is with a hub.
    """

    def __init__(self, clock: Clock, line: Line) -> None:
        self.policies: dict[str, Policy] = {}
        self.wanted: Counter[str] = Counter()
        self.resuming: set[str] = set()
        self.pictures: Encoding = PNG
        self.n_missed = 0
        self._n_told = 0
        self._clock = clock
        self._line = line
        self._overflowed = False
        self._lossless: deque[Message] = deque()
        self._latest: deque[Message] = deque()
        self._paced: dict[str, Pace] = {}
        self._wake = asyncio.Event()

    @property
    def n_queued(self) -> int:
        """How many messages wait for the client."""
        paced = sum(pace.newest is not None for pace in self._paced.values())
        return len(self._lossless) + len(self._latest) + paced

    def follow(self, streams: Iterable[str], policy: Policy, rate: float = 1.0) -> None:
        """Subscribe to streams; what waits of them from before is not sent.

        Parameters
        ----------
        streams : iterable of str
            Which.
        policy : Policy
            What to do when the client reads too slowly.
        rate : float
            Messages a second of each stream; for the policy ``rate`` alone.
        """
        for stream in streams:
            self.leave(stream)
            self.policies[stream] = policy
            self.wanted[stream] += 1
            if policy == "rate":
                self._paced[stream] = Pace(1 / rate)

    def leave(self, stream: str) -> bool:
        """Unsubscribe from a stream; return whether the client had subscribed."""
        followed = self.policies.pop(stream, None) is not None
        there = followed or stream in self.resuming
        self.wanted[stream] -= followed
        self.resuming.discard(stream)
        self._forget({stream})
        self._paced.pop(stream, None)
        return there

    def purge(self) -> None:
        """Forget what waits, but for how things stand."""
        self._forget({stream for stream in self.policies if stream != "state"})

    def _forget(self, streams: set[str]) -> None:
        for queue in (self._lossless, self._latest):
            if queue:
                kept = [message for message in queue if message.stream not in streams]
                queue.clear()
                queue.extend(kept)
        for stream in streams & self._paced.keys():
            self._paced[stream].newest = None

    def offer(self, message: Message) -> None:
        """Send a message if the client reads, else queue it by its policy; never waits."""
        policy = self.policies.get(message.stream)
        if policy is None or self._overflowed:
            return
        line = self._line
        idle = (line.steady if policy == "lossless" else line.prompt) and not self._lossless
        if policy == "lossless":
            if idle:
                self.send(message)
                return
            self._lossless.append(message)
            if len(self._lossless) > N_LOSSLESS:
                self.overflow()
        elif policy == "latest":
            if idle and not self._latest:
                self.send(message)
                return
            if len(self._latest) == N_LATEST:
                self._latest.popleft()
                self.n_missed += 1
            self._latest.append(message)
        else:
            pace, now = self._paced[message.stream], self._clock()
            due = now >= pace.due
            waits = pace.newest is not None
            self.n_missed += due and waits and not idle
            pace.newest = message
            if due and idle:
                pace.sent(now, message)
                self.send(message)
            if waits:  # then it is known when the client gets it
                return
        self._wake.set()

    def overflow(self) -> None:
        """Give the client up: it is closed with 1013."""
        self._overflowed = True
        self._lossless.clear()
        self._wake.set()

    def send(self, message: Message) -> None:
        """Write a message; the next after some were missed says how many that were so far."""
        frame, body = message.frame, message.said(self.pictures)
        if self.n_missed != self._n_told:
            self._n_told = self.n_missed
            frame = frame_of_body(_telling(body, self.n_missed))
        elif message.stream == "image":
            frame = frame_of_body(body)
        self._line.write(frame, timely=self.policies.get(message.stream) != "lossless")

    def wake(self) -> None:
        """Look again whether something can be sent: the client has read what was."""
        if self.n_queued:  # else a crowd that reads well wakes a task for each pong
            self._wake.set()

    async def next(self) -> Message | None:
        """Return the next message, or None when the client has to be closed with 1013."""
        while True:
            message = self._pop()
            if self._overflowed or message is not None:
                return message
            self._wake.clear()
            dues = []
            if self._line.prompt:  # else it is woken
                dues = [pace.turn for pace in self._paced.values() if pace.newest is not None]
            with anyio.move_on_after(max(0.0, min(dues) - self._clock()) if dues else None):
                await self._wake.wait()

    def _pop(self) -> Message | None:
        """Return what is to be sent now; None if there is nothing, or too much."""
        now = self._clock()
        if self._lossless and now - self._lossless[0].t_emit > MAX_LAG:
            self.overflow()
        if self._overflowed:
            return None
        if self._lossless:
            return self._lossless.popleft() if self._line.steady else None
        if not self._line.prompt:
            return None
        # It grows older on the way: there has to be time left for that, and as much to spare.
        limit = MAX_AGE - 2 * self._line.lag
        while self._latest:
            message = self._latest.popleft()
            age = now - message.t_emit
            if age <= limit or (age <= MAX_AGE and not self._latest):
                return message
            self.n_missed += 1
        for pace in self._paced.values():
            newest = pace.newest
            if newest is None or now < pace.turn:
                continue
            if now - newest.t_emit <= MAX_AGE:
                pace.sent(now, newest)
                return newest
            self.n_missed += 1
            pace.newest = None
        return None


def _telling(body: str | bytes, n_missed: int) -> str | bytes:
    """Put how many messages were missed into one: into its parameters, or its header."""
    said = f',"missed":{n_missed}}}'
    if isinstance(body, str):
        return f"{body[:-2]}{said}}}"
    stop = 4 + int.from_bytes(body[:4], "big")
    header = body[4 : stop - 1] + said.encode()
    return len(header).to_bytes(4, "big") + header + body[stop:]


class Hub:
    """All clients.

    Parameters
    ----------
    last_seq : int
        The last event of the log; later `publish` counts on.
    purged : int
        The event before which nothing is given out again; 0 if all is.

    Attributes
    ----------
    held : bool
        Whether states alone are delivered.
    last_logged : int
        The last event that can be read from the log.
    n_too_slow : int
        Clients that were closed with 1013.
    n_missed : int
        What clients that left had missed.
    wanted : Counter of str
        How many clients subscribed to each stream.
    """

    def __init__(self, last_seq: int = 0, purged: int = 0) -> None:
        self.last_seq = last_seq
        self.held = False
        self.last_logged = last_seq
        self.purged = purged
        self.clients: set[Client] = set()
        self.wanted: Counter[str] = Counter()
        self.retained: dict[str, Message] = {}
        self.n_too_slow = 0
        self.n_missed = 0

    def wants(self, stream: str) -> bool:
        """Whether any client subscribed to a stream; any thread may ask."""
        # Counted, not looked for: the decoder asks 100 times a second.
        return not self.held and self.wanted[stream] > 0

    def hold(self) -> None:
        """Deliver states alone from now on, and nothing that waits: the participant stopped."""
        self.held = True
        self._purge(max(self.purged, self.last_seq + 1))

    def _purge(self, before: int) -> None:
        self.purged = before
        for client in self.clients:
            client.purge()
        kept = {name: said for name, said in self.retained.items() if said.stream == "state"}
        self.retained = kept

    def release(self) -> None:
        """Deliver everything again."""
        self.held = False

    def join(self, client: Client) -> None:
        """Publish to a client from now on."""
        self.wanted.update(client.policies.keys())
        client.wanted = self.wanted
        self.clients.add(client)

    def leave(self, client: Client) -> None:
        """Forget a client, but not what it missed."""
        for stream in tuple(client.policies):
            client.leave(stream)
        self.clients.discard(client)
        self.n_missed += client.n_missed

    def tell(self, client: Client, streams: Collection[str]) -> None:
        """Send a client how things stand; it waits for no ping, since it does not grow old."""
        for message in self.retained.values():
            if message.stream in streams:
                client.send(message)

    def publish(self, message: Message) -> None:
        """Offer a message to every client."""
        if message.seq:
            self.last_seq = message.seq
            if message.logged:
                self.last_logged = message.seq
        if message.purges:
            self._purge(message.seq)
        if self.held and message.stream != "state":
            return
        if message.retain:
            self.retained[message.retain] = message
        for client in self.clients:
            client.offer(message)
