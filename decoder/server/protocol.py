"""How the server speaks HTTP and websocket: uvicorn's way, less what strangers could abuse."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import h11
from uvicorn._types import ASGIReceiveEvent
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State

from decoder.server.limits import crowded
from decoder.server.pulse import Pulse
from decoder.server.turns import frame_turns

__all__ = ["LINE", "HttpProtocol", "WebSocketProtocol"]

LINE = "braincast.line"
"""Where the application finds the protocol, among the extensions of its scope."""

MARK = b"read"
"""What our pings say, to be told from others' and from pongs that nobody asked for."""

PING = Frame(Opcode.PING, MARK).serialize(mask=False)

SEND_BUFFER = 16384
"""Bytes of the kernel's buffer of each websocket: a dozen decodes; images still pass."""

PATIENCE = 10.0
"""Seconds that who connects gets to ask for something."""


PIECE = 4096
"""Bytes of what a client sent that are looked at at once: up to 3 ms, if all is frames."""


class HttpProtocol(H11Protocol):
    """Uvicorn's, but who connects and asks for nothing, or takes no answer, is hung up on.

    Otherwise a few hundred of them would use up what this process may hold open.
    """

    def connection_made(  # type: ignore[override]
        self, transport: asyncio.Transport
    ) -> None:
        """Begin to wait for a request; not if there are too many of that address."""
        super().connection_made(transport)
        self._wait(0)
        ours = [c for c in self.connections if isinstance(c, HttpProtocol | WebSocketProtocol)]
        there = [c.client[0] if c.client else "" for c in ours]
        most = self.limit_concurrency or len(there)
        if crowded(there, self.client[0] if self.client else "", most):
            transport.abort()

    def _wait(self, n_left: int) -> None:
        self._waiting = self.loop.call_later(PATIENCE, self._give_up, n_left)

    def _give_up(self, n_left_before: int) -> None:
        n_left = self.transport.get_write_buffer_size()
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()
        elif n_left and n_left == n_left_before:
            self.transport.abort()
        else:
            self._wait(n_left)

    def on_response_complete(self) -> None:
        """Wait for the next request: all of it, since a byte ends uvicorn's own patience."""
        self._waiting.cancel()
        self._wait(0)
        super().on_response_complete()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """Leave the connection to the other protocol."""
        self._waiting.cancel()
        super().handle_websocket_upgrade(event)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer: who is gone cannot be hung up on."""
        self._waiting.cancel()
        super().connection_lost(exc)


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """Uvicorn's, with a way for events past all layers above, and with small buffers.

    An event is the same for all clients, so is its frame: it is made once and written here,
    which takes a tenth of the time that it takes through the application. What a client does
    not read must wait in its queue, where it can grow too old, and not in buffers.
    """

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Make buffers small."""
        super().connection_made(transport)
        self._unread = bytearray()
        self._turns = frame_turns()
        self._rest: asyncio.TimerHandle | None = None
        self._pulse = Pulse()
        self.on_taken: Callable[[], None] = lambda: None
        # Not high=0, with which a transport that encrypts stays paused for ever.
        self.transport.set_write_buffer_limits(high=1, low=0)
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)

    def data_received(self, data: bytes) -> None:
        """Look at what came, a piece at a time.

        A frame may have no bytes but its head, and 100,000 of them came in a few reads: to look
        at all at once kept the others waiting for seconds.
        """
        self._unread += data
        self._look()

    def _look(self) -> None:
        while self._unread and not self.read_paused and self._rest is None:
            piece = bytes(self._unread[:PIECE])
            del self._unread[:PIECE]
            super().data_received(piece)
        if self.transport.is_closing():
            self._unread.clear()
        elif self._unread or self._rest is not None:
            self.transport.pause_reading()

    def handle_events(self) -> None:
        """Handle frames, of which a client may send so many a second, and has to wait then."""
        now = self.loop.time()
        wait = max([self._turns.wait(now) for _ in self.conn.events], default=0.0)
        if wait:
            self._rest = self.loop.call_later(wait, self._go_on)
        super().handle_events()

    def _go_on(self) -> None:
        self._rest = None
        if not self.read_paused:
            self.transport.resume_reading()
        self._look()

    async def receive(self) -> ASGIReceiveEvent:
        """Give the next message to the application, and look for another."""
        message = await super().receive()
        self._look()
        return message

    def connection_lost(self, exc: Exception | None) -> None:
        """Look at nothing more."""
        super().connection_lost(exc)
        self._unread.clear()
        if self._rest is not None:
            self._rest.cancel()

    def handle_connect(self, event: Request) -> None:
        """Tell the application the way past it."""
        super().handle_connect(event)
        if self.response.status_code == 101:
            self.scope["extensions"][LINE] = self  # type: ignore[assignment]

    @property
    def ready(self) -> bool:
        """Whether the client took all that was written to it before."""
        return self.writable.is_set()

    @property
    def prompt(self) -> bool:
        """Whether it read what was sent to it of late, as far as it is known."""
        return self.ready and self._pulse.prompt(self.loop.time())

    @property
    def steady(self) -> bool:
        """Whether it can get more of what it must not miss, also if it reads that later."""
        return self.ready and self._pulse.prompt(self.loop.time(), timely=False)

    @property
    def lag(self) -> float:
        """How long the last frame that was answered was on the way, in seconds."""
        return self._pulse.lag

    def ping(self) -> None:
        """Ask how long the way to the client is, before any event is on it."""
        if self.conn.state is not State.OPEN or self.transport.is_closing():
            return
        if self._pulse.begin(self.loop.time()):
            self.transport.write(PING)

    async def taken(self) -> None:
        """Wait until the client has taken all that was written, or is gone."""
        await self.writable.wait()

    def write(self, frame: bytes, *, timely: bool | None = None) -> None:
        """Write a frame, unless the connection is being closed; never waits.

        Parameters
        ----------
        frame : bytes
            As it goes over the wire.
        timely : bool or None
            Whether the client wants nothing old, or nothing missed: a ping tells when it was
            read, the sooner if it is to be timely. None: nobody needs to know.
        """
        if self.conn.state is not State.OPEN or self.transport.is_closing():
            return
        ping = timely is not None and self._pulse.sent(self.loop.time(), timely=timely)
        self.transport.write(frame + PING if ping else frame)

    def resume_writing(self) -> None:
        """Send what waits: no ping may be on the way whose answer would say so."""
        super().resume_writing()
        self.on_taken()

    def handle_pong(self, event: Frame) -> None:
        """Note that the client has read what was sent before a ping.

        Some clients, such as .NET's, send pongs that answer nothing; taken for answers they
        would make the way look short, and each true answer late.
        """
        super().handle_pong(event)
        if event.data == MARK:
            self._pulse.answered(self.loop.time())
            self.on_taken()

    def keepalive_timeout(self) -> None:
        """Hang up on a client that did not answer a ping."""
        super().keepalive_timeout()
        self.transport.abort()

    def on_task_complete(self, task: asyncio.Task[None]) -> None:
        """Hang up on a client that does not take what is left when the application is done."""
        super().on_task_complete(task)
        if not self.disconnected:
            self.loop.call_later(self.close_timeout, self.transport.abort)

    def send_receive_event_to_app(self) -> None:
        """Give a message to the application; close if it is no UTF-8.

        Uvicorn prints a traceback for such a text: anybody could fill a log with these.
        """
        if self.curr_msg_data_type == "text" and not self.close_sent:
            try:
                b"".join(self.frames).decode()
            except UnicodeDecodeError:
                self.frames = []
                self.conn.send_close(1007, "text must be UTF-8")
                self.handle_parser_exception()
                return
        super().send_receive_event_to_app()
