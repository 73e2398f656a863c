"""What pipelines of diffusers take that are conditioned on the embedding of an image.

Read from the settings in a model folder, before anything of it runs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from models.hub import find_file
from streaming.errors import ConfigError, ModelError

__all__ = ["FAMILIES", "Family", "Sampling", "read_family", "sampling_of"]

_FEW = 4


@dataclass(frozen=True, slots=True)
class Sampling:
    """How pictures are drawn.

    Parameters
    ----------
    n_steps : int
        Denoising steps.
    guidance : float
        Weight of the embedding against none.
    compared : bool
        Whether each step is made with the embedding and without it, to weigh one against the
        other.
    """

    n_steps: int
    guidance: float
    compared: bool


@dataclass(frozen=True, slots=True)
class Family:
    """A class of pipelines.

    Parameters
    ----------
    n_dims : callable
        Given the pipeline's name, and the file of an IP-Adapter or None, returns the length of
        the embeddings that it takes.
    arguments : callable
        Given the embedding and that of nothing, tensors of shape (1, n_dims), and whether they
        are compared, returns what the pipeline is called with.
    guidance : float
        That of its authors.
    needs_ip_adapter : bool
        Whether it takes images through an IP-Adapter alone.
    """

    n_dims: Callable[[str, Path | None], int]
    arguments: Callable[[Any, Any, bool], dict[str, Any]]
    guidance: float
    needs_ip_adapter: bool = False


def _kandinsky_dims(source: str, _: Path | None) -> int:
    return int(_setting(source, "unet/config.json", "encoder_hid_dim"))


def _unclip_dims(source: str, _: Path | None) -> int:
    return int(_setting(source, "image_normalizer/config.json", "embedding_dim"))


def _ip_adapter_dims(source: str, file: Path | None) -> int:
    if file is None:
        msg = (
            f"{source} takes images through an IP-Adapter; name its file behind a plus: "
            f"diffusers:{source}+FILE.safetensors, or a file on the hub, such as "
            "h94/IP-Adapter/models/ip-adapter_sd15.safetensors"
        )
        raise ConfigError(msg)
    key = "image_proj.proj.weight"
    try:
        with safe_open(file, "numpy") as weights:
            if key not in weights.keys():  # noqa: SIM118 - no mapping
                msg = (
                    f"{file} is no plain IP-Adapter (it has no {key}); take one that projects "
                    "one embedding, such as ip-adapter_sd15, not plus, full or face"
                )
                raise ConfigError(msg)
            return int(weights.get_slice(key).get_shape()[1])
    except (OSError, SafetensorError) as error:
        msg = f"{file} is no safetensors file ({error}); give an IP-Adapter in that format"
        raise ModelError(msg) from error


def _ip_adapter_arguments(embeds: Any, nothing: Any, compared: bool) -> dict[str, Any]:
    import torch

    rows = [nothing, embeds] if compared else [embeds]  # each (1, n_dims)
    return {"prompt": "", "ip_adapter_image_embeds": [torch.stack(rows)]}


FAMILIES: Mapping[str, Family] = {
    "KandinskyV22Pipeline": Family(
        _kandinsky_dims,
        lambda embeds, nothing, _: {"image_embeds": embeds, "negative_image_embeds": nothing},
        4.0,
    ),
    "StableDiffusionPipeline": Family(_ip_adapter_dims, _ip_adapter_arguments, 7.5, True),
    "StableDiffusionXLPipeline": Family(_ip_adapter_dims, _ip_adapter_arguments, 5.0, True),
    "StableUnCLIPImg2ImgPipeline": Family(
        _unclip_dims,
        lambda embeds, *_: {"prompt": "", "image_embeds": embeds, "noise_level": 0},
        10.0,
    ),
}
"""Name of a class in ``model_index.json`` -> what it takes."""


def read_family(source: str) -> tuple[str, Family]:
    """Return the class of a pipeline, and what it takes.

    Parameters
    ----------
    source : str
        Folder, or id on the hub.

    Raises
    ------
    ConfigError
        If it takes no embedding of an image.
    ModelError
        If it is nowhere.
    """
    name = _setting(source, "model_index.json", "_class_name")
    if not isinstance(name, str) or name not in FAMILIES:
        known = ", ".join(sorted(FAMILIES))
        msg = (
            f"{source} is a {name}, which takes no embedding of an image that we could give; "
            f"the classes that work are {known}"
        )
        raise ConfigError(msg)
    return name, FAMILIES[name]


def sampling_of(source: str, family: Family) -> Sampling:
    """Return how many steps a pipeline needs, by its scheduler.

    Parameters
    ----------
    source : str
        Folder, or id on the hub.
    family : Family
        Its class.

    Notes
    -----
    Consistency models (LCM, Luo et al. 2023; TCD, Zheng et al. 2024) and adversarially
    distilled ones (turbo, Sauer et al. 2023: Euler's steps, trailing) need four steps. They are
    not compared with a picture of nothing; an LCM with an input for the guidance is told 8.
    """
    scheduler = _settings(source, "scheduler/scheduler_config.json")
    name = str(scheduler.get("_class_name", ""))
    trailing = name.startswith("Euler") and scheduler.get("timestep_spacing") == "trailing"
    if not (name in {"LCMScheduler", "TCDScheduler"} or trailing):
        return Sampling(25, family.guidance, compared=True)
    told = _settings(source, "unet/config.json").get("time_cond_proj_dim") is not None
    return Sampling(_FEW, 8.0 if told else 1.0, compared=False)


def _settings(source: str, name: str) -> dict[str, Any]:
    path = find_file(source, name)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        msg = f"{path} is no JSON ({error}); save or download the pipeline again"
        raise ModelError(msg) from error
    return dict(found)


def _setting(source: str, name: str, key: str) -> Any:
    found = _settings(source, name).get(key)
    if found is None:
        msg = f"{name} of {source} has no {key}; it is not a pipeline saved by diffusers"
        raise ModelError(msg)
    return found
