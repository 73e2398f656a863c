"""Contact sheets: rows of pictures that belong together, drawn as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib import font_manager
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, ImageOps

__all__ = ["Strip", "draw_sheet"]

_GAP, _LEFT, _CAPTION, _BAND = 4, 96, 18, 12
_FONT = 12
_INK, _PAPER, _NOTHING = "#1f2937", "white", "#eef0f3"


@dataclass(frozen=True, slots=True, eq=False)
class Strip:
    """Pictures of one thing, from the top.

    Parameters
    ----------
    caption : str
        What it is.
    pictures : tuple of arrays of shape (height, width, 3)
        As many as the sheet has rows, uint8; None where there is none.
    """

    caption: str
    pictures: tuple[NDArray[np.uint8] | None, ...]


def draw_sheet(
    names: Sequence[str],
    strips: Sequence[Strip],
    side: int = 96,
    per_band: int = 8,
) -> Image.Image:
    """Draw strips side by side, in bands below each other.

    Parameters
    ----------
    names : sequence of str
        What each row shows.
    strips : sequence of Strip
        In the order in which they are read.
    side : int
        Of each picture, in pixels.
    per_band : int
        Strips beside each other.

    Raises
    ------
    ValueError
        If there is no strip, or one has other rows than there are names.
    """
    if not strips or {len(strip.pictures) for strip in strips} != {len(names)}:
        msg = f"each of the strips needs {len(names)} pictures, and there must be one at least"
        raise ValueError(msg)
    font = ImageFont.truetype(font_manager.findfont("DejaVu Sans"), _FONT)
    step, n_bands = side + _GAP, -(-len(strips) // per_band)
    height = _CAPTION + len(names) * step + _BAND
    width = _LEFT + min(per_band, len(strips)) * step
    sheet = Image.new("RGB", (width, n_bands * height), _PAPER)
    draw = ImageDraw.Draw(sheet)
    for number, strip in enumerate(strips):
        top, x = number // per_band * height, _LEFT + number % per_band * step
        draw.text((x, top), _short(strip.caption, side, font), _INK, font)
        for row, (name, pixels) in enumerate(zip(names, strip.pictures, strict=True)):
            y = top + _CAPTION + row * step
            if x == _LEFT:
                draw.multiline_text((0, y), name, _INK, font)
            if pixels is None:
                draw.rectangle((x, y, x + side - 1, y + side - 1), _NOTHING)
            else:
                tile = ImageOps.fit(Image.fromarray(pixels), (side, side))
                sheet.paste(tile, (x, y))
    return sheet


def _short(text: str, width: int, font: ImageFont.FreeTypeFont) -> str:
    """Return text that is no wider than so many pixels."""
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "…") > width:
        text = text[:-1]
    return text + "…"
