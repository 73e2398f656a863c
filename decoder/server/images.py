"""Pictures on the wire: what the log says of one, and the picture with it.

A line of the log becomes a binary frame (a 4-byte big-endian header length, the parameters as a
JSON header, the bytes) or, in base64, a text frame, by string alone: nothing is parsed.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Mapping
from typing import Literal, NamedTuple

__all__ = ["PNG", "Encoding", "Format", "Way", "encode_image"]

Format = Literal["png", "jpeg", "webp"]
Way = Literal["binary", "base64"]

_HEAD = '{"jsonrpc":"2.0","method":"image","params":{'


class Encoding(NamedTuple):
    """How a client wants pictures."""

    format: Format = "png"
    way: Way = "binary"


PNG = Encoding()


def encode_image(body: str, pictures: Mapping[str, bytes], encoding: Encoding) -> str | bytes:
    """Put a picture to its event.

    Parameters
    ----------
    body : str
        The event as it is logged.
    pictures : mapping of str to bytes
        The picture, by format. Where the one that is wanted is not there it is sent as a PNG,
        and `format` says so; where none is, no bytes follow and `format` is empty.
    encoding : Encoding
        How it is wanted.

    Examples
    --------
    >>> encode_image(_HEAD + '"seq":1}}', {"png": b"abc"}, Encoding(way="base64"))[-42:]
    '"seq":1,"format":"png","base64":"YWJj"}}'
    """
    chosen = next((name for name in (encoding.format, "png") if name in pictures), "")
    data = pictures.get(chosen, b"")
    fields = f'{body[len(_HEAD) : -2]},"format":"{chosen}"'
    if encoding.way == "base64":
        return f'{_HEAD}{fields},"base64":"{base64.b64encode(data).decode()}"}}}}'
    head = f'{{"stream":"image",{fields}}}'.encode()
    return struct.pack(">I", len(head)) + head + data
