"""Previews of a mock: small pictures of its own, with MOCK written on them, by no generator."""

from __future__ import annotations

import hashlib
import itertools
import random
import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import Any

from decoder.previews import file_name, seed_of

__all__ = ["NAME", "SIDE", "paint", "pictured", "png_of"]

NAME = "mock"
"""What `generator` and `source` of such a picture say."""

SIDE = 32
"""Pixels from left to right, and from top to bottom."""

_FIELDS = (2, 8)
"""Coloured fields along a side, of each step."""

_LETTERS = (
    "101 111 111 101",
    "111 101 100 101",
    "111 101 100 110",
    "101 101 100 101",
    "101 111 111 101",
)


def paint(seed: int, step: int) -> bytes:
    """Return pixels, rows from the top, in each red, green and blue.

    Parameters
    ----------
    seed : int
        Which picture.
    step : int
        1: coarse, 2: final.
    """
    n = _FIELDS[step - 1]
    colours = random.Random(seed + step)
    fields = [[colours.randbytes(3) for _ in range(n)] for _ in range(n)]
    rows = [[fields[y * n // SIDE][x * n // SIDE] for x in range(SIDE)] for y in range(SIDE)]
    for (row, line), x in itertools.product(enumerate(_LETTERS), range(15)):
        lit = b"\xff" * 3 if line[x] == "1" else b"\0" * 3
        for down, right in itertools.product((10, 11), (1, 2)):
            rows[2 * row + down][2 * x + right] = lit
    return b"".join(itertools.chain.from_iterable(rows))


def png_of(pixels: bytes, side: int = SIDE) -> bytes:
    """Return a PNG file (ISO/IEC 15948) of a square of pixels."""
    width = 3 * side
    lines = [b"\0" + pixels[at : at + width] for at in range(0, len(pixels), width)]
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(b"".join(lines))), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in parts
    )


def pictured(messages: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield messages with a coarse and a final picture after each decode that is to be shown.

    They stand in place of those that the session had; not yet numbered, under ``pictures`` what
    goes with them, by format.
    """
    for message in messages:
        if message["method"] == "image":
            continue
        yield message
        said = message["params"]
        shown = message["method"] == "text" and not said["abstained"] and not said["stale"]
        if shown and said.get("final", True):
            yield from _previews(said)


def _previews(text: dict[str, Any]) -> Iterator[dict[str, Any]]:
    name, n_steps = text["decode_id"], len(_FIELDS)
    seed = seed_of(name)
    for revision in range(n_steps):
        step = revision + 1
        pixels, final = paint(seed, step), step == n_steps
        params = {
            "seq": 0,
            "decode_id": name,
            "revision": revision,
            "kind": "generated",
            "step": step,
            "n_steps": n_steps,
            "final": final,
            "seed": seed,
            "generator": NAME,
            "generator_hash": hashlib.sha256(NAME.encode()).hexdigest(),
            "source": NAME,
            "width": SIDE,
            "height": SIDE,
            "sha256": hashlib.sha256(pixels).hexdigest(),
            "t_start": text["t_start"],
            "t_end": text["t_end"],
            "t_text": text["t_emit"],
            "file": file_name(name, revision) if final else None,
            "t_emit": text["t_emit"],
        }
        pictures = {"png": png_of(pixels)}
        said = {"jsonrpc": "2.0", "method": "image", "params": params}
        yield said | {"pictures": pictures}
