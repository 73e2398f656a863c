"""A FieldTrip buffer that others read: a second way, beside LSL, to send a signal.

Source: "Low-level FieldTrip buffer TCP network protocol" (version 1), fieldtriptoolbox.org.
"""

from __future__ import annotations

import logging
import socket
import socketserver
import struct
import threading
from collections import deque

import numpy as np
from numpy.typing import NDArray

from streaming.description import Described
from streaming.errors import ConfigError
from streaming.fieldtrip_protocol import CHANNEL_NAMES, NEUROMAG_HEADER, Address
from streaming.fif_header import write_fif_header
from streaming.ring import Ring
from streaming.rows import to_si
from streaming.signal import SignalSpec

__all__ = ["FieldTripServer"]

logger = logging.getLogger(__name__)

_VERSION = 1
_GET_HDR, _GET_DAT, _GET_EVT, _GET_OK, _GET_ERR = 0x201, 0x202, 0x203, 0x204, 0x205
_WAIT_DAT, _WAIT_OK, _WAIT_ERR = 0x402, 0x404, 0x405
_REFUSED = {0x101: 0x105, 0x102: 0x105, 0x103: 0x105, 0x301: 0x305, 0x302: 0x305, 0x303: 0x305}
"""Requests to write and to clear, and how they are refused: the buffer is only read."""

_FLOAT32 = 9
_TO_END = 0xFFFFFFFF
"""As the last index: up to the newest."""

_SECONDS = 10.0
"""What is kept. FieldTrip's own server keeps 600 s; at 306 channels that were 1.5 GB here."""

_EVENTS = 1000
"""Events that are kept. FieldTrip's own server keeps 100."""

_CLIENTS = 16
_LONGEST_REQUEST = 65536
_LONGEST_WAIT = 60.0
"""A client that waits is answered after so many seconds: so one that is gone is noticed."""

_SEND_TIMEOUT = 5.0
"""A client that takes nothing for so many seconds is disconnected."""


class FieldTripServer:
    """Serve a signal and its markers as a FieldTrip buffer; an `streaming.outlet.Output`.

    Samples are float32 in SI units, and the header says so: besides the names of the channels
    it has a FIF header, as Neuromag's does, from which types and units can be read. Markers are
    events of type ``marker`` with the label as value, at exactly their sample.

    Nothing can be written to it over the network. Memory is bounded (10 s of samples, 1,000
    events, 16 clients), requests that are none end the connection they came from, and so does
    a client that does not take its answer.

    Parameters
    ----------
    described : Described
        What is sent; it is turned into SI units.
    address : Address
        Where to listen; port 0 takes a free one. The protocol knows no passwords: whoever
        reaches the address can read.

    Raises
    ------
    ConfigError
        If the address is taken, or is not ours.
    """

    def __init__(self, described: Described, address: Address) -> None:
        spec = self._spec = described.spec
        self._to_si = described.to_si
        self._buffer = _Buffer(spec)
        try:
            self._server = _Server((address.host, address.port), self._buffer)
        except OSError as error:
            msg = f"cannot listen on {address} ({error.strerror}): choose another port"
            raise ConfigError(msg) from error
        self.address = Address(address.host, self._server.server_address[1])
        self._waiting: deque[tuple[str, float]] = deque(maxlen=_EVENTS)
        self._thread: threading.Thread | None = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="fieldtrip", daemon=True
        )
        self._thread.start()

    def push(self, data: NDArray[np.float32], timestamps: NDArray[np.float64]) -> None:
        """Send samples.

        Parameters
        ----------
        data : array of shape (n_channels, n_times)
            Samples, in the units that were described.
        timestamps : array of shape (n_times,)
            When each was taken. They are not sent, as the protocol has none; they say to which
            samples the markers belong.
        """
        if not len(timestamps):
            return
        events, later = [], []
        for label, t in self._waiting:
            if t <= timestamps[-1] + 0.5 / self._spec.sfreq:
                events.append((label, self._index(timestamps, t)))
            else:
                later.append((label, t))
        self._waiting = deque(later, _EVENTS)
        self._buffer.write(to_si(data.T, self._to_si), events)

    def _index(self, timestamps: NDArray[np.float64], t: float) -> int:
        if t < timestamps[0]:  # it came after its sample
            return round((t - float(timestamps[0])) * self._spec.sfreq)
        return int(np.abs(timestamps - t).argmin())

    def push_marker(self, label: str, t: float) -> None:
        """Send a marker with the samples of its instant, which come after it."""
        self._waiting.append((label, t))

    def wait_for_consumer(self, timeout: float) -> bool:
        """Wait until somebody has asked for the header and return whether anybody has."""
        return self._buffer.asked.wait(timeout)

    def close(self) -> None:
        """Disconnect everybody; more than once is fine."""
        if self._thread is None:
            return
        self._server.shutdown()
        self._buffer.close()
        self._server.disconnect()
        self._server.server_close()
        self._thread.join()
        self._thread = None


