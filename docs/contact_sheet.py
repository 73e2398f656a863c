"""Make the contact sheet of previews: `python -m docs.contact_sheet` from the project's root.

A simulated participant at `realistic` calibrates with 1,000 trials; of a later session of 100,
the first 12 things that calibration had shown and the first 12 that it had not are drawn,
whatever came out: as word and emoji, as preview of the true latent, as preview of the single
decode, and as preview of no latent. The seed of each is the number of its trial. It takes about
two minutes.

What was seen is a word, for which the emoji of the system's font stands (Noto Color Emoji, OFL,
Debian's fonts-noto-color-emoji), as on the page; without the font, a field is left empty. The
pictures that the generator was trained on are of others and not shown here.

It prints the hash of what drew: other weights draw another sheet.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import mne
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from benchmarks.simulated import fitted_and_later
from decoder.contact_sheet import Strip, draw_sheet
from models.candidates import Candidates
from models.checkpoint import Model
from models.dataset import Dataset
from models.folds import Protocol
from models.generator import Generator, open_generator
from models.heldout import predict
from streaming.sources.simulated import SimulatedSettings

__all__ = ["emoji", "main", "strips_of"]

SHEET = Path(__file__).parent / "images" / "previews.png"
FONT = Path("/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf")
GLYPH = 109  # the only size that is in the font
PER_PROTOCOL = 12
N_LATER = 100
ROWS = ("seen", "true latent", "decoded", "prior only")
MAX_BYTES = 400_000


def emoji(glyph: str) -> NDArray[np.uint8] | None:
    """Return a glyph as a picture, or None without the font or the glyph."""
    if not glyph or not FONT.is_file():
        return None
    font = ImageFont.truetype(FONT, GLYPH)
    side = round(1.3 * GLYPH)
    picture = Image.new("RGB", (side, side), "white")
    draw = ImageDraw.Draw(picture)
    draw.text((side / 2, side / 2), glyph, font=font, anchor="mm", embedded_color=True)
    return np.array(picture)


def strips_of(
    model: Model, later: Dataset, protocol: Protocol, generator: Generator, n: int
) -> list[Strip]:
    """Return the previews of the first things that are shown of a protocol.

    Parameters
    ----------
    model : Model
        What decodes.
    later : Dataset
        A session that it never saw.
    protocol : str
        ``"closed_set"`` or ``"zero_shot"``.
    generator : Generator
        What draws.
    n : int
        How many things.
    """
    held_out = predict(model, later, protocol)
    _, first = np.unique(held_out.truth, return_index=True)
    strips = []
    for row in np.sort(first)[:n].tolist():
        seed, thing = int(held_out.index[row]), int(held_out.truth[row])
        drawn = [
            _last(generator, vector, seed)
            for vector in (_vector(model.candidates, thing), held_out.latents[row])
        ]
        seen = emoji(model.candidates.glyphs[thing])
        pictures = (seen, *drawn, generator.prior(seed).pixels)
        strips.append(Strip(model.candidates.texts[thing], pictures))
    return strips


def _vector(candidates: Candidates, thing: int) -> NDArray[np.float32]:
    return np.asarray(candidates.vectors[thing])


def _last(generator: Generator, vector: NDArray[np.float32], seed: int) -> NDArray[np.uint8]:
    """Return the final picture."""
    *_, final = generator.preview(vector, seed, lambda: False)
    return final.pixels


def main() -> None:
    """Write the sheet."""
    parser = argparse.ArgumentParser(prog="contact_sheet")
    parser.add_argument("--generator", default="braincast-preview")
    parser.add_argument("--output", type=Path, default=SHEET)
    said = parser.parse_args()
    mne.set_log_level("ERROR")
    model, later = fitted_and_later(SimulatedSettings(snr="realistic"), n_test=N_LATER)
    generator = open_generator(said.generator, space=model.space, centre=model.centre)
    strips = []
    for protocol in ("closed_set", "zero_shot"):
        strips += strips_of(model, later, protocol, generator, PER_PROTOCOL)
    sheet = draw_sheet(ROWS, strips, side=64, per_band=PER_PROTOCOL)
    sheet.quantize(256).save(said.output, "PNG", optimize=True)
    size = said.output.stat().st_size
    print(f"{said.output}: {size / 1000:.0f} kB, drawn by {generator.name} {generator.hash}")
    if size > MAX_BYTES:
        msg = f"{said.output} is larger than {MAX_BYTES / 1000:.0f} kB"
        raise SystemExit(msg)


if __name__ == "__main__":
    main()
