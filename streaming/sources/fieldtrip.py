"""Live samples and events from a FieldTrip buffer, as MEG systems and many amplifiers fill it.

The protocol is spoken by mne-realtime's client, which was checked against FieldTrip's own
buffer; here it gets timeouts and an end, as it waits forever for a server that went away.
"""

from __future__ import annotations

import logging
import re
import socket
import struct
import threading
import time
import warnings
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from streaming.clock import StreamClock, Stretch
from streaming.description import Described, describe
from streaming.errors import ConfigError, SourceError, StreamNotFound
from streaming.fieldtrip_protocol import NEUROMAG_HEADER, RESOLUTIONS, Address
from streaming.fif_header import read_fif_header
from streaming.lsl_clock import Clock, lsl_clock
from streaming.outlet import marker_xml, signal_xml
from streaming.signal import Chunk, Marker, SignalSpec, SourceState
from streaming.sources.lsl import to_si
from streaming.sources.source import Item, RawSamples, StreamHeader, Tap

try:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # it says that it is discontinued
        from mne_realtime.externals.FieldTrip import Client, Event, Header, numpyType
except ImportError as error:
    _hint = "a FieldTrip buffer is read with mne-realtime: pip install 'braincast[meg]'"
    raise ConfigError(_hint) from error

__all__ = ["FieldTripSource"]

logger = logging.getLogger(__name__)

_STALL = 2.0
"""Seconds without a sample after which a source is said to be stalled."""

_RETRY = 0.25
"""Seconds between two attempts to connect, and to see a header that is not there yet."""

_ANSWER = 2.0
"""Seconds that the server gets to answer, on top of those it is asked to wait."""

_CONNECT = 0.5
"""Seconds for a connection; a server on the same network takes thousandths."""

_LONGEST_ANSWER = 2**28
"""Bytes; more is no answer of a buffer, or one that would fill our memory."""

_BLOCK = 1.0
"""Seconds of samples that are fetched at most at once."""

_MARKER_WAIT = 0.5
"""How long an event waits for its sample before it is given out."""

_N_KNOWN = 16
"""Samples that are compared after a connection was lost, to know the same buffer again."""

_BROKEN = (OSError, LookupError, TypeError, ValueError, struct.error)
"""What the client raises for answers that are none; it has no error of its own."""


class _Client(Client):  # type: ignore[misc]  # it has no types
    """The client, with timeouts, and noticing that the server went away."""

    def connect(self, hostname: str, port: int = 1972) -> None:
        """Connect within half a second."""
        self.sock = socket.create_connection((hostname, port), _CONNECT)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.settimeout(_ANSWER)
        self.isConnected = True

    def receiveResponse(self, minBytes: int = 0) -> tuple[int, int, bytes | None]:  # noqa: N802, N803, ARG002
        """Return the command, the size and the content of an answer."""
        version, command, size = struct.unpack("HHI", self._receive(8))
        command, size = int(command), int(size)
        if version != 1 or size > _LONGEST_ANSWER:
            msg = f"what answers is no FieldTrip buffer (version {version}, {size} bytes)"
            raise OSError(msg)
        return command, size, self._receive(size) if size else None

    def _receive(self, size: int) -> bytes:
        data = bytearray(size)
        view, at = memoryview(data), 0
        while at < size:
            n_read = self.sock.recv_into(view[at:])
            if not n_read:
                msg = "the connection was closed"
                raise ConnectionError(msg)
            at += n_read
        return bytes(data)


@dataclass(frozen=True, slots=True)
class _Announced:
    """What the header of a buffer says, without its counters."""

    described: Described
    number: str


def _connect(address: Address) -> tuple[_Client, Header | None]:
    client = _Client()
    try:
        client.connect(address.host, address.port)
        header = client.getHeader()
    except _BROKEN as error:
        client.disconnect()
        msg = f"{type(error).__name__}: {error}"
        raise ConnectionError(msg) from error
    return client, header


