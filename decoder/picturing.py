"""Pictures of held-out decodes, and beside them those that no decode had part in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from decoder.pictures import SIDE, square
from models.candidates import Candidates
from models.generator import Kind, open_generator
from models.heldout import HeldOut
from models.media import read_image
from models.spaces import Space, open_space
from streaming.errors import ConfigError

__all__ = [
    "Made",
    "PictureSettings",
    "Seen",
    "choose_trials",
    "make_pictures",
    "read_seen",
]

_SEED = 0  # the same trials are drawn each time

Tell = Callable[[float], None]
"""What is told the share that is done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureSettings:
    """What makes pictures, and what they are compared by.

    Parameters
    ----------
    generator : str
        See `models.generator.open_generator`.
    folder : Path or None
        What ``stim_file`` is relative to; the table's folder if not given.
    space : str
        Embedding space of pictures for two-way identification.
    device : str
        What the generator computes on.
    """

    generator: str
    folder: Path | None = None
    space: str = "efficientnet"
    device: str = "cpu"


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """The pictures that were shown.

    Parameters
    ----------
    files : tuple of str
        Their names as in the table of stimuli, each once.
    pictures : array of shape (n_files, side, side, 3)
        From 0 to 1.
    embedded : array of shape (n_files, n_dims)
        Their embeddings.
    space : Space
        What embeds them.
    """

    files: tuple[str, ...]
    pictures: NDArray[np.float32]
    embedded: NDArray[np.float32]
    space: Space


@dataclass(frozen=True, slots=True, eq=False)
class Made:
    """Pictures that were made for some trials.

    Parameters
    ----------
    rows : array of shape (n,)
        Which trials of the predictions.
    decoded, true, prior : tuple of arrays of shape (height, width, 3)
        Of each trial's latent, of that of what was shown, and of none; uint8.
    kind : str
        ``"generated"`` or ``"retrieved"``.
    hashes : tuple of str
        Of the generator, for each fold.
    """

    rows: NDArray[np.intp]
    decoded: tuple[NDArray[np.uint8], ...]
    true: tuple[NDArray[np.uint8], ...]
    prior: tuple[NDArray[np.uint8], ...]
    kind: Kind
    hashes: tuple[str, ...]


def read_seen(
    stim_files: Sequence[str], settings: PictureSettings, folder: Path, side: int = SIDE
) -> Seen:
    """Read the pictures that were shown.

    Parameters
    ----------
    stim_files : sequence of str
        What each trial showed; empty where unknown.
    settings : PictureSettings
        Where they are, and what embeds them.
    folder : Path
        Of the table of stimuli.
    side : int
        Side at which pictures are compared, in pixels.

    Raises
    ------
    ConfigError
        If no picture is known, there is only one, one cannot be read, or the space embeds none.
    """
    files = tuple(sorted({name for name in stim_files if name}))
    if len(files) < 2:
        found = "no trial names the picture" if not files else f"all trials show {files[0]}"
        msg = (
            f"{found}, so that there is nothing to compare pictures with: give the column "
            "stim_file in the table of stimuli, or leave out --pictures"
        )
        raise ConfigError(msg)
    space = open_space(settings.space)
    if "image" not in space.modalities:
        msg = f"{settings.space} embeds no pictures; use efficientnet, clip:... or dinov2:..."
        raise ConfigError(msg)
    paths = [(settings.folder or folder) / name for name in files]
    missing = next((path for path in paths if not path.is_file()), None)
    if missing is not None:
        msg = f"{missing} is not there; name the folder of the pictures with --pictures-from"
        raise ConfigError(msg)
    pictures = np.stack([square(np.array(read_image(path)), side) for path in paths])
    return Seen(files, pictures, space.embed(paths), space)


def choose_trials(held_out: HeldOut, files: Sequence[str], n_most: int) -> NDArray[np.intp]:
    """Draw trials by lot: all things equally often as far as it goes, and from all runs.

    Parameters
    ----------
    held_out : HeldOut
        Of all trials.
    files : sequence of str
        Pictures that are known; trials of others are not drawn.
    n_most : int
        How many at most.

    Returns
    -------
    array of shape (n,)
        Rows of `held_out`, in the order in which they were drawn.
    """
    known = np.flatnonzero(np.isin(np.array(held_out.stim_files), files))
    drawn = np.random.default_rng(_SEED).permutation(known)
    names = np.array(held_out.stim_files)[drawn]
    order = np.lexsort([_times_before(held_out.groups[drawn]), _times_before(names)])
    return drawn[order][:n_most]


def make_pictures(
    held_out: HeldOut,
    candidates: Candidates,
    centres: Sequence[NDArray[np.float32]],
    rows: NDArray[np.intp],
    settings: PictureSettings,
    tell: Tell = lambda _: None,
) -> Made:
    """Make three pictures for each of some trials, by the same seed: the trial's number.

    Parameters
    ----------
    held_out : HeldOut
        With latents.
    candidates : Candidates
        What was shown, and where it lies.
    centres : sequence of arrays of shape (n_dims,)
        Mean of the targets that the encoder of each fold was fitted to.
    rows : array of shape (n,)
        Which trials.
    settings : PictureSettings
        What makes them.
    tell : callable
        Told the share that is done.
    """
    latents, targets = held_out.latents, candidates.vectors[held_out.truth]
    made: dict[int, tuple[NDArray[np.uint8], ...]] = {}
    kind: Kind = "generated"
    hashes = []
    for fold in np.unique(held_out.fold[rows]):
        generator = open_generator(
            settings.generator,
            space=candidates.space,
            centre=centres[fold],
            device=settings.device,
        )
        kind = generator.kind
        hashes.append(generator.hash)
        for row in rows[held_out.fold[rows] == fold].tolist():
            seed = int(held_out.index[row])
            *_, decoded = generator.preview(latents[row], seed, lambda: False)
            *_, true = generator.preview(targets[row], seed, lambda: False)
            made[row] = decoded.pixels, true.pixels, generator.prior(seed).pixels
            tell(len(made) / len(rows))
    decoded_, true_, prior_ = zip(*(made[row] for row in rows.tolist()), strict=True)
    return Made(rows, decoded_, true_, prior_, kind, tuple(hashes))


def _times_before(names: NDArray[np.generic]) -> NDArray[np.intp]:
    """Return how often each entry was there before."""
    counts: dict[object, int] = {}
    before = []
    for name in names.tolist():
        before.append(counts.get(name, 0))
        counts[name] = before[-1] + 1
    return np.array(before, np.intp)
