"""An embedding space in a process of its own, so that opening and using it delays no decode.

To import a network's library takes seconds of Python, in which the threads of a process take
turns. The process is nice, ends when its standard input does, and is kept for
the next request. It answers each line of JSON with one, and vectors after it.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Sequence
from contextlib import suppress
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from decoder.children import kill, pipes, spawn
from models.media import shrunk
from models.networks import Item, Modality
from models.spaces import open_space
from streaming.errors import BraincastError, ConfigError, ModelError

__all__ = ["SpaceProcess", "serve_space"]

NICE = 10
"""How far the process stands back behind what decodes."""


class SpaceProcess:
    """A space that another process has opened.

    Parameters
    ----------
    name : str
        See `models.spaces.open_space`.

    Raises
    ------
    ConfigError
        If it cannot be opened.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._child = spawn("embed", name, environment={})
        self._requests, self._answers = pipes(self._child)
        try:
            self.modalities: tuple[Modality, ...] = tuple(self._answer()["modalities"])
        except BraincastError:
            self.close()
            raise

    def embed(self, items: Sequence[Item]) -> NDArray[np.float32]:
        """Return one vector for each text, or for each picture, of shape (n_items, n_dims)."""
        self._ask("embed", items)
        n_dims = self._answer()["n_dims"]
        vectors = self._answers.read(4 * len(items) * n_dims)
        return np.frombuffer(vectors, "<f4").reshape(len(items), n_dims).astype(np.float32)

    def shrunk(self, pictures: Sequence[bytes]) -> list[bytes]:
        """Return pictures that somebody sent, checked and made small; see `models.media`.

        Raises
        ------
        ConfigError
            If one is none, or too large.
        """
        self._ask("shrink", pictures)
        return [self._answers.read(size) for size in self._answer()["sizes"]]

    def _ask(self, what: str, items: Sequence[Item]) -> None:
        plain = [
            {"base64": base64.b64encode(item).decode()}
            if isinstance(item, bytes)
            else str(item)
            for item in items
        ]
        with suppress(OSError):  # then no answer comes
            self._requests.write(json.dumps({what: plain}).encode() + b"\n")
            self._requests.flush()

    def _answer(self) -> dict[str, Any]:
        line = self._answers.readline()
        if not line:
            msg = f"what embeds into {self.name} ended with {self._child.wait()}; ask again"
            raise ModelError(msg)
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise ConfigError(answer["error"])
        return answer

    @property
    def ended(self) -> bool:
        """Whether the process is gone."""
        return self._child.poll() is not None

    def close(self) -> None:
        """End the process, whatever it does."""
        kill(self._child)


def serve_space(name: str, requests: IO[bytes], answers: IO[bytes]) -> None:
    """Open a space, and embed what is asked for, until nobody asks any more.

    Parameters
    ----------
    name : str
        See `models.spaces.open_space`.
    requests : file
        A line of JSON each: ``embed`` or ``shrink``, and a list of texts, or of pictures as
        ``base64``.
    answers : file
        Gets a line of JSON for each, and the vectors as little-endian float32, or the pictures.
    """
    if hasattr(os, "nice"):  # not on Windows
        os.nice(NICE)

    def say(**answer: Any) -> None:
        answers.write(json.dumps(answer).encode() + b"\n")
        answers.flush()

    try:
        space = open_space(name)
    except BraincastError as error:
        say(error=str(error))
        return
    say(modalities=space.modalities)
    for line in requests:
        ((what, plain),) = json.loads(line).items()
        try:
            if what == "shrink":
                made = [shrunk(base64.b64decode(item["base64"])) for item in plain]
                say(sizes=[len(picture) for picture in made])
                answers.write(b"".join(made))
            else:
                vectors = space.embed(
                    [
                        item if isinstance(item, str) else base64.b64decode(item["base64"])
                        for item in plain
                    ]
                )
                say(n_dims=vectors.shape[1])
                answers.write(np.ascontiguousarray(vectors, "<f4").tobytes())
        except BraincastError as error:
            say(error=str(error))
        answers.flush()
