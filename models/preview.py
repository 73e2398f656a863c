"""braincast-preview: a small pipeline of diffusers that draws what a decode of a text is of.

A perceptron gives the code that is right on average (`models.preview_networks.Sketch`); in four
steps a UNet makes one picture of it; a decoder turns the code into 64 x 64 pixels. The UNet was
trained by flow matching (Lipman et al. 2023, section 3), and its condition is noisy in training
as decodes are. ``models/data/braincast-preview/README.md`` is the model card.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from diffusers import FlowMatchEulerDiscreteScheduler, UNet2DConditionModel
from numpy.typing import NDArray
from torch import Tensor, nn

from models.generator import Cancelled, Kind, Picture, check_vector
from models.preview_networks import SIGMAS, PatchCodec, Sketch, conditioned, refined
from models.spaces import PACKAGED_SPACE
from streaming.errors import ConfigError, ModelError

__all__ = ["WEIGHTS", "BraincastPreview", "hash_folder", "load_preview", "save_preview"]

WEIGHTS = Path(__file__).parent / "data" / "braincast-preview"
"""Where the weights are that come with braincast."""

_PARTS = ("codec", "scheduler", "sketch", "unet")


class BraincastPreview:
    """Draws a picture in four steps; a coarse one is there after the first.

    Parameters
    ----------
    codec, sketch, unet : Module
        The networks, on one device and of one type.
    scheduler : FlowMatchEulerDiscreteScheduler
        Leads from one noise level to the next.
    weights : str
        SHA-256, in hex, of their files.
    centre : array of shape (n_dims,) or None
        Where directions are seen from; the mean of the texts in training if None.
    """

    kind: Kind = "generated"
    name = "braincast-preview"
    space = PACKAGED_SPACE

    def __init__(
        self,
        codec: PatchCodec,
        sketch: Sketch,
        unet: UNet2DConditionModel,
        scheduler: FlowMatchEulerDiscreteScheduler,
        weights: str,
        centre: NDArray[np.float32] | None = None,
    ) -> None:
        self._codec, self._sketch, self._unet = codec, sketch, unet
        self._scheduler = scheduler
        self._place = {"device": sketch.centre.device, "dtype": sketch.centre.dtype}
        self._centre = sketch.centre.float().cpu().numpy() if centre is None else centre
        check_vector(self._centre, len(sketch.centre), f"{self.name} as its centre")
        said = f"{weights} {sketch.centre.dtype} ".encode()
        self.hash = hashlib.sha256(said + self._centre.astype("<f4").tobytes()).hexdigest()

    @property
    def centre(self) -> NDArray[np.float32]:
        """Where directions are seen from, of shape (n_dims,)."""
        return self._centre

    def preview(
        self, vector: NDArray[np.float32], seed: int, cancelled: Cancelled
    ) -> Iterator[Picture]:
        """Yield what the first step expects, then the picture after all of them.

        Raises
        ------
        ConfigError
            If the vector is no latent of the space.
        """
        check_vector(vector, len(self._centre), self.name)
        offset = vector.astype(np.float64) - self._centre
        yield from self._draw(torch.from_numpy(offset[None]).float(), seed, cancelled)

    def prior(self, seed: int) -> Picture:
        """Return the picture that is drawn where nothing is known."""
        nothing = torch.zeros(1, len(self._centre))
        *_, final = self._draw(nothing, seed, lambda: False)
        return final

    @torch.no_grad()
    def codes(self, offsets: Tensor, seeds: list[int], n_steps: int = len(SIGMAS)) -> Tensor:
        """Return the codes of many latents after some steps, as `preview` draws them.

        Parameters
        ----------
        offsets : Tensor of shape (n, n_dims)
            Latents seen from the centre.
        seeds : list of int
            One for each.
        n_steps : int
            1 for the coarse picture's, 4 for the final one's.
        """
        *_, last = zip(range(n_steps), self._steps(offsets, seeds), strict=False)
        return last[1]

    @torch.no_grad()
    def pixels(self, codes: Tensor) -> NDArray[np.uint8]:
        """Return pictures, of shape (n, height, width, 3), of codes."""
        shown = self._codec.decode(codes).float().clamp(-1, 1)
        values = ((shown + 1) * 127.5).round().byte().permute(0, 2, 3, 1)
        return values.cpu().contiguous().numpy()

    def _draw(self, offset: Tensor, seed: int, cancelled: Cancelled) -> Iterator[Picture]:
        if cancelled():
            return
        n_steps = len(SIGMAS)
        for step, codes in enumerate(self._steps(offset, [seed]), 1):
            if cancelled():
                return
            if step in {1, n_steps}:
                yield Picture(self.pixels(codes)[0], self.kind, step, n_steps, self.name)
            if cancelled():
                return

    def _steps(self, offsets: Tensor, seeds: list[int]) -> Iterator[Tensor]:
        """Yield the code that each step expects at the end; the last one is the code."""
        with torch.no_grad():
            names = self._sketch.names.float().cpu()
            conditions = conditioned(offsets, names).to(**self._place)
            sketch = self._sketch(conditions)
            # Drawn on the CPU and one by one: whatever the device, and whatever is beside it
            drawn = [
                torch.randn(sketch.shape[1:], generator=torch.Generator().manual_seed(seed))
                for seed in seeds
            ]
            noisy = torch.stack(drawn).to(**self._place)
        scheduler = FlowMatchEulerDiscreteScheduler.from_config(self._scheduler.config)
        scheduler.set_timesteps(sigmas=list(SIGMAS))
        for sigma, time in zip(SIGMAS, scheduler.timesteps, strict=True):
            with torch.no_grad():
                level = noisy.new_full((len(noisy),), sigma)
                velocity = refined(self._unet, noisy, sketch, level, conditions)
                expected = noisy - sigma * velocity
                noisy = scheduler.step(velocity, time, noisy).prev_sample
            yield expected


def hash_folder(folder: Path) -> str:
    """Return the SHA-256, in hex, of all weights and configurations of a pipeline.

    Parameters
    ----------
    folder : Path
        Where `save_preview` put them; the model card does not count.
    """
    digest = hashlib.sha256()
    for part in _PARTS:
        for file in sorted((folder / part).iterdir()):
            content = file.read_bytes()
            digest.update(f"{part}/{file.name} {len(content)} ".encode() + content)
    return digest.hexdigest()


def save_preview(folder: Path, codec: nn.Module, sketch: nn.Module, unet: nn.Module) -> None:
    """Save networks in half precision, each in a folder of its own as diffusers does.

    Parameters
    ----------
    folder : Path
        Gets them.
    codec, sketch, unet : Module
        The networks; they are in half precision afterwards.
    """
    for name, network in (("codec", codec), ("sketch", sketch), ("unet", unet)):
        network.half().save_pretrained(folder / name)  # type: ignore[operator]
    FlowMatchEulerDiscreteScheduler().save_pretrained(folder / "scheduler")


def load_preview(
    folder: Path = WEIGHTS,
    *,
    centre: NDArray[np.float32] | None = None,
    device: str = "cpu",
    dtype: str = "float32",
) -> BraincastPreview:
    """Load the pipeline; no network is asked.

    Parameters
    ----------
    folder : Path
        What `save_preview` wrote.
    centre : array of shape (n_dims,) or None
        Mean of the targets that the decoder was fitted to.
    device, dtype : str
        What it computes on, and with.

    Raises
    ------
    ConfigError
        If the type is unknown or the device not there.
    ModelError
        If the weights are not there.
    """
    if dtype not in {"float32", "float16", "bfloat16"}:
        msg = f"dtype {dtype!r} is unknown; take float32, float16 or bfloat16"
        raise ConfigError(msg)
    if not all((folder / part).is_dir() for part in _PARTS):
        msg = f"braincast-preview has no weights in {folder}; install braincast again"
        raise ModelError(msg)
    kinds = {"codec": PatchCodec, "sketch": Sketch, "unet": UNet2DConditionModel}
    networks = {
        name: kind.from_pretrained(
            folder / name,
            torch_dtype=getattr(torch, dtype),
            local_files_only=True,
            low_cpu_mem_usage=False,
        ).eval()
        for name, kind in kinds.items()
    }
    try:
        for network in networks.values():
            network.to(device)
    except (RuntimeError, AssertionError) as error:
        msg = f"device {device!r} is not there ({str(error).splitlines()[0]}); take cpu"
        raise ConfigError(msg) from error
    scheduler = FlowMatchEulerDiscreteScheduler.from_pretrained(
        folder / "scheduler", local_files_only=True
    )
    return BraincastPreview(
        **networks, scheduler=scheduler, weights=hash_folder(folder), centre=centre
    )
