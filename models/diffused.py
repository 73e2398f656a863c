"""Pictures by pipelines of diffusers that are conditioned on the embedding of an image."""

from __future__ import annotations

import hashlib
import queue
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.generator import Cancelled, Kind, Opening, Picture, check_vector
from models.media import flat_picture
from models.pipeline_files import (
    fetch_pipeline,
    find_ip_adapter,
    hash_pipeline,
    load_pipeline,
    put_ip_adapter,
)
from models.pipelines import Family, Sampling, read_family, sampling_of
from models.spaces import open_space
from streaming.errors import ConfigError

__all__ = ["Diffused", "open_diffused"]

_SPACE = "image-embeds"
_LOST_INTEREST = "nobody wants the picture any more"


class _Stopped(Exception):  # noqa: N818 - no error: somebody asked for it
    """Leaves a pipeline between two of its steps."""


class Diffused:
    """Draws pictures by a pipeline; see `open_diffused`.

    Parameters
    ----------
    opening : Opening
        Its name, and the space of the vectors it gets.
    pipeline : DiffusionPipeline
        Loaded, on its device.
    family : Family
        What it takes.
    sampling : Sampling
        How it draws.
    nothing : array of shape (n_dims,)
        The embedding of no image.
    weights : str
        SHA-256, in hex, of its files.

    Notes
    -----
    The pipeline runs in a thread, because it hands out what it has only by calling back. Noise
    is drawn on the CPU whatever the device.
    """

    kind: Kind = "generated"

    def __init__(
        self,
        opening: Opening,
        pipeline: Any,
        family: Family,
        sampling: Sampling,
        nothing: NDArray[np.float32],
        weights: str,
    ) -> None:
        self.name, self.space = opening.name, opening.space
        said = f"{weights} {sampling} {opening.dtype}".encode()
        self.hash = hashlib.sha256(said + nothing.astype("<f4").tobytes()).hexdigest()
        self._pipeline, self._family, self._sampling = pipeline, family, sampling
        self._nothing = nothing
        # A picture that its own safety checker has not seen is not shown
        checks = getattr(pipeline, "safety_checker", None) is not None
        upcast = getattr(pipeline, "vae", None) is not None and (
            opening.dtype == "float16" and getattr(pipeline.vae.config, "force_upcast", False)
        )
        self._coarse = not checks and not upcast

    def preview(
        self, vector: NDArray[np.float32], seed: int, cancelled: Cancelled
    ) -> Iterator[Picture]:
        """Yield the picture after half of the steps, as far as it has come, and the last one.

        Raises
        ------
        ConfigError
            If the vector has other dimensions than the pipeline takes.
        """
        check_vector(vector, len(self._nothing), self.name)
        if cancelled():
            return
        yield from self._draw(vector, seed, cancelled)

    def prior(self, seed: int) -> Picture:
        """Return the picture of no image: of what the pipeline takes for the unwanted one."""
        *_, final = self._draw(self._nothing, seed, lambda: False)
        return final

    def _draw(
        self, vector: NDArray[np.float32], seed: int, cancelled: Cancelled
    ) -> Iterator[Picture]:
        found: queue.SimpleQueue[Picture | BaseException] = queue.SimpleQueue()
        left = threading.Event()

        def work() -> None:
            try:
                found.put(self._run(vector, seed, lambda: left.is_set() or cancelled(), found))
            except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
                found.put(error)

        thread = threading.Thread(target=work, name="pipeline", daemon=True)
        thread.start()
        try:
            while True:
                item = found.get()
                if isinstance(item, _Stopped) or cancelled():
                    return
                if isinstance(item, BaseException):
                    raise item
                yield item
                if item.final:
                    return
        finally:
            left.set()
            thread.join()

    def _run(
        self,
        vector: NDArray[np.float32],
        seed: int,
        cancelled: Cancelled,
        coarse: queue.SimpleQueue[Picture | BaseException],
    ) -> Picture:
        import torch

        pipeline = self._pipeline
        place = {"device": pipeline.device, "dtype": pipeline.unet.dtype}
        embeds, nothing = (
            torch.from_numpy(values[None].copy()).to(**place)
            for values in (vector, self._nothing)
        )
        n_done = 0

        def step(latents: Any) -> None:
            nonlocal n_done
            n_done, n_steps = n_done + 1, len(pipeline.scheduler.timesteps)
            if cancelled():
                raise _Stopped(_LOST_INTEREST)
            if self._coarse and n_done == n_steps // 2:
                pixels = self._decoded(latents)
                coarse.put(Picture(pixels, self.kind, n_done, n_steps, self.name))

        arguments = self._family.arguments(embeds, nothing, self._sampling.compared)
        if hasattr(pipeline, "_callback_tensor_inputs"):

            def at_step_end(_: Any, __: int, ___: Any, tensors: dict[str, Any]) -> Any:
                step(tensors["latents"])
                return tensors

            arguments["callback_on_step_end"] = at_step_end
        else:  # Stable unCLIP has kept the older way
            arguments["callback"] = lambda _, __, latents: step(latents)
        images = pipeline(
            **arguments,
            **self._size(),
            num_inference_steps=self._sampling.n_steps,
            guidance_scale=self._sampling.guidance,
            generator=torch.Generator("cpu").manual_seed(seed),
            output_type="np",
        ).images
        if cancelled():
            raise _Stopped(_LOST_INTEREST)
        n_steps = len(pipeline.scheduler.timesteps)
        return Picture(_pixels(images[0]), self.kind, n_steps, n_steps, self.name)

    def _size(self) -> dict[str, int]:
        """Return the size in pixels that Kandinsky's network was made for, as others know."""
        if not hasattr(self._pipeline, "movq"):
            return {}
        side = self._pipeline.unet.config.sample_size * self._pipeline.movq_scale_factor
        return {"height": side, "width": side}

    def _decoded(self, latents: Any) -> NDArray[np.uint8]:
        """Return the picture of latents on their way, noise and all."""
        import torch

        pipeline = self._pipeline
        with torch.no_grad():
            if hasattr(pipeline, "movq"):
                image = pipeline.movq.decode(latents, force_not_quantize=True)["sample"]
            else:
                scaled = latents / pipeline.vae.config.scaling_factor
                image = pipeline.vae.decode(scaled, return_dict=False)[0]
        shown = (image[0] / 2 + 0.5).clamp(0, 1).permute(1, 2, 0)  # (height, width, 3)
        return _pixels(shown.float().cpu().numpy())


def open_diffused(opening: Opening) -> Diffused:
    """Open a pipeline, and an IP-Adapter where it needs one.

    Parameters
    ----------
    opening : Opening
        Its source is the folder or the id of a pipeline and, behind a plus, the file of an
        IP-Adapter, in a folder or on the hub.

    Raises
    ------
    ConfigError
        If its class takes no embedding of an image, or one of another space, or the device is
        not there.
    ModelError
        If its files are nowhere, or not as they should be.
    """
    source, _, adapter = opening.source.partition("+")
    if Path(opening.source).is_dir():
        source, adapter = opening.source, ""
    class_name, family = read_family(source)
    if adapter and not family.needs_ip_adapter:
        msg = f"{source} is a {class_name}, which takes no IP-Adapter; leave out +{adapter}"
        raise ConfigError(msg)
    file = find_ip_adapter(adapter) if adapter else None
    n_dims = family.n_dims(source, file)
    _check_space(opening, n_dims)
    sampling = sampling_of(source, family)
    nothing = _nothing(opening, class_name, n_dims)
    folder = fetch_pipeline(source)
    weights = hash_pipeline(folder, file)
    pipeline = load_pipeline(folder, class_name, opening.device, opening.dtype)
    if file is not None:
        put_ip_adapter(pipeline, file)
    pipeline.to(opening.device)
    return Diffused(opening, pipeline, family, sampling, nothing, weights)


def _check_space(opening: Opening, n_dims: int) -> None:
    """Refuse vectors of another space, or of other dimensions."""
    known = opening.centre is not None
    found = len(opening.centre) if opening.centre is not None else n_dims
    if opening.space.partition(":")[0] == _SPACE and found == n_dims:
        return
    vectors = f"vectors of {found} dimensions" if known else "vectors"
    msg = (
        f"{opening.name} takes the embedding of an image, {n_dims} dimensions, and the decoder "
        f"gives {vectors} in {opening.space}; fit an adapter between them: braincast "
        f"fit-adapter GALLERY -o ADAPTER --space {opening.space} --to {_SPACE}:ENCODER"
    )
    raise ConfigError(msg)


def _nothing(opening: Opening, class_name: str, n_dims: int) -> NDArray[np.float32]:
    """Return the embedding of no image: zero, or of a picture that is nothing."""
    if class_name != "KandinskyV22Pipeline":
        return np.zeros(n_dims, np.float32)
    if opening.nothing is not None:
        return opening.nothing
    return np.asarray(open_space(opening.space).embed([flat_picture()])[0])


def _pixels(image: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Return a picture of (height, width, 3) from 0 to 1 as bytes."""
    return np.asarray(np.round(np.clip(image, 0, 1) * 255), np.uint8)