def _announced(header: Header, unit: str | None) -> _Announced:
    """Interpret a header.

    Types and units are those of the FIF header if there is one. Otherwise they are guessed
    from the names for Neuromag's sensors (in tesla and tesla per metre, as ``neuromag2ft``
    sends them); all else is EEG and needs `unit`.
    """
    if not header.dataType < len(numpyType) or header.nChannels < 1:
        msg = (
            f"the buffer announces {header.nChannels} channels of number type "
            f"{header.dataType}, which is none of FieldTrip's: check what fills it"
        )
        raise SourceError(msg)
    number = numpyType[header.dataType]
    sfreq = float(str(np.float32(header.fSample)))  # sent as float32; 600.615, not 600.61499
    labels = list(header.labels) or [""] * header.nChannels
    factors = _resolutions(header) if number.startswith(("int", "uint")) else None
    if NEUROMAG_HEADER in header.chunks:
        found = read_fif_header(bytes(header.chunks[NEUROMAG_HEADER]))
        if len(found) != header.nChannels:
            msg = (
                f"the buffer has {header.nChannels} channels, its Neuromag header "
                f"{len(found)}: restart the measurement, so that both are sent again"
            )
            raise SourceError(msg)
        names = header.labels or [c.name for c in found]
        channels = [(n, c.type, c.unit) for n, c in zip(names, found, strict=True)]
        # neuromag2ft multiplies by the calibration before it sends floating-point numbers
        cals = [c.scale * (1.0 if factors is None else c.cal) for c in found]
        factors = np.array(cals)
    else:
        channels = [_guessed(label) for label in labels]
    described = describe(sfreq, "EEG", channels, unit=unit)
    if factors is not None:
        scaled = (np.array(described.to_si) * factors).tolist()
        described = Described(described.spec, tuple(scaled))
    return _Announced(described, number)


def _resolutions(header: Header) -> NDArray[np.float64]:
    content = bytes(header.chunks.get(RESOLUTIONS, b""))
    if len(content) == 8 * header.nChannels:
        return np.frombuffer(content, "<f8")
    return np.ones(header.nChannels)


def _guessed(label: str) -> tuple[str, str, str]:
    if re.fullmatch(r"MEG ?\d{4}", label):
        return (label, "mag", "T") if label.endswith("1") else (label, "grad", "T/m")
    prefix = re.match(r"(EOG|ECG|EMG|STI|TRIG|MISC)", label.upper())
    return label, prefix[0] if prefix else "EEG", ""


@dataclass(slots=True)
class _Segment:
    number: int
    start: int  # the buffer's count at its first sample
    t_anchor: float


