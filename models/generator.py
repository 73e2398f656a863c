"""From a latent to a picture: what a generator is, and the generators that there are.

A generator is named by its kind and where it comes from:

============================  ================================================================
``braincast-preview``         our own small pipeline for the packaged space of texts, whose
                              weights come with braincast; see `models.preview`
``retrieve:FOLDER``           the nearest picture of a gallery; see `models.gallery`
``diffusers:FOLDER_OR_ID``    a pipeline that takes the embedding of an image, with an
                              IP-Adapter where it needs one: ``diffusers:PIPELINE+IP_ADAPTER``
============================  ================================================================

Where a generator takes vectors of another space than the decoder's, an adapter stands between
them; see `models.adapter`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from streaming.errors import ConfigError

__all__ = [
    "OPENERS",
    "Cancelled",
    "Generator",
    "Kind",
    "Opening",
    "Picture",
    "check_vector",
    "open_generator",
]

Kind = Literal["generated", "retrieved"]
"""Whether a picture was made, or chosen among pictures that there are."""

Cancelled = Callable[[], bool]
"""Answers whether nobody wants the picture any more."""


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """What a generator shows.

    Parameters
    ----------
    pixels : array of shape (height, width, 3)
        Red, green and blue, uint8. The only array with another order of axes than elsewhere:
        it is how pictures are stored and sent.
    kind : str
        ``"generated"`` or ``"retrieved"``.
    step, n_steps : int
        Which step of the generator it shows, from 1, and how many there are; the picture is
        final when they are equal.
    source : str
        Name of what was retrieved, else the generator's.
    """

    pixels: NDArray[np.uint8]
    kind: Kind
    step: int
    n_steps: int
    source: str

    def __post_init__(self) -> None:
        """Check the pixels and the step."""
        shape = self.pixels.shape
        if self.pixels.dtype != np.uint8 or len(shape) != 3 or shape[2] != 3 or 0 in shape:
            msg = f"pixels must be uint8 of (height, width, 3), got {self.pixels.dtype} {shape}"
            raise ValueError(msg)
        if not 1 <= self.step <= self.n_steps:
            msg = f"step must be 1 to n_steps, got {self.step} of {self.n_steps}"
            raise ValueError(msg)

    @property
    def final(self) -> bool:
        """Whether no finer picture follows."""
        return self.step == self.n_steps


class Generator(Protocol):
    """Makes pictures of latents; from the same vector, seed and hash the same pictures."""

    @property
    def name(self) -> str:
        """The name that `open_generator` opens it by."""

    @property
    def space(self) -> str:
        """The embedding space whose vectors it takes."""

    @property
    def hash(self) -> str:
        """SHA-256, in hex, of its weights or its gallery, and of what decides beside them."""

    @property
    def kind(self) -> Kind:
        """Whether its pictures are generated or retrieved."""

    def preview(
        self, vector: NDArray[np.float32], seed: int, cancelled: Cancelled
    ) -> Iterator[Picture]:
        """Yield a coarse picture early, then finer ones; the last is final.

        Parameters
        ----------
        vector : array of shape (n_dims,)
            A latent, not normalised.
        seed : int
            Of all that is random in it.
        cancelled : callable
            Asked between steps; once it says yes, no further picture comes.

        Raises
        ------
        ConfigError
            If the vector is none of `space`.
        """

    def prior(self, seed: int) -> Picture:
        """Return a picture of nothing: the final one that no latent has a part in."""


@dataclass(frozen=True, slots=True, eq=False)
class Opening:
    """What a generator is opened with.

    Parameters
    ----------
    name : str
        Its whole name.
    source : str
        What stands behind the colon.
    space : str
        Where the latents lie that it will get.
    centre : array of shape (n_dims,) or None
        Mean of the targets that the decoder was fitted to: where directions are seen from.
    device, dtype : str
        What it computes on, and with.
    nothing : array of shape (n_dims,) or None
        The embedding of a picture that is nothing, if an adapter knows it.
    """

    name: str
    source: str
    space: str
    centre: NDArray[np.float32] | None
    device: str
    dtype: str
    nothing: NDArray[np.float32] | None = None


def check_vector(vector: NDArray[np.float32], n_dims: int, name: str) -> None:
    """Refuse what is no latent of a space.

    Parameters
    ----------
    vector : array
        What a generator was given.
    n_dims : int
        What it takes.
    name : str
        Its name.

    Raises
    ------
    ConfigError
        If it has another shape or is not finite.
    """
    if vector.shape != (n_dims,) or not np.isfinite(vector).all():
        found = f"shape {vector.shape}" if vector.shape != (n_dims,) else "numbers not finite"
        msg = f"{name} takes finite vectors of shape ({n_dims},), got {found}; check its space"
        raise ConfigError(msg)


def _open_gallery(opening: Opening) -> Generator:
    from models.gallery import open_gallery

    return open_gallery(Path(opening.source), opening.space, opening.centre)


def _open_diffused(opening: Opening) -> Generator:
    from models.diffused import open_diffused

    return open_diffused(opening)


def _open_preview(opening: Opening) -> Generator:
    from models.preview import load_preview
    from models.spaces import PACKAGED_SPACE

    if opening.source or opening.space not in {PACKAGED_SPACE, "minilm"}:
        found = f"source {opening.source!r}" if opening.source else f"space {opening.space}"
        msg = (
            f"braincast-preview takes latents in {PACKAGED_SPACE} and no source, got {found}; "
            "fit an adapter, or a model in that space"
        )
        raise ConfigError(msg)
    return load_preview(centre=opening.centre, device=opening.device, dtype=opening.dtype)


OPENERS: dict[str, Callable[[Opening], Generator]] = {
    "braincast-preview": _open_preview,
    "diffusers": _open_diffused,
    "retrieve": _open_gallery,
}
"""Kind of a generator -> what opens it. A new one needs a line here, and one in the tests."""


def open_generator(
    name: str,
    *,
    space: str,
    centre: NDArray[np.float32] | None = None,
    adapter: str | Path | None = None,
    device: str = "cpu",
    dtype: str = "float32",
) -> Generator:
    """Open a generator by its name.

    Parameters
    ----------
    name : str
        As the table at the top of this module lists them.
    space : str
        Where the latents lie that it will get.
    centre : array of shape (n_dims,) or None
        Mean of the targets that the decoder was fitted to. Without one, the mean of what the
        generator knows of the space stands in its place.
    adapter : str or Path or None
        Folder of an adapter from that space to the generator's; see `models.adapter`.
    device, dtype : str
        What a network computes on (``cpu``, ``cuda``, ``mps``) and with (``float32``,
        ``float16``, ``bfloat16``).

    Raises
    ------
    ConfigError
        If there is no such generator, or it does not take what lies in the space.
    ModelError
        If its weights, or the adapter, are not there or were altered.
    """
    kind, _, source = name.partition(":")
    if kind not in OPENERS:
        kinds = ", ".join(OPENERS)
        msg = f"generator {name!r} is unknown; the kinds are {kinds}, such as retrieve:FOLDER"
        raise ConfigError(msg)
    if adapter is None:
        return OPENERS[kind](Opening(name, source, space, centre, device, dtype))
    from models.adapter import Adapted, load_adapter

    between = load_adapter(Path(adapter))
    if space != between.source:
        msg = (
            f"the adapter {adapter} takes vectors in {between.source}, and the decoder's lie "
            f"in {space}; fit one from there"
        )
        raise ConfigError(msg)
    opening = Opening(
        name, source, between.target, between.mean, device, dtype, between.nothing
    )
    return Adapted(OPENERS[kind](opening), between, centre)
