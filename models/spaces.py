"""Embedding spaces: what a latent is a point of.

A space is named by its kind, where it comes from and, if it is not the last, a layer; the name
is stored with the model:

==================================  ==========================================================
``labels``                          classes whose names mean nothing, such as flicker rates
``sentence:all-MiniLM-L6-v2``       texts; installed as a package, needs no network
``sentence:FOLDER_OR_HUB_ID``       texts, any transformer
``clip:FOLDER_OR_HUB_ID``           texts and pictures in one space
``dinov2:FOLDER_OR_HUB_ID``         pictures, any vision transformer
``efficientnet``                    pictures; installed as a package, needs no network
``image-embeds:FOLDER_OR_HUB_ID``   pictures, as a pipeline's own image encoder gives them
``wav2vec2:FOLDER_OR_HUB_ID``       speech
``dinov2:facebook/dinov2-base@6``   its layer 6, averaged over tokens; 0 is what enters layer 1
==================================  ==========================================================
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from models.embedding_cache import EmbeddingCache
from models.networks import KINDS, Item, Modality, Network, SpeechNetwork
from models.packaged import MINILM
from streaming.errors import ConfigError

__all__ = [
    "PACKAGED_SPACE",
    "LabelSpace",
    "PretrainedSpace",
    "Space",
    "open_space",
]

PACKAGED_SPACE = MINILM.space
"""The sentence encoder that is installed with braincast[decode]."""

_ALIASES = {"minilm": PACKAGED_SPACE, "efficientnet": "efficientnet:lite0"}
_LAYER = re.compile(r"(.+)@([0-9]+)")
_BATCH = 64


class Space(Protocol):
    """Where texts, pictures or sounds become vectors."""

    @property
    def name(self) -> str:
        """The name that `open_space` opens it by."""

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """What it embeds, of ``"text"``, ``"image"`` and ``"audio"``."""

    def embed(self, items: Sequence[Item]) -> NDArray[np.float32]:
        """Return one vector for each item, of shape (n_items, n_dims).

        A `str` is a text; a `Path` is a file, and `bytes` what is in one.
        """


class LabelSpace:
    """Codes that are all equally far from each other, for labels without a meaning."""

    name = "labels"
    modalities: tuple[Modality, ...] = ("text",)

    def embed(self, items: Sequence[Item]) -> NDArray[np.float32]:
        """Return the corners of a simplex: one axis for each label, in the order given."""
        if len(set(items)) != len(items):
            twice = sorted({str(item) for item in items if list(items).count(item) > 1})
            msg = f"each label has one code, got more than one of {', '.join(twice)}"
            raise ConfigError(msg)
        return np.eye(len(items), dtype=np.float32)


class PretrainedSpace:
    """A layer of a pretrained network, with a cache of what it made of files.

    Files go through the network one at a time, so that a vector does not depend, in its last
    bits, on the files beside it; texts go in batches and are not cached.

    Parameters
    ----------
    name : str
        The name that the space is stored under.
    networks : sequence of Network
        One for each modality.
    layer : int or None
        Which layer; None for the network's own embedding.
    cache : EmbeddingCache, optional
        Where vectors of files are kept.
    """

    def __init__(
        self,
        name: str,
        networks: Sequence[Network],
        layer: int | None = None,
        cache: EmbeddingCache | None = None,
    ) -> None:
        self.name = name
        self._networks = {network.modality: network for network in networks}
        self.layer = layer
        self._cache = cache or EmbeddingCache()

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """What it embeds."""
        return tuple(self._networks)

    def embed(self, items: Sequence[Item]) -> NDArray[np.float32]:
        """Return one vector for each item, of shape (n_items, n_dims)."""
        texts = [isinstance(item, str) for item in items]
        if any(texts) and not all(texts):
            msg = f"{self.name} takes either texts or files at once, got both"
            raise ConfigError(msg)
        if not items:
            msg = f"{self.name} has nothing to embed; give at least one text or file"
            raise ConfigError(msg)
        if texts[0]:
            network = self._network("text")
            batches = [items[n : n + _BATCH] for n in range(0, len(items), _BATCH)]
            return np.concatenate([self._choose(*network(batch)) for batch in batches])
        return np.stack([self._embed_file(item) for item in items])

    def layers(self, items: Sequence[Item]) -> dict[str, NDArray[np.float32]]:
        """Return the vectors of every layer, (n_items, width), by the layer's number.

        The cache does not hold them: a layer that is wanted often has a space of its own.
        """
        network = self._network("text" if isinstance(items[0], str) else None)
        rows = [network([item])[1] for item in items]
        return {
            str(n): np.concatenate(column) for n, column in enumerate(zip(*rows, strict=True))
        }

    def series(
        self, samples: NDArray[np.float32], sfreq: float
    ) -> tuple[NDArray[np.float32], float]:
        """Return the layer over time, (n_frames, n_dims), of a sound; and its rate, in Hz.

        Parameters
        ----------
        samples : array of shape (n_times,)
            The sound.
        sfreq : float
            Its rate, in Hz.
        """
        network = self._network("audio")
        if not isinstance(network, SpeechNetwork):
            msg = f"{self.name} gives no series over time; use a wav2vec2 space"
            raise ConfigError(msg)
        layers, rate = network.series(samples, sfreq)
        return self._choose(layers[-1], layers), rate

    def _network(self, modality: Modality | None) -> Network:
        """Return the network for texts or for files (None)."""
        for takes, network in self._networks.items():
            if takes == modality or (modality is None and takes != "text"):
                return network
        has, wants = " and ".join(self._networks), modality or "files of pictures or sounds"
        fix = (
            "use a sentence or clip space"
            if modality == "text"
            else "use a clip, dinov2 or efficientnet space for pictures, wav2vec2 for sound"
        )
        msg = f"{self.name} embeds {has}, not {wants}; {fix}"
        raise ConfigError(msg)

    def _embed_file(self, item: Item) -> NDArray[np.float32]:
        network = self._network(None)
        if isinstance(item, bytes):
            content = item
        else:
            try:
                content = Path(item).read_bytes()
            except OSError as error:
                msg = f"cannot read {item}: {error.strerror}; check stim_file in the table"
                raise ConfigError(msg) from error
        key = (network.fingerprint, str(self.layer).encode(), content)
        found = self._cache.get(*key)
        if found is None:
            found = self._choose(*network([item]))[0]
            self._cache.put(found, *key)
        return found

    def _choose(
        self, embedding: NDArray[np.float32], layers: Sequence[NDArray[np.float32]]
    ) -> NDArray[np.float32]:
        if self.layer is None:
            return embedding
        if self.layer >= len(layers):
            msg = (
                f"{self.name}: the network has layers 0 to {len(layers) - 1}; name one of them"
            )
            raise ConfigError(msg)
        return layers[self.layer]


def open_space(name: str) -> Space:
    """Open an embedding space by its name.

    Parameters
    ----------
    name : str
        As the table at the top of this module lists them; ``minilm`` is short for
        ``sentence:all-MiniLM-L6-v2``.

    Raises
    ------
    ConfigError
        If there is no such kind.
    ModelError
        If the network is neither on this machine nor on the hub.

    Examples
    --------
    >>> open_space("labels").embed(["20 Hz", "30 Hz"])
    array([[1., 0.],
           [0., 1.]], dtype=float32)
    """
    if name == "labels":
        return LabelSpace()
    if name == "minilm":
        name = PACKAGED_SPACE
    whole, layer = name, None
    if (found := _LAYER.fullmatch(name)) and not Path(name.partition(":")[2]).is_dir():
        whole, layer = found[1], int(found[2])
    whole = _ALIASES.get(whole, whole)
    kind, _, source = whole.partition(":")
    if kind not in KINDS or not source:
        kinds = ", ".join(f"{kind}:..." for kind in KINDS if kind != "efficientnet")
        msg = (
            f"embedding space {name!r} is unknown; use labels, minilm, efficientnet, or "
            f"{kinds} with a folder or the id of a model on the hub"
        )
        raise ConfigError(msg)
    if whole == PACKAGED_SPACE:
        source = str(MINILM.path().parent)
    return PretrainedSpace(name, KINDS[kind](source), layer)
