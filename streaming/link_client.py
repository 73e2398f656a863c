"""The decoder's side: gives what the process of the amplifier's side sends."""

from __future__ import annotations

import logging
import select
import socket
import threading
import time
from collections import deque

from streaming.errors import SourceError
from streaming.ingest import Fed
from streaming.link import (
    CHUNK,
    CLOCK,
    FRAME,
    OTHER,
    PING,
    PINGED,
    PONG,
    Hello,
    decode_chunk,
    decode_other,
    frame,
)
from streaming.lsl_clock import lsl_clock

__all__ = ["LinkClient"]

logger = logging.getLogger(__name__)

_PATIENCE = 5.0
"""Seconds that the other side gets to answer."""

_PING_EVERY = 0.5
_SILENCE = 2.0
"""Seconds without an answer to a ping that mean that the other machine is gone."""

_BLOCK = 1 << 18
"""Bytes that are taken in one call, at most."""

_N_PINGS = 32
"""The offset is that of the fastest of so many pings: the least delayed on either way."""


class LinkClient:
    """The decoder's end: gives what comes, in the way of a `FeedQueue`.

    Parameters
    ----------
    address : tuple of str and int
        Host and port.
    token : str
        Lets us in.

    Raises
    ------
    SourceError
        If nobody answers there, or we are not let in.
    """

    def __init__(self, address: tuple[str, int], token: str) -> None:
        self._where = f"tcp://{address[0]}:{address[1]}"
        try:
            self._sock = socket.create_connection(address, _PATIENCE)
        except OSError as error:
            msg = f"no ingest answers at {self._where} ({error}); is it running there?"
            raise SourceError(msg) from error
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = bytearray()
        self._block = memoryview(bytearray(_BLOCK))
        self._sending = threading.Lock()
        self.n_dropped = 0
        self.n_waiting = 0
        self._n_before: int | None = None  # dropped before we came
        self._ended = False
        self._offset = 0.0
        self._pings: deque[tuple[float, float]] = deque(maxlen=_N_PINGS)  # round trip, offset
        self._t_ping = -_PING_EVERY
        self._t_asked: float | None = None  # the first ping that was not answered
        try:
            self._sock.sendall(token.encode() + b"\n")
            self.hello = Hello.from_json(self._first_line())
        except TimeoutError as error:
            self._sock.close()
            msg = f"the ingest at {self._where} does not answer"
            raise SourceError(msg) from error
        except (OSError, ValueError) as error:
            self._sock.close()
            msg = f"the ingest at {self._where} does not let us in; is the token right?"
            raise SourceError(msg) from error
        self._sock.setblocking(False)

    def _first_line(self) -> bytes:
        while b"\n" not in self._buffer:
            part = self._sock.recv(65536)
            if not part:
                break
            self._buffer += part
        line, _, rest = bytes(self._buffer).partition(b"\n")
        self._buffer = bytearray(rest)
        return line

    def clock(self) -> float:
        """Return what the LSL clock reads where the samples are taken in."""
        return lsl_clock() + self._offset

    @property
    def ended(self) -> bool:
        """Whether nothing more will come."""
        return self._ended

    def get(self, timeout: float) -> Fed | None:
        """Return the next item, or None if none came within `timeout` seconds.

        Raises
        ------
        SourceError
            If the ingest is gone.
        """
        deadline = time.monotonic() + timeout
        while not self._ended:
            fed = self._take()
            if fed is not None:
                return fed
            if not self._ended and not self._receive(deadline - time.monotonic()):
                return None
        return None

    def _receive(self, timeout: float) -> bool:
        """Wait for bytes, and return whether there were any."""
        now = lsl_clock()
        if now - self._t_ping > _PING_EVERY:
            self._t_ping = now
            self._t_asked = self._t_asked or now
            self._ping(now)
        if not select.select([self._sock], [], [], max(timeout, 0.0))[0]:
            if self._t_asked is not None and lsl_clock() - self._t_asked > _SILENCE:
                msg = f"the ingest at {self._where} does not answer any more"
                raise SourceError(msg)
            return False
        try:
            part = self._block[: self._sock.recv_into(self._block)]
        except OSError as error:
            logger.info("%s is gone (%s)", self._where, error)
            part = self._block[:0]
        if not part:
            msg = f"the ingest at {self._where} ended without a word"
            raise SourceError(msg)
        self._buffer += part
        self._t_asked = None
        return True

    def _ping(self, now: float) -> None:
        self.send(PINGED, PING.pack(now))

    def send(self, kind: int, body: bytes) -> bool:
        """Send a small frame, and return whether it went out; any thread may call it."""
        try:
            with self._sending:
                self._sock.send(frame(kind, body))
        except OSError as error:
            logger.info("nothing goes to %s (%s)", self._where, error)  # reading will say more
            return False
        return True

    def _take(self) -> Fed | None:
        """Take frames from the buffer up to the next item."""
        while len(self._buffer) >= FRAME.size:
            length, kind = FRAME.unpack_from(self._buffer)
            end = FRAME.size + length
            if len(self._buffer) < end:
                return None
            with memoryview(self._buffer) as received:
                body = bytes(received[FRAME.size : end])
            del self._buffer[:end]
            if kind == CHUNK:
                fed, n_dropped, self.n_waiting = decode_chunk(body, self.hello)
                if self._n_before is None:
                    self._n_before = n_dropped
                self.n_dropped = n_dropped - self._n_before
                return fed
            if kind == OTHER:
                return decode_other(body, self.hello)
            if kind == CLOCK:
                self._set_clock(*PONG.unpack(body))
            else:
                self._ended = True
                return None
        return None

    def _set_clock(self, t_sent: float, t_there: float) -> None:
        now = lsl_clock()
        self._pings.append((now - t_sent, t_there - (now + t_sent) / 2))
        round_trip, offset = min(self._pings)
        # Within one machine the clocks are the same one; what is measured is the way there.
        self._offset = 0.0 if abs(offset) <= round_trip else offset

    def close(self) -> None:
        """Hang up."""
        self._sock.close()
