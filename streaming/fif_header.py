"""The header of a FIF file, as Neuromag systems put it into a FieldTrip buffer.

A FIF file is a sequence of tags: kind, type, size and next as 32-bit integers, then the data
(Functional Image File Format 1.3, Elekta Neuromag). Files have the bytes of an integer in
network order; FieldTrip's ``neuromag2ft`` writes them in the order of its machine, so both are
read here. MNE reads only the former.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from streaming.errors import SourceError
from streaming.signal import SignalSpec

__all__ = ["FifChannel", "read_fif_header", "write_fif_header"]

_FILE_ID, _DIR_POINTER, _BLOCK_START, _BLOCK_END = 100, 101, 104, 105
_NCHAN, _SFREQ, _CH_INFO = 200, 201, 203
_INT, _FLOAT, _CH_INFO_STRUCT, _ID_STRUCT = 3, 4, 30, 31
_MEAS, _MEAS_INFO = 100, 101

_CHANNEL = "3i2fi12f2i16s"
"""Scan and logical number, kind, range, calibration, coil, place, unit, its power, name."""

_KINDS = {1: "mag", 301: "ref_meg", 2: "eeg", 3: "stim", 202: "eog", 302: "emg", 402: "ecg"}
"""Kinds of channels as MNE's types; all others are ``misc``. 1 is any MEG sensor."""

_UNITS = {107: "V", 112: "T", 201: "T/m"}

_COILS = {"mag": 3024, "grad": 3012, "eeg": 1}
"""Neuromag's magnetometer and planar gradiometer, and an electrode."""


@dataclass(frozen=True, slots=True)
class FifChannel:
    """A channel, as a FIF header describes it.

    Parameters
    ----------
    name : str
        Up to 15 characters.
    type : str
        MNE's type.
    unit : str
        ``"V"``, ``"T"`` or ``"T/m"``; empty for a plain number.
    scale : float
        The power of ten that belongs to the unit: 1, except where the header says otherwise.
    cal : float
        What to multiply the numbers of the converter with, range included.
    """

    name: str
    type: str
    unit: str
    scale: float
    cal: float


def read_fif_header(data: bytes) -> tuple[FifChannel, ...]:
    """Return the channels of a FIF header.

    Parameters
    ----------
    data : bytes
        The file, up to the samples, in either order of bytes.

    Raises
    ------
    SourceError
        If it is no FIF header, or a damaged one.
    """
    channels: list[FifChannel] = []
    n_channels = -1
    order = "<" if data[:4] == struct.pack("<i", _FILE_ID) else ">"
    for kind, content in _tags(data, order):
        if kind == _NCHAN and len(content) == 4:
            (n_channels,) = struct.unpack(f"{order}i", content)
        elif kind == _CH_INFO and len(content) == struct.calcsize(f"={_CHANNEL}"):
            channels.append(_channel(content, order))
    if not channels or len(channels) != n_channels:
        msg = (
            f"the Neuromag header in the buffer describes {len(channels)} channels where it "
            f"announces {max(n_channels, 0)}: restart the measurement, so that it is sent again"
        )
        raise SourceError(msg)
    return tuple(channels)


def _tags(data: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 16 <= len(data):
        kind, _, size, _ = struct.unpack_from(f"{order}4i", data, at)
        if size < 0 or at + 16 + size > len(data):
            return
        yield kind, data[at + 16 : at + 16 + size]
        at += 16 + size


def _channel(content: bytes, order: str) -> FifChannel:
    values = struct.unpack(f"{order}{_CHANNEL}", content)
    kind, full_range, cal, unit, power = values[2], values[3], values[4], values[18], values[19]
    unit_name = _UNITS.get(unit, "")
    type_name = "grad" if kind == 1 and unit_name == "T/m" else _KINDS.get(kind, "misc")
    name = values[20].split(b"\0")[0].decode("latin-1")
    scale = float(f"1e{power}") if -30 <= power <= 30 else 1.0
    return FifChannel(name, type_name, unit_name, scale, full_range * cal)


def write_fif_header(spec: SignalSpec, order: Literal["<", ">"] = "<") -> bytes:
    """Return a FIF header for samples that are in SI units already.

    Parameters
    ----------
    spec : SignalSpec
        Rate and channels; of a name, the first 15 characters are kept.
    order : str
        Order of bytes: ``"<"`` as FieldTrip expects it, ``">"`` as in files.
    """
    word = f"{order}i"
    tags = [
        (_FILE_ID, _ID_STRUCT, bytes(20)),
        (_DIR_POINTER, _INT, struct.pack(word, -1)),
        (_BLOCK_START, _INT, struct.pack(word, _MEAS)),
        (_BLOCK_START, _INT, struct.pack(word, _MEAS_INFO)),
        (_NCHAN, _INT, struct.pack(word, len(spec.ch_names))),
        (_SFREQ, _FLOAT, struct.pack(f"{order}f", spec.sfreq)),
        *((_CH_INFO, _CH_INFO_STRUCT, c) for c in _channels(spec, order)),
        (_BLOCK_END, _INT, struct.pack(word, _MEAS_INFO)),
        (_BLOCK_END, _INT, struct.pack(word, _MEAS)),
    ]
    last = len(tags) - 1
    return b"".join(
        struct.pack(f"{order}4i", kind, form, len(content), -1 if n == last else 0) + content
        for n, (kind, form, content) in enumerate(tags)
    )


def _channels(spec: SignalSpec, order: str) -> Iterator[bytes]:
    kinds = {name: kind for kind, name in _KINDS.items()} | {"grad": 1}
    units = {name: unit for unit, name in _UNITS.items()}
    rows = zip(spec.ch_names, spec.ch_types, spec.units, strict=True)
    for number, (name, ch_type, unit) in enumerate(rows, 1):
        yield struct.pack(
            f"{order}{_CHANNEL}",
            number,
            number,
            kinds.get(ch_type, 502),
            1.0,
            1.0,
            _COILS.get(ch_type, 0),
            *[0.0] * 12,
            units.get(unit, -1),
            0,
            name.encode("latin-1", "replace")[:15],
        )
