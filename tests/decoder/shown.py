"""Trials that show pictures of four colours, and latents that know them or do not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from decoder.picturing import PictureSettings
from models.candidates import Candidates
from models.heldout import HeldOut
from models.retrieval import directions, similarities
from tests.decoder.painter import N_DIMS, colours
from tests.models.pretrained import save_clip

__all__ = ["N_THINGS", "predicted", "save_shown", "things"]

N_THINGS = 12


def things() -> Candidates:
    """Return what is shown: points between 0 and 1."""
    vectors = np.random.default_rng(0).random((N_THINGS, N_DIMS)).astype(np.float32)
    names = tuple(f"thing {n}" for n in range(N_THINGS))
    return Candidates(names, names, ("",) * N_THINGS, (True,) * N_THINGS, vectors, "paint")


def save_shown(folder: Path) -> PictureSettings:
    """Save the picture of each thing, and a tiny network that embeds pictures."""
    for n, vector in enumerate(things().vectors):
        Image.fromarray(colours(vector)).save(folder / f"{n}.png")
    (folder / "clip").mkdir()
    space = f"clip:{save_clip(folder / 'clip')}"
    return PictureSettings(generator="paint:", space=space)


def predicted(noise: float, n: int = 48, n_runs: int = 4) -> HeldOut:
    """Return predictions of each run, as right as the noise allows."""
    rng = np.random.default_rng(1)
    candidates = things()
    truth = np.concatenate([rng.permutation(N_THINGS) for _ in range(n // N_THINGS)])
    vectors = candidates.vectors
    centre = vectors.mean(axis=0)
    latents = vectors[truth] + noise * rng.standard_normal((n, N_DIMS)).astype(np.float32)
    toward = directions(vectors, centre)
    groups = np.arange(n) * n_runs // n
    return HeldOut(
        protocol="closed_set",
        similarity=np.stack([similarities(toward, centre, latent) for latent in latents]),
        truth=truth,
        groups=groups,
        t=np.arange(n, dtype=float),
        stim_files=tuple(f"{k}.png" for k in truth),
        n_purged=0,
        fold=groups,
        pools=np.ones((n_runs, N_THINGS), bool),
        index=np.arange(n),
        encoders=("ridge",) * n_runs,
        latents=latents.astype(np.float32),
    )
