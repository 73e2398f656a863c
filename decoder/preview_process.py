"""The process that makes pictures, from outside."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from decoder.children import Child, spawn
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
    """It cannot work, and why."""

    reason: str


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
        pipe = self._pipe(self._child.stdin)
        message = json.dumps(said | {"n_bytes": len(data)}).encode() + b"\n" + data
        with suppress(OSError, ValueError):  # it is gone, which `answers` notices
            pipe.write(message)
            pipe.flush()

    @staticmethod
    def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
        assert pipe is not None  # noqa: S101 - a pipe was asked for
        return pipe

    def answers(self) -> Iterator[Answer]:
        """Yield what it says, until it ends."""
        while (message := read_message(self._pipe(self._child.stdout))) is not None:
            said, data = message
            del said["n_bytes"]
            if "error" in said:
                yield Refused(said["error"])
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
        self._child.kill()
        code = self._child.wait()
        for pipe in (self._child.stdin, self._child.stdout):
            with suppress(OSError):
                self._pipe(pipe).close()
        return code
