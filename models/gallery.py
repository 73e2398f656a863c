"""A gallery: a folder of pictures with names, of which the nearest is shown.

``gallery.tsv`` in the folder names each picture, in the columns of a table of candidates:
``text`` is its name and ``stim_file`` its file (PNG, JPEG or WebP) within the folder.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.candidate_table import CandidateTable, read_table
from models.candidates import embed_candidates
from models.generator import Cancelled, Kind, Picture, check_vector
from models.media import read_image
from models.retrieval import directions, similarities
from models.spaces import LabelSpace, open_space
from streaming.errors import ConfigError

__all__ = ["TABLE", "Gallery", "open_gallery", "read_gallery"]

TABLE = "gallery.tsv"
"""Name of the table in the folder."""

_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
_MAX_SIDE = 512
"""Longest side of what is shown, in pixels: a preview, not the file of a camera."""


class Gallery:
    """Shows the picture that a latent reaches farthest towards, as decodes are ranked.

    Parameters
    ----------
    folder : Path
        Where the pictures are.
    space : str
        Name of the space that they, or their names, were embedded in.
    names : sequence of str
        What each is called.
    files : sequence of Path
        Where each is.
    vectors : array of shape (n_pictures, n_dims)
        Where they lie.
    centre : array of shape (n_dims,) or None
        Where directions are seen from; the mean of the vectors if None.

    Raises
    ------
    ConfigError
        If a picture cannot be read, or the centre has other dimensions.
    """

    kind: Kind = "retrieved"

    def __init__(
        self,
        folder: Path,
        space: str,
        names: Sequence[str],
        files: Sequence[Path],
        vectors: NDArray[np.float32],
        centre: NDArray[np.float32] | None = None,
    ) -> None:
        self.name = f"retrieve:{folder}"
        self.space = space
        if centre is None:
            centre = vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
        elif centre.shape != vectors.shape[1:]:
            msg = (
                f"{self.name} has {vectors.shape[1]} dimensions in {space} and the decoder "
                f"{centre.shape[0]}; open it in the decoder's space"
            )
            raise ConfigError(msg)
        self._names, self._files = tuple(names), tuple(files)
        self._centre, self._toward = centre, directions(vectors, centre)
        self._contents = [_content(file) for file in files]
        digest = hashlib.sha256()
        for name, content in zip(names, self._contents, strict=True):
            digest.update(hashlib.sha256(name.encode()).digest() + content)
        digest.update(centre.astype("<f4").tobytes() + vectors.astype("<f4").tobytes())
        self.hash = digest.hexdigest()

    def __len__(self) -> int:
        """Return how many pictures there are."""
        return len(self._names)

    def preview(
        self, vector: NDArray[np.float32], seed: int, cancelled: Cancelled
    ) -> Iterator[Picture]:
        """Yield the nearest picture; nothing in it is random."""
        del seed
        check_vector(vector, self._centre.shape[0], self.name)
        if not cancelled():
            yield self._show(int(similarities(self._toward, self._centre, vector).argmax()))

    def prior(self, seed: int) -> Picture:
        """Return a picture drawn by lot."""
        return self._show(int(np.random.default_rng(seed).integers(len(self))))

    def _show(self, index: int) -> Picture:
        file = self._files[index]
        content = file.read_bytes() if file.is_file() else b""
        if hashlib.sha256(content).digest() != self._contents[index]:
            msg = f"{file} was altered after {self.name} was opened; open it again"
            raise ConfigError(msg)
        image = read_image(content)
        image.thumbnail((_MAX_SIDE, _MAX_SIDE))
        return Picture(np.array(image), self.kind, 1, 1, self._names[index])


def read_gallery(folder: Path) -> tuple[CandidateTable, tuple[Path, ...]]:
    """Return the table of a gallery, and the file of each of its pictures.

    Parameters
    ----------
    folder : Path
        Where `TABLE` and the pictures are.

    Raises
    ------
    ConfigError
        If there is no picture, a name is missing or doubled, or a file is not in the folder.
    """
    pictures = {
        path.resolve()
        for path in folder.rglob("*")
        if path.suffix.lower() in _SUFFIXES and path.is_file()
    }
    if not pictures:
        msg = f"{folder} has no picture; a gallery is a folder of PNG, JPEG or WebP files"
        raise ConfigError(msg)
    if not (folder / TABLE).is_file():
        msg = f"{folder} has no {TABLE}; write one, with the columns text and stim_file"
        raise ConfigError(msg)
    table = read_table(folder / TABLE)
    files: list[Path] = []
    for name, file in zip(table.texts, table.files, strict=True):
        where = f"{folder / TABLE}: {name!r}"
        if file is None:
            msg = f"{where} has no picture; name its file in the column stim_file"
            raise ConfigError(msg)
        if not file.resolve().is_relative_to(folder.resolve()):
            msg = f"{where} has its picture outside of the folder, {file}; copy it into it"
            raise ConfigError(msg)
        if file.resolve() not in pictures:
            msg = f"{where} has no PNG, JPEG or WebP file {file}; check stim_file"
            raise ConfigError(msg)
        if file in files:
            msg = f"{where} has the same picture as another, {file.name}; give each its own"
            raise ConfigError(msg)
        files.append(file)
    nameless = sorted(pictures - {file.resolve() for file in files})
    if nameless:
        msg = f"{nameless[0]} has no name; give it a line in {TABLE}, or move it elsewhere"
        raise ConfigError(msg)
    return table, tuple(files)


def open_gallery(
    folder: Path, space: str, centre: NDArray[np.float32] | None = None
) -> Gallery:
    """Open a gallery in an embedding space.

    Parameters
    ----------
    folder : Path
        Where the pictures and their table are.
    space : str
        See `models.spaces.open_space`. A space of pictures takes the pictures, another their
        names.
    centre : array of shape (n_dims,) or None
        Mean of the targets that the decoder was fitted to.

    Raises
    ------
    ConfigError
        If it is no gallery, or the space takes neither pictures nor names.
    """
    if space == LabelSpace.name:
        msg = f"labels mean nothing, so that none is near to a picture of {folder}; no previews"
        raise ConfigError(msg)
    table, files = read_gallery(folder)
    pictures = [(file,) for file in files]
    opened = open_space(space)
    if "audio" in opened.modalities:
        msg = f"{space} embeds sound; previews need a space of pictures or texts"
        raise ConfigError(msg)
    found = embed_candidates(table.ids, table.texts, opened, files=pictures)
    return Gallery(folder, found.space, table.texts, files, found.vectors, centre)


def _content(file: Path) -> bytes:
    """Return the SHA-256 of a picture that can be shown."""
    read_image(file)
    return hashlib.sha256(file.read_bytes()).digest()
