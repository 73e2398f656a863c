"""Pictures of decodes on disk: their names, and saving them whole.

::

    previews/locked-12-3.png    of the decode session/locked/12, its revision 3

Only final pictures are kept: a coarse one is replaced within a second, and would take as much
room again. One of 64 by 64 pixels takes about 8 kB: with a decode a second, 30 MB an hour.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

__all__ = ["FOLDER", "file_name", "path_of", "read", "save", "seed_of"]

FOLDER = "previews"
"""Name of the folder within a session's."""

_NAME = re.compile(r"\w[\w.-]*\.png", re.ASCII)


def seed_of(decode_id: str) -> int:
    """Return the seed of a decode's picture: the same whenever the session is fed again.

    Examples
    --------
    >>> seed_of("S/locked/12") == seed_of("S/locked/12") != seed_of("S/locked/13")
    True
    """
    return int.from_bytes(hashlib.sha256(decode_id.encode()).digest()[:4], "big") >> 1


def file_name(decode_id: str, revision: int) -> str:
    """Return what the picture of a decode is called.

    Examples
    --------
    >>> file_name("20261123T080000Z-1a2b/locked/12", 3)
    'locked-12-3.png'
    """
    _, kind, index = decode_id.rsplit("/", 2)
    return f"{kind}-{index}-{revision}.png"


def path_of(folder: Path, name: object) -> Path | None:
    """Return where a picture is kept; None if that is no name of one.

    Parameters
    ----------
    folder : Path
        `FOLDER` of a session.
    name : object
        As a log calls it. Logs come from other people, too: nothing leads out of the folder.

    Examples
    --------
    >>> path_of(Path("S/previews"), "locked-12-3.png").name
    'locked-12-3.png'
    >>> path_of(Path("S/previews"), "../../mine.png")
    """
    return folder / name if isinstance(name, str) and _NAME.fullmatch(name) else None


def read(folder: Path, name: object) -> bytes | None:
    """Return a picture that is kept, as PNG; None if it is not.

    Parameters
    ----------
    folder, name
        As for `path_of`.
    """
    path = path_of(folder, name)
    try:
        return path.read_bytes() if path is not None else None
    except OSError:
        return None  # it was deleted, or the disk fails


def save(folder: Path, name: str, png: bytes) -> None:
    """Write a picture so that it is there whole, or not at all.

    Parameters
    ----------
    folder, name
        As for `path_of`.
    png : bytes
        The picture.

    Raises
    ------
    OSError
        If the disk refuses.
    ValueError
        If that is no name of a picture.
    """
    path = path_of(folder, name)
    if path is None:
        msg = f"{name!r} is no name of a preview; use file_name"
        raise ValueError(msg)
    path.parent.mkdir(exist_ok=True)
    part = path.with_suffix(".part")
    try:
        part.write_bytes(png)
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise
