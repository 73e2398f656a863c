"""Embeddings on disk, found by what they were made of."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["EmbeddingCache"]


class EmbeddingCache:
    """One file for each vector, named by a hash of the network, the layer and the content.

    A picture that is renamed is found again, and a network with other weights never finds what
    another one made. The folder can be deleted at any time.

    Parameters
    ----------
    folder : Path, optional
        Where; ``$BRAINCAST_CACHE`` if not given, else the user's cache folder.
    """

    def __init__(self, folder: Path | None = None) -> None:
        chosen = folder or os.environ.get("BRAINCAST_CACHE")
        if chosen is None:
            import pooch

            chosen = pooch.os_cache("braincast")
        self._folder = Path(chosen) / "embeddings"

    def get(self, *parts: bytes) -> NDArray[np.float32] | None:
        """Return what was stored for these parts, or None."""
        try:
            found = np.load(self._path(parts), allow_pickle=False)
        except (OSError, ValueError, EOFError):  # not there, or cut off when it was written
            return None
        return np.asarray(found, np.float32)

    def put(self, vector: NDArray[np.float32], *parts: bytes) -> None:
        """Store a vector for these parts; where nothing can be written, it is made anew."""
        path = self._path(parts)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
                np.save(file, vector, allow_pickle=False)
            Path(file.name).replace(path)
        except OSError:
            return

    def _path(self, parts: tuple[bytes, ...]) -> Path:
        digest = hashlib.sha256()
        for part in parts:
            digest.update(len(part).to_bytes(8, "little") + part)
        name = digest.hexdigest()
        return self._folder / name[:2] / f"{name[2:]}.npy"
