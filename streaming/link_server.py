"""The side of the amplifier: gives what comes to the decoder that is connected."""

from __future__ import annotations

import hmac
import logging
import socket
import threading
from collections.abc import Callable
from functools import partial

from streaming.ingest import Fed, FeedQueue
from streaming.link import CLOCK, END, FRAME, PING, PINGED, PONG, Hello, encode, frame
from streaming.lsl_clock import Clock, lsl_clock
from streaming.signal import SourceState

__all__ = ["LinkServer"]

logger = logging.getLogger(__name__)

_SEND_BUFFER = 65536
"""Bytes the kernel may hold: 50 ms of 306 channels at 1 kHz. What is older waits in our queue,
which knows what it drops."""

_POLL = 0.1
_MOST = 65536
"""Bytes of a frame from the decoder; more is none of ours."""

PATIENCE = 5.0
"""Seconds that a decoder gets to say who it is, and to take what is sent to it: one whose
machine lost its power does not hang up, and must not keep out the next."""


class LinkServer:
    """Gives what a queue receives to the decoder that is connected: one at a time.

    What comes while there is none is dropped, for the decoder; it was recorded before.

    Parameters
    ----------
    sock : socket
        Listens.
    token : str
        What a decoder must send first.
    hello : Hello
        What it is told.
    queue : FeedQueue
        What it then gets.
    clock : Clock
        Answers pings.
    heard : callable
        Gets the kind and the body of what else a decoder sends, in a thread of ours.
    """

    def __init__(
        self,
        sock: socket.socket,
        token: str,
        hello: Hello,
        queue: FeedQueue,
        clock: Clock = lsl_clock,
        heard: Callable[[int, bytes], None] = lambda _kind, _body: None,
    ) -> None:
        self._heard = heard
        self._again = False
        self._sock = sock
        self._token = token
        self._hello = hello
        self._queue = queue
        self._clock = clock
        self._sending = threading.Lock()
        self._rest = b""  # of a frame, when no more went out at once
        self._states: dict[str, Fed] = {}

    def remember(self, fed: Fed) -> None:
        """Tell a state to the decoders that come from now on."""
        if not self._again and isinstance(fed.item, SourceState):
            self._states[fed.item.what] = fed

    def hang_up(self) -> None:
        """End `run` and let the decoder come again: there will be another server.

        What is left of the queue, and what was remembered, is told to nobody.
        """
        self._again = True
        self._states.clear()
        self._queue.clear()
        self._queue.close()

    def run(self) -> None:
        """Serve one decoder after the other until the queue is closed.

        The decoder that is connected then gets what is left; for another that came, there is
        nothing.
        """
        self._sock.settimeout(_POLL)
        while not self._queue.closed:
            try:
                connection, _ = self._sock.accept()
            except TimeoutError:
                continue
            with connection:
                try:
                    if self._is_welcome(connection):
                        self._serve(connection)
                except OSError as error:
                    logger.info("the decoder is gone (%s)", error)

    def _is_welcome(self, connection: socket.socket) -> bool:
        connection.settimeout(PATIENCE)
        line = b""
        while not line.endswith(b"\n") and len(line) < 256:
            part = connection.recv(256 - len(line))
            if not part:
                return False
            line += part
        return hmac.compare_digest(line.strip(), self._token.encode()) and _is_there(connection)

    def _serve(self, connection: socket.socket) -> None:
        self._rest = b""  # of one that is gone
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        connection.settimeout(PATIENCE)
        self._queue.skip()
        if self._again:
            return
        connection.sendall(self._hello.to_json().encode() + b"\n")
        for state in tuple(self._states.values()):  # who begins now must know how things stand
            self._send(connection, encode(state, 0))
        answering = threading.Thread(target=self._answer, args=(connection,), daemon=True)
        answering.start()
        with connection.dup() as swift:
            swift.setblocking(False)
            self._queue.offer(partial(self._send_at_once, swift))
            try:
                self._pass_on(connection, answering)
            finally:
                self._queue.offer(None)
        if not self._again:
            self._send(connection, frame(END))

    def _pass_on(self, connection: socket.socket, answering: threading.Thread) -> None:
        """Send what is queued, until nothing more will be or the decoder hangs up."""
        while not self._queue.ended:
            fed = self._queue.get(_POLL)
            if fed is not None:
                self.remember(fed)
                self._send(
                    connection, encode(fed, self._queue.n_dropped, self._queue.n_waiting)
                )
            elif not answering.is_alive():
                return  # it hung up
            elif self._rest:
                self._send(connection, b"")

    def _send(self, connection: socket.socket, frame: bytes) -> None:
        with self._sending:
            rest, self._rest = self._rest, b""
            connection.sendall(rest + frame)

    def _send_at_once(self, swift: socket.socket, fed: Fed) -> bool:
        """Send a chunk if that does not wait, and return whether it went out.

        What is left of it goes before whatever is sent next.
        """
        if not self._sending.acquire(blocking=False):
            return False
        try:
            if self._rest:
                return False
            data = encode(fed, self._queue.n_dropped)
            try:
                self._rest = data[swift.send(data) :]
            except OSError:  # it is full, or gone: the thread that waits will see
                return False
            return True
        finally:
            self._sending.release()

    def _answer(self, connection: socket.socket) -> None:
        """Answer pings, and pass on what else comes, until the decoder hangs up."""
        received = bytearray()
        while True:
            try:
                part = connection.recv(4096)
            except TimeoutError:
                continue  # busy with what it has
            except OSError:
                return  # the other thread says so
            received += part
            if not part or len(received) > _MOST:
                return
            while (found := _first(received)) is not None:
                kind, body = found
                if kind != PINGED:
                    self._heard(kind, body)
                    continue
                pong = PONG.pack(*PING.unpack(body), self._clock())
                try:
                    self._send(connection, frame(CLOCK, pong))
                except OSError:
                    return


def _first(received: bytearray) -> tuple[int, bytes] | None:
    """Take the first frame off what was received; None if it is not all there."""
    if len(received) < FRAME.size:
        return None
    length, kind = FRAME.unpack_from(received)
    end = FRAME.size + length
    if len(received) < end:
        return None
    body = bytes(received[FRAME.size : end])
    del received[:end]
    return kind, body


def _is_there(connection: socket.socket) -> bool:
    """Whether the other side waits for us still, and did not give up before we came."""
    connection.setblocking(False)
    try:
        return bool(connection.recv(1, socket.MSG_PEEK))
    except BlockingIOError:
        return True