class FieldTripSource:
    """A signal and events from a FieldTrip buffer; see `open`.

    The buffer counts its samples: if some were overwritten before they were read, the `Gap`
    has their exact number. The protocol has no timestamps: instants come from when samples
    arrive, by the same clock model as LSL's (`streaming.clock`), so they contain the delay
    from the sensor to us, which nothing here can observe. Events carry the sample they belong
    to, and become markers at exactly that sample; the label is the value, or the type if there
    is none.

    When the server goes away it is said (`lost`) and looked for. If it is back with the samples
    that were read last, nothing was lost and the segment goes on; otherwise another begins.
    A buffer with another header is not read; both headers are said.

    What is recorded are samples in SI units, as float32 if that is what was sent, and
    otherwise as doubles, with the instant of each at which it arrived.

    Parameters
    ----------
    address : Address
        Where the buffer is.
    announced : _Announced
        What its header says.
    unit : str or None
        The unit of the samples, where the header does not say.
    clock : callable
        The LSL clock.
    tap : callable, optional
        Where everything goes that is received (a recorder).
    """

    def __init__(
        self,
        address: Address,
        announced: _Announced,
        *,
        unit: str | None,
        clock: Clock,
        tap: Tap | None,
    ) -> None:
        self._address, self._announced, self._unit = address, announced, unit
        self._clock, self._tap = clock, tap
        self._client: _Client | None = None
        self._samples = StreamClock(self.spec.sfreq)
        self._next = self._given = self._n_events = 0  # counts of the buffer
        self._last: NDArray[np.generic] = np.empty((0, len(self.spec.ch_names)))
        self._held: NDArray[np.generic] = self._last
        self._n_lost = -1  # samples that the next gap stands for; -1: unknown
        self._segments: deque[_Segment] = deque(maxlen=8)
        self._waiting: list[tuple[int, str, float]] = []  # sample, label, arrival
        self._ready: deque[Item] = deque()
        self._idle = threading.Event()
        self._state = self._detail = ""
        self._t_sample = self._t_retry = clock()
        exact = announced.number == "float32" and set(announced.described.to_si) == {1.0}
        self._number = np.float32 if exact else np.float64
        self._send(
            StreamHeader(
                1, signal_xml(self.spec, self.name, "float32" if exact else "double64")
            )
        )
        self._send(StreamHeader(2, marker_xml(f"{self.name} markers")))

    @classmethod
    def open(
        cls,
        address: Address,
        *,
        unit: str | None = None,
        timeout: float = 10.0,
        clock: Clock = lsl_clock,
        tap: Tap | None = None,
    ) -> FieldTripSource:
        """Connect to a buffer, from its newest sample on.

        Parameters
        ----------
        address : Address
            Where it is.
        unit : str, optional
            The unit of the samples, such as ``"uV"``, where the header does not say.
        timeout : float
            Seconds to wait for the server and its header.
        clock : callable
            The LSL clock.
        tap : callable, optional
            Where everything goes that is received (a recorder).

        Raises
        ------
        StreamNotFound
            If there is no server, or it has no header.
        UnitError
            If the unit of a channel is not known.
        SourceError
            If the header cannot be used.
        """
        deadline = time.monotonic() + timeout
        while True:
            why = "it has no header yet"
            try:
                client, header = _connect(address)
            except ConnectionError as error:
                why = str(error)
            else:
                if header is not None:
                    break
                client.disconnect()
            if time.monotonic() >= deadline:
                msg = f"no FieldTrip buffer at {address} ({why}): start it, check the address"
                raise StreamNotFound(msg)
            time.sleep(_RETRY)
        try:
            source = cls(address, _announced(header, unit), unit=unit, clock=clock, tap=tap)
        except BaseException:
            client.disconnect()
            raise
        source._take(client, header, header.nSamples)
        return source

    @property
    def name(self) -> str:
        """The address."""
        return str(self._address)

    @property
    def spec(self) -> SignalSpec:
        """Rate and channels of the signal."""
        return self._announced.described.spec

    @property
    def to_si(self) -> tuple[float, ...]:
        """What is recorded is in SI units."""
        return (1.0,) * len(self.spec.ch_names)

    def read(self, timeout: float) -> Item | None:
        """Return the next item, waiting up to `timeout` seconds, or None if there is none."""
        deadline = self._clock() + timeout
        while not self._ready:
            left = deadline - self._clock()
            if self._client is None:
                self._look(max(left, 0.0))
            else:
                self._poll(self._client, max(left, 0.0))
            if self._waiting:
                self._place_events(now=False)
            if left <= 0:
                break
        return self._ready.popleft() if self._ready else None

    def close(self) -> None:
        """Disconnect."""
        self._drop()

    def _send(self, item: StreamHeader | RawSamples) -> None:
        if self._tap is not None:
            self._tap(item)

    def _say(self, state: str, detail: str) -> None:
        if (state, detail) != (self._state, self._detail):
            self._state, self._detail = state, detail
            self._ready.append(SourceState(state, self._clock(), detail))  # type: ignore[arg-type]

    # -- connection --

    def _drop(self) -> None:
        if self._client is not None:
            self._client.disconnect()
            self._client = None

    def _take(self, client: _Client, header: Header, start: int) -> None:
        """Read a buffer from the sample `start` on."""
        self._client = client
        self._next = self._given = start
        self._n_events = header.nEvents
        self._last = self._last[:0]
        self._t_sample = self._clock()
        self._say("live", f"{self.name}: {_what(self._announced)}")

    def _lose(self, why: str) -> None:
        self._drop()
        self._give(self._held, self._samples.settle())
        self._say("lost", f"{self.name} is gone ({why}); looking for it")

    def _look(self, timeout: float) -> None:
        """Try to connect again, every quarter of a second."""
        wait = self._t_retry + _RETRY - self._clock()
        if wait > 0:
            self._idle.wait(min(wait, timeout))
        if wait > timeout:
            return
        self._t_retry = self._clock()
        try:
            client, header = _connect(self._address)
        except ConnectionError as error:
            logger.debug("%s: %s", self.name, error)
            return
        try:
            known = header is not None and self._returns(client, header)
        except _BROKEN as error:
            logger.debug("%s: %s", self.name, error)
            known = False
        if not known:
            client.disconnect()

    def _returns(self, client: _Client, header: Header) -> bool:
        """Go on with a buffer that is there again, if it is as it was."""
        try:
            found = _announced(header, self._unit)
        except SourceError as error:
            self._say("lost", f"{self.name} is back, but {error}")
            return False
        if found != self._announced:
            difference = f"with {_what(found)}, and not {_what(self._announced)}"
            self._say("lost", f"{self.name} is back, but {difference}; looking on")
            return False
        if len(self._last) and header.nSamples >= self._next:
            rows = client.getData((self._next - len(self._last), self._next - 1))
            if rows is not None and np.array_equal(rows, self._last, equal_nan=True):
                self._client, self._t_sample = client, self._clock()
                self._say("live", f"{self.name} is back, with all that was missed")
                return True
        self._place_events(now=True)
        self._give(self._held, self._samples.reconnect())
        self._segments.clear()
        # what came since the last sample that was read, and no older data
        n_since = self.spec.to_samples(self._clock() - self._t_sample)
        start = max(0, header.nSamples - n_since)
        if start < header.nSamples and client.getData((start, start)) is None:
            start = header.nSamples
        self._take(client, header, start)
        if start == 0:
            self._n_events = 0  # all of them are new
        return True

    # -- samples --

    def _poll(self, client: _Client, timeout: float) -> None:
        try:
            n_samples, n_events = client.wait(self._next, self._n_events, round(1000 * timeout))
            now = self._clock()
            if n_samples < self._next:
                self._lose("it started anew")
                return
            if n_events != self._n_events:
                self._take_events(client, n_events)
            if n_samples > self._next:
                self._fetch(client, n_samples, now)
        except _BROKEN as error:
            self._lose(str(error))
            return
        if self._state == "live" and self._clock() - self._t_sample > _STALL:
            self._give(self._held, self._samples.settle())
            self._say("stalled", f"{self.name} got no sample for {_STALL:g} s")

    def _fetch(self, client: _Client, n_samples: int, now: float) -> None:
        stop = min(n_samples, self._next + max(1, self.spec.to_samples(_BLOCK)))
        rows = client.getData((self._next, stop - 1))
        if rows is None:
            self._skip(n_samples)
            return
        if rows.shape != (stop - self._next, len(self.spec.ch_names)):
            msg = f"it sent {rows.shape[0]} x {rows.shape[1]} numbers for {stop - self._next}"
            raise OSError(msg)
        # they count back from the newest there was: taken one after the other, it came last
        stamps = now - (n_samples - 1 - np.arange(self._next, stop)) / self.spec.sfreq
        self._next, self._t_sample = stop, now
        self._last = np.concatenate([self._last, rows])[-_N_KNOWN:]
        if self._state != "live":
            self._say("live", f"{self.name} sends again")
        factors = np.array(self._announced.described.to_si)
        rows = rows if self._number is np.float32 else rows * factors
        self._send(RawSamples(1, stamps, rows))
        if len(self._held):
            rows = np.concatenate([self._held, rows])
        self._give(rows, self._samples.feed(stamps))

    def _skip(self, start: int) -> None:
        """Go on with the newest sample: the oldest that were not read are overwritten."""
        self._give(self._held, self._samples.reconnect())
        self._n_lost = start - self._next
        self._next = self._given = start

    def _give(self, rows: NDArray[np.generic], stretches: Sequence[Stretch]) -> None:
        at = 0
        for s in stretches:
            if s.first == 0:
                self._segments.append(_Segment(s.segment, self._given, s.t_anchor))
            if s.gap is not None:
                self._ready.append(s.gap if self._n_lost < 0 else self._counted(s))
                self._n_lost = -1
            self._segments[-1].t_anchor = s.t_anchor
            data = to_si(rows[at : at + s.n_times], self.to_si)
            self._ready.append(Chunk(data, self.spec, s.segment, s.first, s.t_anchor))
            at += s.n_times
            self._given += s.n_times
        self._held = rows[at:]

    def _counted(self, stretch: Stretch) -> Item:
        assert stretch.gap is not None  # noqa: S101 - it was looked at before
        duration = self._n_lost / self.spec.sfreq
        return replace(stretch.gap, duration=duration, reason="lost")

    # -- events --

    def _take_events(self, client: _Client, n_events: int) -> None:
        start = 0 if n_events < self._n_events else self._n_events  # fewer: they were cleared
        self._n_events = n_events
        if n_events == start:
            return
        events: list[Event] = client.getEvents((start, n_events - 1))
        if not events:
            logger.warning(
                "%s: %d events were overwritten before they were read",
                self.name,
                n_events - start,
            )
        now = self._clock()
        self._waiting += [(_signed(e.sample), _label(e), now) for e in events]

    def _place_events(self, *, now: bool) -> None:
        if not self._segments:
            return
        t_now, waiting, self._waiting = self._clock(), self._waiting, []
        for sample, label, arrived in waiting:
            if now or sample < self._given or t_now - arrived > _MARKER_WAIT:
                before = [s for s in self._segments if s.start <= sample]
                segment = before[-1] if before else self._segments[0]
                index = sample - segment.start
                t = segment.t_anchor + index / self.spec.sfreq
                self._send(RawSamples(2, np.array([t]), [label]))
                self._ready.append(Marker(label, t, segment.number, index))
            else:
                self._waiting.append((sample, label, arrived))


def _signed(sample: int) -> int:
    return sample - 2**32 if sample >= 2**31 else sample


def _label(event: Event) -> str:
    for part in (event.value, event.type):
        if isinstance(part, bytes | bytearray | str):
            text = part if isinstance(part, str) else bytes(part).decode("utf-8", "replace")
            if text.strip("\0 "):
                return text.strip("\0 ")
        elif np.size(part):
            return " ".join(f"{value:g}" for value in np.ravel(part))
    return ""


def _what(announced: _Announced) -> str:
    spec = announced.described.spec
    names = ", ".join(spec.ch_names[:4]) + (", ..." if len(spec.ch_names) > 4 else "")
    return f"{len(spec.ch_names)} channels ({names}) at {spec.sfreq:g} Hz as {announced.number}"
