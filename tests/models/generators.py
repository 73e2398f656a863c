"""One of each generator, tiny, in a space of few dimensions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import diffusers

from models.gallery import TABLE
from models.generator import Generator, open_generator
from tests.models.pretrained import save_clip, save_picture
from tests.models.tiny_pipelines import (
    N_DIMS,
    SAVERS,
    image_encoder,
    save_ip_adapter,
    set_scheduler,
)

__all__ = ["COLOURS", "MAKERS", "save_gallery"]

COLOURS = ("red", "green", "blue", "white")


def save_gallery(folder: Path, colours: tuple[str, ...] = COLOURS) -> Path:
    """Save pictures of one colour each, named after it."""
    folder.mkdir(exist_ok=True)
    rows = []
    for n, colour in enumerate(colours):
        suffix = ("png", "jpg", "webp")[n % 3]
        save_picture(folder / f"{n}.{suffix}", colour)
        rows.append(f"{colour}\t{n}.{suffix}\n")
    (folder / TABLE).write_text("text\tstim_file\n" + "".join(rows), encoding="utf-8")
    return folder


def _gallery(folder: Path) -> Generator:
    (folder / "clip").mkdir()
    space = f"clip:{save_clip(folder / 'clip')}"
    return open_generator(f"retrieve:{save_gallery(folder / 'gallery')}", space=space)


def _diffused(folder: Path) -> Generator:
    for name in ("pipeline", "encoder"):
        (folder / name).mkdir()
    pipeline = SAVERS["StableDiffusionPipeline"](folder / "pipeline")
    set_scheduler(pipeline, diffusers.LCMScheduler())  # few steps
    file = save_ip_adapter(pipeline, folder / "ip.safetensors")
    image_encoder().save_pretrained(folder / "encoder")
    space = f"image-embeds:{folder / 'encoder'}"
    return open_generator(f"diffusers:{pipeline}+{file}", space=space)


MAKERS: dict[str, Callable[[Path], tuple[Generator, int]]] = {
    "braincast-preview": lambda _: (open_generator("braincast-preview", space="minilm"), 384),
    "diffusers": lambda folder: (_diffused(folder), N_DIMS),
    "retrieve": lambda folder: (_gallery(folder), 8),
}
"""Kind of a generator -> what makes one in an empty folder, and its number of dimensions."""
