"""Files of pipelines of diffusers: found, loaded without pickle, and hashed."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path
from typing import Any

from models.hub import find_file, hub_answers, is_folder
from streaming.errors import ConfigError, ModelError

__all__ = [
    "fetch_pipeline",
    "find_ip_adapter",
    "hash_pipeline",
    "load_pipeline",
    "put_ip_adapter",
]


def find_ip_adapter(name: str) -> Path:
    """Return the file of an IP-Adapter.

    Parameters
    ----------
    name : str
        A path, or the id of a model on the hub and the path within it.

    Raises
    ------
    ConfigError
        If it is a pickle.
    ModelError
        If it is nowhere.
    """
    if not name.endswith(".safetensors"):
        msg = f"{name} is no safetensors file; take the IP-Adapter in that format"
        raise ConfigError(msg)
    if is_folder(str(Path(name).parent)):
        return find_file(str(Path(name).parent), Path(name).name)
    parts = name.split("/")
    return find_file("/".join(parts[:2]), "/".join(parts[2:]))


def fetch_pipeline(source: str) -> Path:
    """Return where all files of a pipeline are, after fetching those that are not here.

    Parameters
    ----------
    source : str
        A folder, or the id of a pipeline on the hub.

    Raises
    ------
    ModelError
        If they cannot be fetched.
    """
    if is_folder(source):
        return Path(source).expanduser()
    diffusers = _diffusers()
    options = {"use_safetensors": True, "trust_remote_code": False}
    with suppress(OSError, ValueError):
        return Path(
            diffusers.DiffusionPipeline.download(source, local_files_only=True, **options)
        )
    if not hub_answers():
        msg = f"not all of {source} is on this machine, and the hub does not answer; go online"
        raise ModelError(msg)
    try:
        return Path(diffusers.DiffusionPipeline.download(source, **options))
    except (OSError, ValueError) as error:
        msg = f"cannot fetch {source} ({str(error).splitlines()[0]}); check its id"
        raise ModelError(msg) from error


def load_pipeline(folder: Path, class_name: str, device: str, dtype: str) -> Any:
    """Return a pipeline, without pickle, code from elsewhere, or a network.

    Parameters
    ----------
    folder : Path
        Where its files are.
    class_name : str
        Its class in diffusers.
    device, dtype : str
        What it will be put on, and what it computes with.

    Raises
    ------
    ConfigError
        If there is no such device, or it cannot compute with that.
    ModelError
        If the files are not as they should be.
    """
    import torch

    torch.set_num_threads(1)  # two threads ran up to 10 times slower on a shared machine
    _check_device(device, dtype)
    try:
        pipeline = getattr(_diffusers(), class_name).from_pretrained(
            folder,
            dtype=getattr(torch, dtype),
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            low_cpu_mem_usage=False,
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        said = (str(error).strip().splitlines() or ["no reason"])[0]
        msg = f"{folder} cannot be loaded ({said}); save it with safetensors weights"
        raise ModelError(msg) from error
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def put_ip_adapter(pipeline: Any, file: Path) -> None:
    """Put an IP-Adapter into a pipeline.

    Raises
    ------
    ModelError
        If it was made for others.
    """
    from safetensors.torch import load_file

    weights: dict[str, dict[str, Any]] = {"image_proj": {}, "ip_adapter": {}}
    for name, tensor in load_file(file).items():
        part, _, rest = name.partition(".")
        weights.setdefault(part, {})[rest] = tensor
    try:
        pipeline.load_ip_adapter(
            weights,
            subfolder="",
            weight_name="",
            image_encoder_folder=None,
            low_cpu_mem_usage=False,
        )
    except (RuntimeError, ValueError, KeyError) as error:
        said = str(error).strip().splitlines()[0]
        msg = f"{file} is an IP-Adapter of other networks than the pipeline's ({said})"
        raise ModelError(msg) from error


def _check_device(device: str, dtype: str) -> None:
    import torch

    there = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    if not there.get(device, False):
        have = ", ".join(name for name, is_there in there.items() if is_there)
        msg = f"device {device!r} is not there; this machine has {have}"
        raise ConfigError(msg)
    dtypes = ("float32", "bfloat16") if device == "cpu" else ("float32", "float16", "bfloat16")
    if dtype not in dtypes:
        msg = f"dtype {dtype!r} does not work on {device}; use one of {', '.join(dtypes)}"
        raise ConfigError(msg)


def hash_pipeline(folder: Path, adapter: Path | None) -> str:
    """Return the SHA-256, in hex, of the files that decide what a pipeline draws.

    Parameters
    ----------
    folder : Path
        Of the pipeline.
    adapter : Path or None
        Its IP-Adapter.
    """
    kept = (".json", ".txt", ".safetensors", ".model")
    files = sorted(path for path in folder.rglob("*") if path.suffix in kept)
    digest = hashlib.sha256()
    for path in [*files, *([adapter] if adapter is not None else [])]:
        name = path.relative_to(folder).as_posix() if path is not adapter else "ip_adapter"
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").digest()
        digest.update(hashlib.sha256(name.encode()).digest() + content)
    return digest.hexdigest()


def _diffusers() -> Any:
    try:
        import diffusers
    except ImportError as error:
        msg = "previews by diffusers need it; run: pip install 'braincast[preview]'"
        raise ModelError(msg) from error
    diffusers.utils.logging.set_verbosity_error()
    diffusers.utils.logging.disable_progress_bar()
    return diffusers
