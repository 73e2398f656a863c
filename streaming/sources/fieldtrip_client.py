"""What a FieldTrip buffer answers: its header, and its events.

The protocol is spoken by mne-realtime's client, which was checked against FieldTrip's own
buffer; here it gets timeouts and an end, as it waits forever for a server that went away.
"""

from __future__ import annotations

import math
import re
import socket
import struct
import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streaming.description import Described, describe
from streaming.errors import ConfigError, SourceError
from streaming.fieldtrip_protocol import NEUROMAG_HEADER, RESOLUTIONS, Address
from streaming.fif_header import read_fif_header
from streaming.sources.condition import outline

try:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # it says that it is discontinued
        from mne_realtime.externals.FieldTrip import Client, Event, Header, numpyType
except ImportError as error:
    _hint = "a FieldTrip buffer is read with mne-realtime: pip install 'braincast[meg]'"
    raise ConfigError(_hint) from error

__all__ = [
    "BROKEN",
    "Announced",
    "BufferClient",
    "Event",
    "Header",
    "announced",
    "connect",
    "event_label",
    "signed",
]

_ANSWER = 2.0
"""Seconds that the server gets to answer, on top of those it is asked to wait."""

_CONNECT = 0.5
"""Seconds for a connection; a server on the same network takes thousandths."""

_LONGEST_ANSWER = 2**28
"""Bytes; more is no answer of a buffer, or one that would fill our memory."""

BROKEN = (OSError, LookupError, TypeError, ValueError, struct.error)
"""What the client raises for answers that are none; it has no error of its own."""


class BufferClient(Client):  # type: ignore[misc]  # it has no types
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
class Announced:
    """What the header of a buffer says, without its counters."""

    described: Described
    number: str

    def __str__(self) -> str:
        """Return it in words."""
        return f"{outline(self.described.spec)} as {self.number}"


def connect(address: Address) -> tuple[BufferClient, Header | None]:
    """Connect to a buffer, and return its header if it has one already.

    Raises
    ------
    ConnectionError
        If nothing that is a buffer answers.
    """
    client = BufferClient()
    try:
        client.connect(address.host, address.port)
        header = client.getHeader()
    except BROKEN as error:
        client.disconnect()
        msg = f"{type(error).__name__}: {error}"
        raise ConnectionError(msg) from error
    return client, header


def announced(header: Header, unit: str | None, trigger: str | None = None) -> Announced:
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
    if not 0 < sfreq < math.inf:
        msg = f"the buffer announces {sfreq:g} samples a second: check what fills it"
        raise SourceError(msg)
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
    described = describe(sfreq, "EEG", channels, unit=unit, trigger=trigger)
    if factors is not None:
        scaled = (np.array(described.to_si) * factors).tolist()
        described = Described(described.spec, tuple(scaled))
    return Announced(described, number)


def _resolutions(header: Header) -> NDArray[np.float64]:
    content = bytes(header.chunks.get(RESOLUTIONS, b""))
    if len(content) == 8 * header.nChannels:
        return np.frombuffer(content, "<f8")
    return np.ones(header.nChannels)


def _guessed(label: str) -> tuple[str, str, str]:
    if re.fullmatch(r"MEG ?\d{4}", label):
        return (label, "mag", "T") if label.endswith("1") else (label, "grad", "T/m")
    return label, "EEG", ""


def signed(sample: int) -> int:
    """Return the count that an unsigned number of 32 bits stands for."""
    return sample - 2**32 if sample >= 2**31 else sample


def event_label(event: Event) -> str:
    """Return an event's value as text, or its type if it has none."""
    for part in (event.value, event.type):
        if isinstance(part, bytes | bytearray | str):
            text = part if isinstance(part, str) else bytes(part).decode("utf-8", "replace")
            if text.strip("\0 "):
                return text.strip("\0 ")
        elif np.size(part):
            return " ".join(f"{value:g}" for value in np.ravel(part))
    return ""
