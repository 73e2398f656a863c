"""The previews of a session, as one sheet of its report."""

from __future__ import annotations

import io
from html import escape
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from decoder.account import Account, Preview
from decoder.contact_sheet import Strip, draw_sheet
from decoder.markup import block, picture
from decoder.previews import read
from models.media import read_image
from streaming.errors import ConfigError

__all__ = ["N_PICTURED", "previews"]

N_PICTURED = 24
"""Previews that a report shows: spread evenly over the session, so that none is chosen."""

_SIDE = 128  # pixels; wide enough for what stands above


def previews(account: Account, folder: Path) -> str:
    """Return what was pictured of decodes, in HTML.

    Parameters
    ----------
    account : Account
        Of the session, with at least one preview.
    folder : Path
        Where they are kept.
    """
    said = account.previews
    numbers = np.unique(np.linspace(0, len(said) - 1, N_PICTURED).round().astype(int))
    strips = [
        Strip(_caption(said[n]), (pixels,))
        for n in numbers
        if (pixels := _kept(folder, said[n])) is not None
    ]
    makers = " and ".join(sorted({escape(_maker(each)) for each in said}))
    about = (
        f"{len(strips)} of {len(said)} previews, spread evenly over the session: {makers}. "
        "Above each is when it was said, in minutes and seconds, what was shown if that was "
        "told, and what the decode put first. They picture decodes, and not what was seen."
    )
    lost = len(numbers) - len(strips)
    missing = f"<p>{lost} more cannot be read in previews/ any more.</p>" if lost else ""
    if not strips:
        return block(f"<p>{about}</p>", missing)
    sheet = io.BytesIO()
    draw_sheet([""], strips, _SIDE).save(sheet, "PNG")
    return block(
        f"<p>{about}</p>", picture(sheet.getvalue(), "previews of the session"), missing
    )


def _kept(folder: Path, each: Preview) -> NDArray[np.uint8] | None:
    png = read(folder, each.file)
    try:
        return None if png is None else np.array(read_image(png, formats=("PNG",)))
    except ConfigError:
        return None  # what is left of it is no picture


def _maker(each: Preview) -> str:
    return "retrieved" if each.kind == "retrieved" else f"{each.kind} by {each.source}"


def _caption(each: Preview) -> str:
    minutes, seconds = divmod(int(each.t), 60)
    shown = f"{each.shown} → " if each.shown else ""
    return f"{minutes}:{seconds:02} {shown}{each.answer}"
