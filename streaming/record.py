"""Write what comes from LSL to a file, in LSL's own format (XDF 1.0)."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np
from numpy.typing import NDArray

from streaming.errors import SessionError
from streaming.inuse import hold
from streaming.sources.source import ClockOffset, RawSamples, StreamHeader

__all__ = ["XdfWriter"]

_FILE_HEADER, _STREAM_HEADER, _SAMPLES, _CLOCK_OFFSET, _BOUNDARY, _FOOTER = range(1, 7)

_BOUNDARY_ID = bytes.fromhex("43a546dccbf5410fb30ed5467383cbe4")

_BOUNDARY_EVERY = 1 << 20
"""Bytes between two boundaries, from which a reader goes on after a damaged place."""


class XdfWriter:
    """Write everything a source receives, in its own types, units and timestamps.

    Chunks are collected and written by `flush` with one system call, always whole: whenever
    the process is killed, what was flushed is readable (a test cuts the file at every place).
    A failed write is taken back, so that the file stays readable, and raised once; after it
    nothing more is written. For 306 channels at 1 kHz in chunks of 10 samples it takes 0.3 %
    of a core.

    Parameters
    ----------
    path : path
        The file to make.
    session : str
        The session that it is of, which is written at its beginning; empty for none.

    Raises
    ------
    SessionError
        If it exists already or cannot be made.
    """

    def __init__(self, path: str | Path, session: str = "") -> None:
        self._path = Path(path)
        self._streams: dict[int, _Totals] = {}
        self._pending: list[bytes] = [b"XDF:", _chunk(_FILE_HEADER, _file_info(session))]
        self._next_boundary = _BOUNDARY_EVERY
        try:
            # not buffered: a buffer is written in pieces that end within a chunk
            self._file = self._path.open("xb", buffering=0)
            hold(self._file)
        except FileExistsError as error:
            msg = f"{path} exists, and a recording is never overwritten: choose another folder"
            raise SessionError(msg) from error
        except OSError as error:
            msg = f"cannot record to {path} ({error.strerror}): choose another folder"
            raise SessionError(msg) from error

    def __call__(self, item: StreamHeader | RawSamples | ClockOffset) -> None:
        """Take what a source received; it is written by the next `flush`."""
        if self._file.closed:
            return
        if isinstance(item, StreamHeader):
            self._streams[item.stream_id] = _Totals()
            content = item.info_xml.encode()
            self._pending.append(_chunk(_STREAM_HEADER, _id(item.stream_id) + content))
        elif isinstance(item, ClockOffset):
            # of the measurement the sender's time is written, as of the samples
            t = item.t - item.offset
            self._streams[item.stream_id].offsets.append((t, item.offset))
            content = struct.pack("<dd", t, item.offset)
            self._pending.append(_chunk(_CLOCK_OFFSET, _id(item.stream_id) + content))
        elif len(item.timestamps):
            self._streams[item.stream_id].count(item.timestamps)
            self._pending.append(_chunk(_SAMPLES, _id(item.stream_id) + _rows(item)))

    def flush(self) -> None:
        """Hand everything to the system, so that it survives the end of the process.

        Raises
        ------
        SessionError
            If the disk fails, once.
        """
        if self._file.closed or not self._pending:
            return
        good = self._file.tell()
        if good >= self._next_boundary:
            self._next_boundary = good + _BOUNDARY_EVERY
            self._pending.append(_chunk(_BOUNDARY, _BOUNDARY_ID))
        data = b"".join(self._pending)
        self._pending = []
        try:
            _write_all(self._file.fileno(), data)
        except OSError as error:
            os.ftruncate(self._file.fileno(), good)
            self._file.close()
            msg = (
                f"recording to {self._path} stopped ({error.strerror}): what came before is "
                f"kept; free the disk and start another session"
            )
            raise SessionError(msg) from error

    def close(self) -> None:
        """Write what is left and the footers; more than once is fine."""
        if self._file.closed:
            return
        for stream_id, totals in self._streams.items():
            content = _id(stream_id) + totals.to_xml().encode()
            self._pending.append(_chunk(_FOOTER, content))
        self.flush()
        self._file.close()


def _file_info(session: str) -> bytes:
    said = f"<session>{escape(session)}</session>" if session else ""
    return f'<?xml version="1.0"?><info><version>1.0</version>{said}</info>'.encode()


class _Totals:
    """What the footer of a stream says."""

    def __init__(self) -> None:
        self.n_samples = 0
        self.first = self.last = 0.0
        self.offsets: list[tuple[float, float]] = []

    def count(self, timestamps: NDArray[np.float64]) -> None:
        if not self.n_samples:
            self.first = float(timestamps[0])
        self.last = float(timestamps[-1])
        self.n_samples += len(timestamps)

    def to_xml(self) -> str:
        offsets = "".join(
            f"<offset><time>{t!r}</time><value>{value!r}</value></offset>"
            for t, value in self.offsets
        )
        return (
            f'<?xml version="1.0"?><info><first_timestamp>{escape(repr(self.first))}'
            f"</first_timestamp><last_timestamp>{self.last!r}</last_timestamp>"
            f"<sample_count>{self.n_samples}</sample_count>"
            f"<clock_offsets>{offsets}</clock_offsets></info>"
        )


def _id(stream_id: int) -> bytes:
    return struct.pack("<I", stream_id)


def _length(n: int) -> bytes:
    """Return XDF's integer of variable length: how many bytes, and the bytes."""
    if n < 2**8:
        return struct.pack("<BB", 1, n)
    if n < 2**32:
        return struct.pack("<BI", 4, n)
    return struct.pack("<BQ", 8, n)


def _chunk(tag: int, content: bytes) -> bytes:
    return _length(len(content) + 2) + struct.pack("<H", tag) + content


def _rows(item: RawSamples) -> bytes:
    n_times = len(item.timestamps)
    if isinstance(item.data, list):
        return _length(n_times) + _text_rows(item.timestamps, item.data)
    data = item.data
    rows = np.empty(
        n_times,
        [("n", "u1"), ("t", "<f8"), ("data", data.dtype.newbyteorder("<"), data.shape[1:])],
    )
    rows["n"], rows["t"], rows["data"] = 8, item.timestamps, data
    return _length(n_times) + rows.tobytes()


def _text_rows(timestamps: NDArray[np.float64], values: list[str]) -> bytes:
    parts: list[bytes] = []
    n_channels = len(values) // len(timestamps)
    for n, t in enumerate(timestamps.tolist()):
        parts.append(struct.pack("<Bd", 8, t))
        for value in values[n * n_channels : (n + 1) * n_channels]:
            text = value.encode()
            parts += [_length(len(text)), text]
    return b"".join(parts)


def _write_all(fd: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(fd, left) :]