class _Buffer:
    """Header, samples and events, and the answers to requests."""

    def __init__(self, spec: SignalSpec) -> None:
        self._spec = spec
        self._ring = Ring(len(spec.ch_names), max(1, spec.to_samples(_SECONDS)))
        self._events: deque[bytes] = deque(maxlen=_EVENTS)
        self._n_events = 0
        self._chunks = _chunk(CHANNEL_NAMES, _names(spec))
        self._chunks += _chunk(NEUROMAG_HEADER, write_fif_header(spec))
        self._changed = threading.Condition()
        self._closed = False
        self.asked = threading.Event()

    def write(self, data: NDArray[np.float32], events: list[tuple[str, int]]) -> None:
        """Add samples, and events as (label, sample from the first of these)."""
        with self._changed:
            for label, sample in events:
                self._events.append(_event(label, self._ring.stop + sample))
                self._n_events += 1
            self._ring.write(data)
            self._changed.notify_all()

    def close(self) -> None:
        """Let nobody wait any longer."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def answer(self, command: int, payload: bytes) -> tuple[int, bytes] | None:
        """Return the answer to a request, or None if it is none."""
        if command == _GET_HDR:
            return _GET_OK, self._header()
        if command == _GET_DAT:
            return _got(self._samples(payload))
        if command == _GET_EVT:
            return _got(self._some_events(payload))
        if command == _WAIT_DAT and len(payload) == 12:
            return _WAIT_OK, self._wait(*struct.unpack("<3I", payload))
        if command == _WAIT_DAT:
            return _WAIT_ERR, b""
        return (_REFUSED[command], b"") if command in _REFUSED else None

    def _header(self) -> bytes:
        with self._changed:
            counts = self._ring.stop & _TO_END, self._n_events & _TO_END
        n_channels = len(self._spec.ch_names)
        fixed = (n_channels, *counts, self._spec.sfreq, _FLOAT32, len(self._chunks))
        self.asked.set()
        return struct.pack("<3If2I", *fixed) + self._chunks

    def _samples(self, payload: bytes) -> bytes | None:
        with self._changed:
            chosen = _selection(payload, self._ring.start, self._ring.stop)
            if chosen is None:
                return None
            rows = self._ring.read(*chosen).T.astype("<f4").tobytes()
        n_channels = len(self._spec.ch_names)
        n_times = chosen[1] - chosen[0]
        return struct.pack("<4I", n_channels, n_times, _FLOAT32, len(rows)) + rows

    def _some_events(self, payload: bytes) -> bytes | None:
        with self._changed:
            oldest = self._n_events - len(self._events)
            chosen = _selection(payload, oldest, self._n_events)
            if chosen is None:
                return None
            return b"".join(list(self._events)[chosen[0] - oldest : chosen[1] - oldest])

    def _wait(self, n_samples: int, n_events: int, milliseconds: int) -> bytes:
        """Wait until there are more samples, or more events, than these."""

        def more() -> bool:
            return self._ring.stop > n_samples or self._n_events > n_events or self._closed

        with self._changed:
            self._changed.wait_for(more, min(milliseconds / 1000, _LONGEST_WAIT))
            return struct.pack("<2I", self._ring.stop & _TO_END, self._n_events & _TO_END)


def _got(content: bytes | None) -> tuple[int, bytes]:
    return (_GET_ERR, b"") if content is None else (_GET_OK, content)


def _selection(payload: bytes, start: int, stop: int) -> tuple[int, int] | None:
    """Return what is asked for, as first and one after the last, if all of it is there."""
    if not payload:
        return (start, stop) if stop > start else None
    if len(payload) != 8:
        return None
    first, last = struct.unpack("<2I", payload)
    end = stop if last == _TO_END else last + 1
    return (first, end) if start <= first < end <= stop else None


def _chunk(kind: int, content: bytes) -> bytes:
    return struct.pack("<2I", kind, len(content)) + content


def _names(spec: SignalSpec) -> bytes:
    return b"".join(name.encode() + b"\0" for name in spec.ch_names)


def _event(label: str, sample: int) -> bytes:
    kind, value = b"marker", label.encode()
    fixed = (0, len(kind), 0, len(value), sample & _TO_END, 0, 0, len(kind) + len(value))
    return struct.pack("<5I2iI", *fixed) + kind + value


class _Server(socketserver.ThreadingTCPServer):
    """A thread for each client."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = _CLIENTS

    def __init__(self, address: tuple[str, int], buffer: _Buffer) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.buffer = buffer
        self.clients: set[socket.socket] = set()
        self.lock = threading.Lock()
        super().__init__(address, _Client)

    def verify_request(self, request: object, client_address: object) -> bool:  # noqa: ARG002
        """Turn away whoever is one too many."""
        with self.lock:
            return len(self.clients) < _CLIENTS

    def process_request(self, request: socket.socket, client_address: object) -> None:  # type: ignore[override]
        """Count a client before its thread starts."""
        with self.lock:
            self.clients.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: socket.socket) -> None:  # type: ignore[override]
        """Forget a client that is gone."""
        with self.lock:
            self.clients.discard(request)
        super().shutdown_request(request)

    def disconnect(self) -> None:
        """Disconnect everybody."""
        with self.lock:
            for client in self.clients:
                client.shutdown(socket.SHUT_RDWR)


class _Client(socketserver.BaseRequestHandler):
    """Answers one client, until it says something that is no request."""

    server: _Server
    request: socket.socket

    def handle(self) -> None:
        """Answer until the connection ends."""
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.request.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        try:
            while self._answer_one():
                pass
        except OSError as error:
            logger.debug("a client of the buffer is gone (%s)", error)

    def _answer_one(self) -> bool:
        self.request.settimeout(None)
        head = self._receive(8)
        if head is None:
            return False
        version, command, size = struct.unpack("<HHI", head)
        if version != _VERSION or size > _LONGEST_REQUEST:
            logger.info("a client of the buffer sent what is no request: disconnected")
            return False
        payload = self._receive(size)
        answer = None if payload is None else self.server.buffer.answer(command, payload)
        if answer is None:
            return False
        self.request.settimeout(_SEND_TIMEOUT)
        self.request.sendall(struct.pack("<HHI", _VERSION, answer[0], len(answer[1])))
        self.request.sendall(answer[1])
        return True

    def _receive(self, size: int) -> bytes | None:
        data = b""
        while len(data) < size:
            more = self.request.recv(size - len(data))
            if not more:
                return None
            data += more
        return data
