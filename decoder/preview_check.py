"""Makes the pictures of a session again, and compares them with those that were sent.

The latent comes from feeding the session again, the seed from the id of the decode; weights or
gallery are known by their hash. On the machine that recorded the session every pixel must be
the same. Elsewhere sums differ in their last digits, so that a pixel may.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from decoder.folder import SessionFolder
from decoder.preview_process import Ended, Made, Opened, PreviewProcess, Refused
from decoder.previews import FOLDER, read, seed_of
from decoder.reading import read_log
from models.checkpoint import Model
from models.media import read_image
from streaming.errors import ConfigError

__all__ = ["TOLERANCE", "Checked", "check_previews"]

TOLERANCE = 2.0
"""Mean absolute difference of pixels, of 255, that another machine may make."""

PATIENCE = 3600.0
"""Seconds that a picture may take: nobody waits for it."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What came of making pictures again.

    Parameters
    ----------
    n_equal, n_close : int
        Pictures that came out again, pixel by pixel, or within `TOLERANCE`.
    difference : str
        The first that did not, and how; empty if all did.
    unchecked : str
        Why some, or all, could not be made again; empty if all could.
    """

    n_equal: int = 0
    n_close: int = 0
    difference: str = ""
    unchecked: str = ""


def check_previews(
    folder: SessionFolder,
    model: Model,
    latents: Mapping[str, NDArray[np.float32]],
    *,
    exact: bool,
) -> Checked:
    """Make the final pictures of a session again.

    Parameters
    ----------
    folder : SessionFolder
        Its log says which there are.
    model : Model
        That it began with.
    latents : mapping of str to array of shape (n_dims,)
        Of each decode, as feeding the session again gave them.
    exact : bool
        Whether every pixel must be the same.
    """
    said = [m["params"] for m in read_log(folder) if m["method"] == "image"]
    headers = [params for params in said if params["final"]]
    if not headers:
        return Checked()
    for header in headers:
        if problem := _altered(folder.path / FOLDER, header):
            return Checked(difference=problem)
    worker = PreviewProcess(folder.config().preview, model.space, model.centre)
    try:
        return _compare(folder.path / FOLDER, worker, headers, latents, exact=exact)
    finally:
        worker.close()


def _altered(folder: Path, header: Mapping[str, Any]) -> str:
    """Return how what is kept of a picture is not what was sent; empty if it is."""
    name = header["decode_id"]
    if header["seed"] != seed_of(name):
        return f"the seed of the preview of {name} is not its own"
    pixels = _kept(folder, header)
    if pixels is not None and _hash(pixels) != header["sha256"]:
        return f"{FOLDER}/{header['file']} is not the preview of {name} that was sent"
    return ""


def _compare(
    folder: Path,
    worker: PreviewProcess,
    headers: list[dict[str, Any]],
    latents: Mapping[str, NDArray[np.float32]],
    *,
    exact: bool,
) -> Checked:
    answers = worker.answers()
    opened = next(answers, None)
    if isinstance(opened, Refused):
        return Checked(unchecked=opened.reason)
    if not isinstance(opened, Opened):
        return Checked(unchecked="what makes them ended before it began")
    n_equal, n_close, unchecked = 0, 0, ""
    for number, header in enumerate(headers, 1):
        name = header["decode_id"]
        if header["generator_hash"] != opened.hash:
            unchecked = f"{opened.name} has other weights or pictures than it had"
            continue
        if name not in latents:
            unchecked = "the recording ends before some of their decodes"
            continue
        worker.ask(number, latents[name], header["seed"], PATIENCE)
        made = _final(answers, number)
        if isinstance(made, str):
            return Checked(n_equal, n_close, "", made)
        if made.about["sha256"] == header["sha256"]:
            n_equal += 1
            continue
        kept = _kept(folder, header)
        off = _distance(_pixels(made.pictures["png"]), kept)
        if exact or (off is not None and off > TOLERANCE):
            how = "" if off is None else f", by {off:.2g} of 255 on average"
            difference = f"the preview of {name} does not come out again{how}"
            return Checked(n_equal, n_close, difference)
        if off is None:
            unchecked = "the machine is another, and pictures to compare with were not kept"
            continue
        n_close += 1
    return Checked(n_equal, n_close, "", unchecked)


def _final(answers: Iterator[object], number: int) -> Made | str:
    """Return the final picture of a request, or why there is none."""
    newest: Made | None = None
    for answer in answers:
        if isinstance(answer, Made) and answer.number == number:
            newest = answer
        elif isinstance(answer, Ended) and answer.number == number:
            return answer.detail or newest or f"a preview ended as {answer.how}"
    return "what makes them ended"


def _kept(folder: Path, header: Mapping[str, Any]) -> NDArray[np.uint8] | None:
    """Return the pixels of a picture that is kept, of shape (height, width, 3)."""
    png = read(folder, header["file"])
    return None if png is None else _pixels(png)


def _pixels(png: bytes) -> NDArray[np.uint8]:
    try:
        return np.array(read_image(png, formats=("PNG",)))
    except ConfigError:
        return np.zeros((0, 0, 3), np.uint8)  # which no picture is


def _hash(pixels: NDArray[np.uint8]) -> str:
    return hashlib.sha256(pixels.tobytes()).hexdigest()


def _distance(one: NDArray[np.uint8], other: NDArray[np.uint8] | None) -> float | None:
    if other is None:
        return None
    if one.shape != other.shape:
        return 255.0
    return float(np.abs(one.astype(np.float64) - other).mean())
