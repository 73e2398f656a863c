"""Our own XDF files, chunk by chunk: read them, or copy them without what names anybody."""

from __future__ import annotations

import struct
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streaming.errors import SessionError
from streaming.outlet import number

__all__ = ["RecordedStream", "copy_anonymised", "read_samples", "read_streams"]

_FILE_HEADER, _STREAM_HEADER, _SAMPLES = 1, 2, 3

_STAMPED = 8
"""Before each sample: its timestamp has so many bytes."""

_FORMATS = {
    "float32": "<f4",
    "double64": "<f8",
    "int8": "<i1",
    "int16": "<i2",
    "int32": "<i4",
    "int64": "<i8",
}

_KEPT = ("type", "channel_count", "channel_format", "nominal_srate")

_KEPT_OF_CHANNELS = ("label", "type", "unit")


def copy_anonymised(source: Path, target: Path) -> None:
    """Copy a recording; of its headers only what the samples mean is kept.

    Names of streams, hosts, addresses, ids and free descriptions go, since any of them may
    hold a name or a serial number. Samples, markers, timestamps (which count from a machine's
    start) and clock offsets stay as they are.

    Parameters
    ----------
    source, target : Path
        A recording, whole or cut short, and the copy.
    """
    with target.open("wb") as file:
        file.write(b"XDF:")
        for tag, content in _chunks(source):
            kept = content
            if tag == _FILE_HEADER:
                kept = b'<?xml version="1.0"?><info><version>1.0</version></info>'
            elif tag == _STREAM_HEADER:
                kept = content[:4] + _anonymous(content[4:], *struct.unpack("<I", content[:4]))
            file.write(struct.pack("<BQH", 8, len(kept) + 2, tag) + kept)


@dataclass(frozen=True, slots=True)
class RecordedStream:
    """A stream of numbers in a recording.

    Parameters
    ----------
    type : str
        As its sender calls it.
    sfreq : float
        Nominal rate, in Hz.
    dtype : dtype
        Of a sample: ``data`` of shape (n_channels,), after its timestamp.
    """

    type: str
    sfreq: float
    dtype: np.dtype[np.void]

    @property
    def n_channels(self) -> int:
        """How many channels it has."""
        return int(self.dtype["data"].shape[0])


def read_streams(path: Path) -> dict[int, RecordedStream]:
    """Return the streams of numbers in a recording of ours, by their number."""
    found = {}
    for _, content in _chunks(path, only=_STREAM_HEADER):
        info = ET.fromstring(content[4:])  # noqa: S314 - our own recording
        channel_format = info.findtext("channel_format", "")
        if channel_format in _FORMATS:
            n_channels = int(info.findtext("channel_count", "0"))
            data = ("data", _FORMATS[channel_format], (n_channels,))
            found[struct.unpack("<I", content[:4])[0]] = RecordedStream(
                info.findtext("type", ""),
                float(info.findtext("nominal_srate", "0")),
                np.dtype([("width", "u1"), ("t", "<f8"), data]),
            )
    return found


def read_samples(
    path: Path, streams: Mapping[int, RecordedStream]
) -> Iterator[tuple[int, NDArray[np.generic]]]:
    """Yield the samples of some streams as they were recorded, up to a torn end.

    Parameters
    ----------
    path : Path
        A recording of ours.
    streams : mapping of int to RecordedStream
        Of `read_streams`.

    Yields
    ------
    int
        The stream's number.
    array of shape (n_times, n_channels)
        In the sender's type and units.

    Raises
    ------
    SessionError
        If another program wrote it.
    """
    for _, content in _chunks(path, only=_SAMPLES):
        number = struct.unpack("<I", content[:4])[0]
        if number in streams:
            dtype = streams[number].dtype
            start = 5 + content[4]
            n_times = int.from_bytes(content[5:start], "little")
            if len(content) != start + n_times * dtype.itemsize or (
                n_times and content[start] != _STAMPED
            ):
                msg = f"{path} was not recorded by braincast: it cannot be read in blocks"
                raise SessionError(msg)
            yield number, np.frombuffer(content, dtype, n_times, start)["data"]


def _chunks(path: Path, only: int | None = None) -> Iterator[tuple[int, bytes]]:
    """Yield tag and content of each whole chunk, or of those with one tag."""
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(len(b"XDF:"))
        while head := file.read(1):
            length = int.from_bytes(file.read(head[0]), "little")
            end = file.tell() + length
            if end > size:  # torn by a crash
                return
            (tag,) = struct.unpack("<H", file.read(2))
            if only is None or tag == only:
                yield tag, file.read(length - 2)
            else:
                file.seek(end)


def _anonymous(header: bytes, stream_id: int) -> bytes:
    old = ET.fromstring(header)  # noqa: S314 - our own recording
    new = ET.Element("info")
    ET.SubElement(new, "name").text = f"stream {stream_id}"
    for name in _KEPT:
        ET.SubElement(new, name).text = old.findtext(name, "")
    desc = ET.SubElement(new, "desc")
    late = number(old.findtext("desc/synchronization/offset_mean", ""))
    if late is not None:  # without it the timestamps would mean something else
        ET.SubElement(ET.SubElement(desc, "synchronization"), "offset_mean").text = repr(late)
    channels = ET.SubElement(desc, "channels")
    for channel in old.iterfind("desc/channels/channel"):
        kept = ET.SubElement(channels, "channel")
        for name in _KEPT_OF_CHANNELS:
            ET.SubElement(kept, name).text = channel.findtext(name, "")
    return bytes(ET.tostring(new, encoding="utf-8", xml_declaration=True))
