"""What a decode chooses from."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.candidate_table import CandidateTable, parse_table, read_table
from models.spaces import PACKAGED_SPACE, Space, open_space
from streaming.errors import ConfigError

__all__ = ["Candidates", "demo_concepts", "embed_candidates", "read_candidates"]


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Things with texts, and their places in an embedding space.

    Parameters
    ----------
    ids : tuple of str
        Names without doubles.
    texts : tuple of str
        What is embedded and shown.
    glyphs : tuple of str
        An emoji each, or an empty string.
    trained : tuple of bool
        Which of them calibration shows, or has shown; the others are zero-shot.
    vectors : array of shape (n_candidates, n_dims)
        Where they lie: their texts, or the mean of their pictures or sounds.
    space : str
        Name of the embedding space.
    version : int
        Counts up when a session replaces its candidates.
    pictures : tuple of bytes
        JPEGs of those that were set live with a picture, empty for the others; none at all if
        there is not one.
    """

    ids: tuple[str, ...]
    texts: tuple[str, ...]
    glyphs: tuple[str, ...]
    trained: tuple[bool, ...]
    vectors: NDArray[np.float32]
    space: str
    version: int = 1
    pictures: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        """Check that the columns fit and that the candidates differ."""
        n = len(self.ids)
        if n < 2:
            msg = f"there is nothing to choose from: {n} candidates; give at least two"
            raise ConfigError(msg)
        lengths = {len(self.texts), len(self.glyphs), len(self.trained)}
        if lengths != {n} or self.vectors.ndim != 2 or len(self.vectors) != n:
            msg = (
                f"ids has {n} entries, texts, glyphs and trained have {sorted(lengths)}, "
                f"vectors has shape {self.vectors.shape}; they must match"
            )
            raise ValueError(msg)
        if self.vectors.dtype != np.float32 or not np.isfinite(self.vectors).all():
            msg = f"vectors must be finite float32, got {self.vectors.dtype}"
            raise ValueError(msg)
        if len(self.pictures) not in {0, n}:
            msg = f"ids has {n} entries, pictures {len(self.pictures)}; they must match"
            raise ValueError(msg)
        for what, values in (("id", self.ids), ("text", self.texts)):
            twice = sorted(value for value, count in Counter(values).items() if count > 1)
            if twice:
                msg = (
                    f"candidates differ in {what}, got more than one of {', '.join(twice[:5])}"
                )
                raise ConfigError(msg)

    def __len__(self) -> int:
        """Return the size of the pool."""
        return len(self.ids)

    @property
    def hash(self) -> str:
        """SHA-256, in hex, of what decides a ranking: ids, texts, space and vectors."""
        digest = hashlib.sha256()
        for part in (self.space, str(len(self)), *self.ids, *self.texts):
            text = part.encode()
            digest.update(len(text).to_bytes(8, "little") + text)
        digest.update(np.ascontiguousarray(self.vectors, dtype="<f4").tobytes())
        return digest.hexdigest()

    def picture(self, candidate_id: str) -> bytes:
        """Return the picture of a candidate, empty if it has none or there is no such one."""
        at = self.index(candidate_id)
        return self.pictures[at] if self.pictures and at is not None else b""

    def index(self, candidate_id: str) -> int | None:
        """Return where a candidate is, or None if it is not among them."""
        return self.ids.index(candidate_id) if candidate_id in self.ids else None


def embed_candidates(
    ids: Sequence[str],
    texts: Sequence[str],
    space: Space,
    glyphs: Sequence[str] = (),
    trained: Sequence[bool] = (),
    files: Sequence[Sequence[Path]] = (),
) -> Candidates:
    """Make candidates by embedding their files, or their texts.

    Parameters
    ----------
    ids, texts : sequence of str
        Name and text of each.
    space : Space
        Where to. A space of pictures or sounds takes the files, if each candidate has one, and
        a candidate with several lies at their mean; else the texts are taken.
    glyphs : sequence of str
        Emoji; none if not given.
    trained : sequence of bool
        Which of them calibration shows; all if not given.
    files : sequence of sequences of Path
        What was shown or played of each; none if not given.

    Raises
    ------
    ConfigError
        If the space takes no text, and a candidate has no file.

    Examples
    --------
    >>> candidates = embed_candidates(["f", "h"], ["face", "house"], open_space("labels"))
    >>> candidates.vectors.tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    n = len(ids)
    glyphs, trained = tuple(glyphs) or ("",) * n, tuple(trained) or (True,) * n
    files = files or ((),) * n
    takes_files, takes_texts = space.modalities != ("text",), "text" in space.modalities
    if takes_files and all(files):
        means = [space.embed(list(own)).mean(axis=0, dtype=np.float64) for own in files]
        vectors = np.asarray(means, np.float32)
    elif takes_texts:
        vectors = space.embed(texts)
    else:
        without = next(name for name, own in zip(ids, files, strict=True) if not own)
        msg = (
            f"{space.name} embeds {' and '.join(space.modalities)}s and {without!r} has no "
            "file; give the column stim_file, or use a space of texts"
        )
        raise ConfigError(msg)
    return Candidates(tuple(ids), tuple(texts), glyphs, trained, vectors, space.name)


def read_candidates(path: str | Path, space: Space) -> Candidates:
    """Read candidates from a file and embed them.

    Parameters
    ----------
    path : str or Path
        A list of words, one a line, or a tab-separated table whose first line names the
        columns: ``text``, and if wanted ``candidate_id``, ``glyph``, ``trained`` (1 or 0) and
        ``stim_file``, a picture or sound, relative to the table.
    space : Space
        Where to embed them.
    """
    return _embedded(read_table(path), space)


def demo_concepts(space: Space | None = None) -> Candidates:
    """Return the 300 concrete things of the demo.

    Parameters
    ----------
    space : Space or None
        Where to embed them; if None, the packaged sentence encoder.
    """
    file = resources.files("models").joinpath("data/concepts.tsv")
    text = file.read_text(encoding="utf-8")
    table = parse_table("models/data/concepts.tsv", text)
    return _embedded(table, space or open_space(PACKAGED_SPACE))


def _embedded(table: CandidateTable, space: Space) -> Candidates:
    files = tuple((file,) if file else () for file in table.files)
    return embed_candidates(table.ids, table.texts, space, table.glyphs, table.trained, files)
