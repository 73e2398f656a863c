"""A linear map from one embedding space to another, such as the decoder's to a pipeline's.

An adapter is a folder: ``adapter.json`` and ``adapter.safetensors``; `models.adapter_fit` makes
them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from models.generator import Cancelled, Generator, Kind, Picture, check_vector
from streaming.errors import ConfigError, ModelError

__all__ = ["Adapted", "Adapter", "AdapterScore", "load_adapter", "save_adapter"]

_JSON, _WEIGHTS = "adapter.json", "adapter.safetensors"


@dataclass(frozen=True, slots=True)
class AdapterScore:
    """How well an adapter finds what it was not fitted to, among all that it was given.

    Parameters
    ----------
    n : int
        How many there are to choose from.
    top1, top5 : float
        Share of them that came first, or among the first five.
    two_way : float
        Share of the others that were farther than the right one; chance is one half.
    """

    n: int
    top1: float
    top5: float
    two_way: float

    def __str__(self) -> str:
        """Say it in one line, with chance."""
        return (
            f"held out, among {self.n}: top-1 {self.top1:.1%} (chance {1 / self.n:.1%}), top-5 "
            f"{self.top5:.1%} ({min(1, 5 / self.n):.1%}), two-way {self.two_way:.1%} (50.0%)"
        )


@dataclass(frozen=True, slots=True, eq=False)
class Adapter:
    """Maps vectors of one space to another.

    Parameters
    ----------
    source, target : str
        Names of the spaces.
    centre : array of shape (n_in,)
        Mean of the vectors it was fitted to.
    weights : array of shape (n_in, n_out)
        From a difference to the centre to one in the other space.
    mean : array of shape (n_out,)
        Mean of the other vectors.
    length : float
        Their usual distance from it.
    nothing : array of shape (n_out,)
        Where a picture lies that is nothing; the mean, for a space without pictures.
    score : AdapterScore
        How well it does.
    """

    source: str
    target: str
    centre: NDArray[np.float32]
    weights: NDArray[np.float32]
    mean: NDArray[np.float32]
    length: float
    nothing: NDArray[np.float32]
    score: AdapterScore
    hash: str = field(init=False)
    """SHA-256, in hex, of all of it."""

    def __post_init__(self) -> None:
        """Check the shapes and name the adapter after what it is made of."""
        n_in, n_out = self.weights.shape
        shapes = self.centre.shape, self.mean.shape, self.nothing.shape
        if shapes != ((n_in,), (n_out,), (n_out,)) or not self.length > 0:
            msg = f"weights have shape {(n_in, n_out)}, centre, mean and nothing {shapes}"
            raise ValueError(msg)
        object.__setattr__(self, "hash", hashlib.sha256(_content(self)).hexdigest())

    def __call__(
        self, vector: NDArray[np.float32], centre: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """Return where a latent lies in the other space.

        Only its direction from the centre counts: decoded latents are shrunk, and so is what a
        ridge predicts, while a pipeline expects vectors as far out as those of pictures.

        Parameters
        ----------
        vector : array of shape (n_in,)
            A latent; at the centre itself it has no direction, and the mean is returned.
        centre : array of shape (n_in,) or None
            Mean of the targets that the decoder was fitted to; the adapter's own if None.

        Notes
        -----
        As Brain-Diffuser (Ozcelik and VanRullen 2023) gives predicted latents the spread of
        those of its training pictures.
        """
        offset = (vector - (self.centre if centre is None else centre)).astype(np.float64)
        found = offset @ self.weights
        far = float(np.linalg.norm(found))
        scaled = found * (self.length / far) if far > 0 else found
        return np.asarray(self.mean + scaled, np.float32)


class Adapted:
    """A generator that gets its vectors through an adapter.

    Parameters
    ----------
    generator : Generator
        Takes what lies in the adapter's target.
    adapter : Adapter
        What stands before it.
    centre : array of shape (n_in,) or None
        Mean of the targets that the decoder was fitted to.
    """

    def __init__(
        self,
        generator: Generator,
        adapter: Adapter,
        centre: NDArray[np.float32] | None = None,
    ) -> None:
        self.name, self.space = generator.name, adapter.source
        self.kind: Kind = generator.kind
        seen_from = adapter.centre if centre is None else centre
        check_vector(seen_from, len(adapter.centre), f"the adapter from {adapter.source}")
        said = f"{generator.hash} {adapter.hash}".encode()
        self.hash = hashlib.sha256(said + seen_from.astype("<f4").tobytes()).hexdigest()
        self._generator, self._adapter, self._centre = generator, adapter, seen_from

    def preview(
        self, vector: NDArray[np.float32], seed: int, cancelled: Cancelled
    ) -> Iterator[Picture]:
        """Yield the generator's pictures of the vector, mapped to its space."""
        check_vector(vector, len(self._centre), self.name)
        yield from self._generator.preview(self._adapter(vector, self._centre), seed, cancelled)

    def prior(self, seed: int) -> Picture:
        """Return the generator's picture of nothing."""
        return self._generator.prior(seed)


def _arrays(adapter: Adapter) -> dict[str, NDArray[np.float32]]:
    names = ("centre", "weights", "mean", "nothing")
    return {name: np.ascontiguousarray(getattr(adapter, name)) for name in names}


def _said(adapter: Adapter, checksum: str) -> str:
    said = {
        "format": "braincast-adapter",
        "source": adapter.source,
        "target": adapter.target,
        "length": adapter.length,
        "score": asdict(adapter.score),
        "weights_sha256": checksum,
    }
    return json.dumps(said, indent=1) + "\n"


def _content(adapter: Adapter) -> bytes:
    """Return what the hash is of: the settings, and the checksum of the arrays in them."""
    return _said(adapter, hashlib.sha256(save(_arrays(adapter))).hexdigest()).encode()


def save_adapter(adapter: Adapter, folder: Path) -> None:
    """Write an adapter into a folder, which is made if it is not there.

    Raises
    ------
    ConfigError
        If there is one already, or it cannot be written.
    """
    if (folder / _JSON).exists():
        msg = f"{folder} holds an adapter already; name a new folder"
        raise ConfigError(msg)
    content = save(_arrays(adapter))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / _WEIGHTS).write_bytes(content)
        (folder / _JSON).write_bytes(_content(adapter))
    except OSError as error:
        msg = f"cannot write the adapter to {folder} ({error.strerror}); name another folder"
        raise ConfigError(msg) from error


def load_adapter(folder: Path) -> Adapter:
    """Read an adapter.

    Raises
    ------
    ModelError
        If it is none, or was altered.
    """
    altered = f"{folder} is no adapter, or was altered; fit it again: braincast fit-adapter"
    try:
        said = json.loads((folder / _JSON).read_text(encoding="utf-8"))
        content = (folder / _WEIGHTS).read_bytes()
        if hashlib.sha256(content).hexdigest() != said["weights_sha256"]:
            raise ModelError(altered)
        return Adapter(
            source=said["source"],
            target=said["target"],
            length=said["length"],
            score=AdapterScore(**said["score"]),
            **load(content),
        )
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise ModelError(altered) from error
