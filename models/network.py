"""Encoders that are networks: an architecture, the fit loop, and a decode in torch.

torch is imported when one of them is made, not before: a ridge serves without it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from models.trials import Course, Trials
from streaming.errors import ModelError
from streaming.signal import Window

if TYPE_CHECKING:
    from torch import nn

__all__ = ["MlpEncoder", "NetworkEncoder", "SimpleConvEncoder", "TsConvEncoder"]


@dataclass(frozen=True, slots=True, eq=False)
class NetworkEncoder:
    """A network from standardised windows to the embedding space.

    Parameters
    ----------
    network : torch.nn.Module
        In evaluation mode.
    config : dict
        What the network is made from.
    mean, scale : array of shape (n_channels, 1)
        Moments of each channel in training.
    centre : array of shape (n_dims,)
        Mean of the targets in training, which is added to what the network says.
    subject : int
        Whose windows it decodes, of those it was fitted to.
    """

    kind: ClassVar[str]
    architecture: ClassVar[tuple[str, str, str]]
    """Module, class of the network, class of its config."""

    network: nn.Module
    config: dict[str, Any]
    mean: NDArray[np.float32]
    scale: NDArray[np.float32]
    centre: NDArray[np.float32]
    subject: int = 0

    @classmethod
    def fit(cls, trials: Trials, course: Course = Course()) -> Self:  # noqa: B008 - frozen
        """Fit to trials; see `models.training` for how."""
        import torch

        from models.training import train

        _, network_class, _ = cls._load()
        mean = trials.windows.mean(axis=(0, 2), dtype=np.float64)[:, None]
        scale = trials.windows.std(axis=(0, 2), dtype=np.float64)[:, None]
        scale[scale <= 1e-12 * scale.max()] = 1.0
        mean, scale = mean.astype(np.float32), scale.astype(np.float32)
        standardised = replace(trials, windows=(trials.windows - mean) / scale)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(network_class.training_settings.seed)
            network, config = network_class.for_trials(standardised)
        train(network, standardised, network_class.training_settings, course)
        centre = trials.targets.mean(axis=0, dtype=np.float64).astype(np.float32)
        return cls(network, asdict(config), mean, scale, centre)

    def encode(self, window: Window) -> NDArray[np.float32]:
        """Return where in the embedding space a window lies, of shape (n_dims,).

        Only the samples count: neither the marker nor the time is read.
        """
        import torch

        data, expected = window.chunk.data, (len(self.mean), self.config["n_times"])
        if data.shape != expected:
            msg = f"a window must have shape {expected}, got {data.shape}"
            raise ValueError(msg)
        with torch.inference_mode():
            standardised = torch.tensor((data - self.mean) / self.scale)
            latent = self.network(standardised[None], torch.tensor([self.subject]))
        return np.asarray(latent[0].numpy() + self.centre)

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return all that was learnt, by name."""
        weights = {f"network.{k}": v.numpy() for k, v in self.network.state_dict().items()}
        config = np.frombuffer(json.dumps(self.config).encode(), np.uint8)
        return {
            **weights,
            "config": config,
            "mean": self.mean,
            "scale": self.scale,
            "centre": self.centre,
            "subject": np.array(self.subject),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.generic]]) -> Self:
        """Undo `arrays`."""
        torch, network_class, config_class = cls._load()
        torch.set_num_threads(1)  # the same sums in the same order, and 10 times faster
        config = json.loads(arrays["config"].tobytes())
        network = network_class(config_class(**config))
        prefix = "network."
        weights = {
            name.removeprefix(prefix): torch.tensor(array)
            for name, array in arrays.items()
            if name.startswith(prefix)
        }
        try:
            network.load_state_dict(weights)
        except RuntimeError as error:
            msg = f"the weights do not fit a {cls.kind} of {config}; fit anew"
            raise ModelError(msg) from error
        mean, scale, centre = (
            np.asarray(arrays[name], np.float32) for name in ("mean", "scale", "centre")
        )
        return cls(network.eval(), config, mean, scale, centre, int(arrays["subject"]))

    @classmethod
    def _load(cls) -> tuple[Any, Any, Any]:
        """Return torch, the network's class and its config's."""
        try:
            import torch
        except ImportError as error:
            msg = f"the encoder {cls.kind} needs torch; run: pip install 'braincast[decode]'"
            raise ModelError(msg) from error
        module, network, config = cls.architecture
        found = import_module(f"models.{module}")
        return torch, getattr(found, network), getattr(found, config)


class MlpEncoder(NetworkEncoder):
    """A multilayer perceptron; see `models.mlp`."""

    kind = "mlp"
    architecture = ("mlp", "Mlp", "MlpConfig")


class TsConvEncoder(NetworkEncoder):
    """A shallow convolutional network; see `models.tsconv`."""

    kind = "tsconv"
    architecture = ("tsconv", "TsConv", "TsConvConfig")


class SimpleConvEncoder(NetworkEncoder):
    """A deep convolutional network; see `models.simpleconv`."""

    kind = "simpleconv"
    architecture = ("simpleconv", "SimpleConv", "SimpleConvConfig")
