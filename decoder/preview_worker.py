"""What makes pictures, in a process of its own: torch and diffusers are opened here alone.

The process is nice and ends when its standard input does. Each message, both ways, is a line of
JSON with bytes after it. First it is told what to open; then each request has the latent and
replaces the one before, also when that is in the making, as an empty one does. Of each request
that has a latent it is said how it ended, also of one that was replaced before it began.
"""

from __future__ import annotations

import hashlib
import io
import json
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from models.generator import Generator, Picture, open_generator
from streaming.errors import BraincastError

__all__ = [
    "FAILURES",
    "FORMATS",
    "NICE",
    "Request",
    "encodings",
    "read_message",
    "serve_previews",
]

NICE = 5
"""How far the process stands back behind what decodes."""

FORMATS = {"png": {}, "jpeg": {"quality": 90}, "webp": {"quality": 90}}
"""How pictures are sent, and with which settings."""


FAILURES = (BraincastError, OSError, MemoryError, RuntimeError)
"""What may go wrong with one picture and well with the next: a file, memory, and all that torch
says, also that a graphics card is full. Anything else is a fault of a program, and ends it."""


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """What is to be pictured.

    Parameters
    ----------
    number : int
        Comes back with each answer.
    vector : array of shape (n_dims,)
        A latent.
    seed : int
        Of all that is random in its picture.
    due : float
        When to give up, by `time.monotonic`.
    """

    number: int
    vector: NDArray[np.float32]
    seed: int
    due: float


class _Inbox:
    """Requests in their order, and which is the newest; a thread reads them.

    One that something newer came after is given out too: each request must be said to end.
    """

    def __init__(self, requests: IO[bytes], ended: Callable[[], None]) -> None:
        self._requests = requests
        self._ended = ended
        self._unread: queue.SimpleQueue[Request | None] = queue.SimpleQueue()
        self._number: int | None = 0
        threading.Thread(target=self._read, name="inbox", daemon=True).start()

    def _read(self) -> None:
        while (message := read_message(self._requests)) is not None:
            said, data = message
            self._number = said["number"]
            if data:
                due = time.monotonic() + said["within"]
                vector = np.frombuffer(data, "<f4").astype(np.float32)
                self._unread.put(Request(said["number"], vector, said["seed"], due))
        self._number = None
        self._unread.put(None)
        self._ended()

    def next(self) -> Request | None:
        """Wait for a request; None when there will be none any more."""
        return self._unread.get()

    def outdated(self, request: Request) -> bool:
        """Whether something newer was asked for."""
        return self._number != request.number


def read_message(pipe: IO[bytes]) -> tuple[dict[str, Any], bytes] | None:
    """Read a line of JSON and the ``n_bytes`` that follow it; None at the end."""
    line = pipe.readline()
    if not line.endswith(b"\n"):
        return None
    said: dict[str, Any] = json.loads(line)
    data = pipe.read(said.get("n_bytes", 0))
    return (said, data) if len(data) == said.get("n_bytes", 0) else None


def encodings(picture: NDArray[np.uint8]) -> dict[str, bytes]:
    """Return a picture in each of `FORMATS`.

    Parameters
    ----------
    picture : array of shape (height, width, 3)
        Red, green and blue.
    """
    from PIL import Image

    image = Image.fromarray(picture)
    found = {}
    for name, settings in FORMATS.items():
        file = io.BytesIO()
        image.save(file, name, **settings)
        found[name] = file.getvalue()
    return found


def serve_previews(
    requests: IO[bytes], answers: IO[bytes], ended: Callable[[], None] = lambda: None
) -> None:
    """Open a generator, and make pictures until nobody asks any more.

    Parameters
    ----------
    requests : file
        First what to open: ``generator``, ``space``, ``adapter``, ``device``, ``dtype``, with
        the centre as little-endian float32 after it, or nothing. Then ``number``, ``seed`` and
        ``within`` [s], with the latent.
    answers : file
        Gets what was opened, or an ``error``; of each picture its step and its encodings; and
        how each request ended.
    ended : callable
        Called in a thread once nobody asks any more, whatever is in the making.
    """

    def say(data: bytes = b"", **answer: Any) -> None:
        answers.write(json.dumps(answer | {"n_bytes": len(data)}).encode() + b"\n" + data)
        answers.flush()

    first = read_message(requests)
    if first is None:
        return
    said, data = first
    centre = np.frombuffer(data, "<f4").astype(np.float32) if data else None
    inbox = _Inbox(requests, ended)
    try:
        generator = open_generator(
            said["generator"],
            space=said["space"],
            centre=centre,
            adapter=said["adapter"] or None,
            device=said["device"],
            dtype=said["dtype"],
        )
    except FAILURES as error:
        say(error=_reason(error), again=not isinstance(error, BraincastError))
        return
    say(opened=generator.name, hash=generator.hash, kind=generator.kind)
    while (request := inbox.next()) is not None:
        how, detail = _make(generator, request, inbox, say)
        say(number=request.number, ended=how, detail=detail)


def _make(
    generator: Generator, request: Request, inbox: _Inbox, say: Callable[..., None]
) -> tuple[str, str]:
    """Make one picture, coarse ones first; return how that ended, and why it failed."""
    picture: Picture | None = None

    def over() -> bool:
        return inbox.outdated(request) or time.monotonic() > request.due

    try:
        steps = () if over() else generator.preview(request.vector, request.seed, over)
        for revision, picture in enumerate(steps):
            if over():
                break
            _show(picture, revision, request, say)
            if picture.final:
                return "made", ""
    except FAILURES as error:
        return "failed", _reason(error)
    if inbox.outdated(request):
        return "cancelled", ""
    if over():
        return "late", ""
    return "failed", f"{generator.name} ended without a final picture"


def _reason(error: Exception) -> str:
    """Return what went wrong, in one line."""
    said = (str(error).strip().splitlines() or [""])[0]
    return said if isinstance(error, BraincastError) else f"{type(error).__name__}: {said}"


def _show(picture: Picture, revision: int, request: Request, say: Callable[..., None]) -> None:
    encoded = encodings(picture.pixels)
    height, width, _ = picture.pixels.shape
    say(
        b"".join(encoded.values()),
        number=request.number,
        revision=revision,
        kind=picture.kind,
        step=picture.step,
        n_steps=picture.n_steps,
        final=picture.final,
        source=picture.source,
        width=width,
        height=height,
        sha256=hashlib.sha256(picture.pixels.tobytes()).hexdigest(),
        sizes={name: len(data) for name, data in encoded.items()},
    )
