"""Candidates set while live: from words and pictures to vectors in the model's space."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np

from decoder.control import Mode, Word
from decoder.embedding import SpaceProcess
from models.candidate_file import save_candidates
from models.candidates import Candidates
from models.spaces import Space
from streaming.errors import ConfigError

__all__ = ["MAX_CANDIDATES", "MAX_PICTURES", "Chosen", "Embedder", "embed_chosen", "listed"]

MAX_CANDIDATES = 4096
"""Most that a session chooses from when they are set live."""

MAX_PICTURES = 2**25
"""Bytes of all their pictures, made small: some 1,500."""

Chosen = tuple[Candidates, str]
"""Candidates, and the name under which the session keeps them."""


def listed(
    words: Sequence[Word], mode: Mode, now: Candidates, own: Candidates
) -> tuple[Word, ...]:
    """Return all candidates that a change leads to.

    Parameters
    ----------
    words : sequence of Word
        What was asked for.
    mode : str
        ``"replace"`` all by these, ``"add"`` these, or ``"remove"`` those named.
    now, own : Candidates
        Those that the session chooses from just now, and the model's.

    Raises
    ------
    ConfigError
        With the candidate that is wrong, or the number of them.
    """
    known = {
        name: Word(name, text, glyph)
        for c in (own, now)
        for name, text, glyph in zip(c.ids, c.texts, c.glyphs, strict=True)
    }
    kept = {name: known[name] for name in now.ids} if mode != "replace" else {}
    for word in words:
        if mode == "remove":
            if kept.pop(word.id, None) is None:
                msg = f"candidate {word.id!r} is not among those that are decoded; see them all"
                raise ConfigError(msg)
            continue
        if word.id in kept:
            msg = f"candidate {word.id!r} is there already; remove it first, or name it once"
            raise ConfigError(msg)
        before = known.get(word.id, word)
        text = word.text or before.text or word.id
        glyph = word.glyph or (before.glyph if text == before.text else "")
        kept[word.id] = Word(word.id, text, glyph, word.image)
    if not 2 <= len(kept) <= MAX_CANDIDATES:
        msg = f"a choice needs 2 to {MAX_CANDIDATES} candidates, this leaves {len(kept)}"
        raise ConfigError(msg)
    first: dict[str, str] = {}
    for word in kept.values():
        if first.setdefault(word.text, word.id) != word.id:
            msg = (
                f"candidates {first[word.text]!r} and {word.id!r} have the same text, "
                f"{word.text!r}; each needs its own"
            )
            raise ConfigError(msg)
    return tuple(kept.values())


def embed_chosen(
    words: Sequence[Word], now: Candidates, own: Candidates, space: Space
) -> Candidates:
    """Return candidates in the model's space.

    Pictures are embedded where they are sent. Of the others, those that the model was fitted
    with, or that are decoded already, keep their places, which may be those of pictures or
    sounds; the texts of the rest are embedded.

    Parameters
    ----------
    words : sequence of Word
        From `listed`.
    now, own : Candidates
        Those that the session chooses from just now, and the model's.
    space : Space
        The model's.

    Raises
    ------
    ConfigError
        If a word, or a picture, cannot be embedded there, or pictures take too much room.
    """
    drawn = {(word.id, word.text): word.image for word in words if word.image}
    if drawn and "image" not in space.modalities:
        holds = "labels" if space.name == "labels" else f"{' and '.join(space.modalities)}s"
        msg = (
            f"candidate {next(iter(drawn))[0]!r} has a picture, and {space.name} is a space of "
            f"{holds}; send its text alone, or fit to efficientnet, or a clip or dinov2 space"
        )
        raise ConfigError(msg)
    places = {
        pair: row
        for c in (own, now)
        for pair, row in zip(zip(c.ids, c.texts, strict=True), c.vectors, strict=True)
    }
    trained = dict(zip(zip(own.ids, own.texts, strict=True), own.trained, strict=True))
    pictures = {
        pair: picture
        for c in (own, now)
        for pair, picture in zip(zip(c.ids, c.texts, strict=True), c.pictures, strict=False)
    } | drawn
    if drawn:
        places |= dict(zip(drawn, space.embed(list(drawn.values())), strict=True))
    new = [word for word in words if (word.id, word.text) not in places]
    if new and (space.name == "labels" or "text" not in space.modalities):
        holds = "labels" if space.name == "labels" else f"{' and '.join(space.modalities)}s"
        fix = "send its image" if "image" in space.modalities else "fit to a sentence space"
        msg = (
            f"candidate {new[0].id!r} is not one of the model's, and {space.name} is a space "
            f"of {holds} in which a word has no place; {fix}, or fit to a clip space"
        )
        raise ConfigError(msg)
    if new:
        rows = space.embed([word.text for word in new])
        places |= {(w.id, w.text): row for w, row in zip(new, rows, strict=True)}
    pairs = [(word.id, word.text) for word in words]
    shown = tuple(pictures.get(pair, b"") for pair in pairs)
    if (size := sum(map(len, shown))) > MAX_PICTURES:
        msg = f"pictures of {size} bytes are more than {MAX_PICTURES}; set fewer with a picture"
        raise ConfigError(msg)
    return Candidates(
        ids=tuple(word.id for word in words),
        texts=tuple(word.text for word in words),
        glyphs=tuple(word.glyph for word in words),
        trained=tuple(pair not in drawn and trained.get(pair, False) for pair in pairs),
        vectors=np.stack([places[pair] for pair in pairs]),
        space=own.space,
        pictures=shown if any(shown) else (),
    )


class Embedder:
    """Embeds in a thread and a process of their own, one job at a time.

    Parameters
    ----------
    folder : Path
        Where candidates are kept.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._thread = ThreadPoolExecutor(1, "candidates")
        self._job: Future[Chosen] | None = None
        self._space: SpaceProcess | None = None

    @property
    def busy(self) -> bool:
        """Whether a job runs."""
        return self._job is not None and not self._job.done()

    def begin(self, words: Sequence[Word], now: Candidates, own: Candidates) -> Future[Chosen]:
        """Begin to embed and keep candidates; see `embed_chosen`. Not while it is `busy`."""
        self._job = self._thread.submit(self._embed, words, now, own)
        return self._job

    def _embed(self, words: Sequence[Word], now: Candidates, own: Candidates) -> Chosen:
        if self._space is None or self._space.name != own.space or self._space.ended:
            self._end()
            self._space = SpaceProcess(own.space)  # which takes seconds, once
        sent = [word.image for word in words if word.image]
        small = iter(self._space.shrunk(sent) if sent else ())
        words = [replace(word, image=next(small)) if word.image else word for word in words]
        found = embed_chosen(words, now, own, self._space)
        return found, save_candidates(found, self._folder)

    def _end(self) -> None:
        if self._space is not None:
            self._space.close()

    def close(self) -> None:
        """Begin nothing more; what runs ends."""
        self._thread.shutdown(wait=False, cancel_futures=True)
        self._end()
