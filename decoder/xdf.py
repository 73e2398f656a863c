"""Copy an XDF file without what names a machine, a person or a day."""

from __future__ import annotations

import struct
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

from streaming.outlet import number

__all__ = ["copy_anonymised"]

_FILE_HEADER, _STREAM_HEADER = 1, 2

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
        for tag, content in _chunks(source.read_bytes()):
            kept = content
            if tag == _FILE_HEADER:
                kept = b'<?xml version="1.0"?><info><version>1.0</version></info>'
            elif tag == _STREAM_HEADER:
                kept = content[:4] + _anonymous(content[4:], *struct.unpack("<I", content[:4]))
            file.write(struct.pack("<BQH", 8, len(kept) + 2, tag) + kept)


def _chunks(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield tag and content of each whole chunk."""
    at = len(b"XDF:")
    while at < len(data):
        width = data[at]
        start = at + 1 + width
        at = start + int.from_bytes(data[at + 1 : start], "little")
        if at > len(data):  # torn by a crash
            return
        yield struct.unpack("<H", data[start : start + 2])[0], data[start + 2 : at]


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
