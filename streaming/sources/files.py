"""What all readers of files share: how a file that cannot be read is told of."""

from __future__ import annotations

import configparser
import struct
import zlib
from pathlib import Path
from xml.etree.ElementTree import ParseError

from streaming.errors import RecordingError

__all__ = ["UNREADABLE", "check_file", "unreadable"]

UNREADABLE = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    ParseError,
    RuntimeError,
    TypeError,
    ValueError,
    configparser.Error,
    struct.error,
    zlib.error,
)
"""What readers raise for a damaged file; neither MNE nor pyxdf has an error of its own."""


def check_file(path: Path) -> None:
    """Refuse a file that is not there or has nothing in it.

    Raises
    ------
    RecordingError
        If so.
    """
    if not path.exists():
        msg = f"there is no recording {path} (from {Path.cwd()}): check the path"
        raise RecordingError(msg)
    if path.is_file() and path.stat().st_size == 0:
        msg = f"{path} is empty (0 bytes): export or copy it again"
        raise RecordingError(msg)


def unreadable(path: Path, error: Exception) -> RecordingError:
    """Return the error to raise for a file of which a reader says `error`."""
    said = " ".join(str(error).split()) or type(error).__name__
    return RecordingError(
        f"{path} cannot be read ({said[:200]}): it may be damaged or cut off; "
        f"export or copy it again"
    )
