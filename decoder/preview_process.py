"""The process that makes pictures, from outside."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from decoder.children import Child, kill, pipes, spawn
from decoder.config import PreviewConfig
from decoder.preview_schedule import Outcome
from decoder.preview_worker import read_message

__all__ = ["Ended", "Made", "Opened", "PreviewProcess", "Refused", "spawn_worker"]

_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


@dataclass(frozen=True, slots=True)
class Opened:
    """It can work: which generator, of which hash and kind."""

    name: str
    hash: str
    kind: str


@dataclass(frozen=True, slots=True)
class Refused:
    """It cannot work, and why.

    Parameters
    ----------
    reason : str
        One line.
    again : bool
        Whether it may work another time: memory was short, or a disk failed.
    """

    reason: str
    again: bool = False


@dataclass(frozen=True, slots=True)
class Made:
    """A picture.

    Parameters
    ----------
    number : int
        Of the request.
    about : dict
        ``revision``, ``kind``, ``step``, ``n_steps``, ``final``, ``source``, ``width``,
        ``height`` and ``sha256`` of its pixels.
    pictures : dict of str to bytes
        It, in each of `decoder.preview_worker.FORMATS`.
    """

    number: int
    about: dict[str, Any]
    pictures: dict[str, bytes]


@dataclass(frozen=True, slots=True)
class Ended:
    """It is done with a request: how, and why it failed."""

    number: int
    how: Outcome
    detail: str


Answer = Opened | Refused | Made | Ended


def spawn_worker() -> Child:
    """Start the process; the sums of one thread are the same each time."""
    return spawn("preview", environment=_ONE_THREAD)


class PreviewProcess:
    """A process that has opened a generator, and makes a picture at a time.

    Parameters
    ----------
    config : PreviewConfig
        Which generator, and on what.
    space : str
        Where latents lie.
    centre : array of shape (n_dims,)
        Mean of the targets of the model that the session began with.
    start : callable
        Starts the process.
    """

    def __init__(
        self,
        config: PreviewConfig,
        space: str,
        centre: NDArray[np.float32],
        start: Callable[[], Child] = spawn_worker,
    ) -> None:
        self._child = start()
        self._requests, self._answers = pipes(self._child)
        self._tell(
            np.ascontiguousarray(centre, "<f4").tobytes(),
            generator=config.generator,
            space=space,
            adapter=config.adapter,
            device=config.device,
            dtype=config.dtype,
        )

    def ask(self, number: int, vector: NDArray[np.float32], seed: int, within: float) -> None:
        """Have a picture made in place of any before it; give up after `within` seconds."""
        data = np.ascontiguousarray(vector, "<f4").tobytes()
        self._tell(data, number=number, seed=seed, within=within)

    def cancel(self, number: int) -> None:
        """Have nothing made any more; `number` is that of no request."""
        self._tell(b"", number=number)

    def _tell(self, data: bytes, **said: Any) -> None:
        message = json.dumps(said | {"n_bytes": len(data)}).encode() + b"\n" + data
        with suppress(OSError, ValueError):  # it is gone, which `answers` notices
            self._requests.write(message)
            self._requests.flush()

    def answers(self) -> Iterator[Answer]:
        """Yield what it says, until it ends."""
        while (message := read_message(self._answers)) is not None:
            said, data = message
            del said["n_bytes"]
            if "error" in said:
                yield Refused(said["error"], said["again"])
            elif "opened" in said:
                yield Opened(said["opened"], said["hash"], said["kind"])
            elif "ended" in said:
                yield Ended(said["number"], said["ended"], said["detail"])
            else:
                pictures, at = {}, 0
                for name, size in said.pop("sizes").items():
                    pictures[name] = data[at : at + size]
                    at += size
                yield Made(said.pop("number"), said, pictures)

    def kill(self) -> None:
        """End it, whatever it does; any thread may."""
        self._child.kill()

    def close(self) -> int:
        """End it, and return its exit code."""
        return kill(self._child)
