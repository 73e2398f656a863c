"""The networks of braincast-preview, beside the UNet that is diffusers' own."""

from __future__ import annotations

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from diffusers.models.autoencoders.vae import Decoder
from torch import Tensor, nn

__all__ = ["PATCH", "SIGMAS", "PatchCodec", "Sketch", "conditioned", "refined"]

PATCH = 8
"""Side of what one point of the code stands for, in pixels."""

SIGMAS = (1.0, 0.75, 0.5, 0.25)
"""Noise levels at which the four steps begin."""

_SHARPNESS = 30.0  # of the softmax over names: 15 is as good, and no pull worse


class PatchCodec(ModelMixin, ConfigMixin):  # type: ignore[misc]
    """Between pictures and codes of 8 x 8 points.

    To a code it goes by the principal components of patches of 8 x 8 pixels. Back it goes by
    the same, and a convolutional network (diffusers' own decoder) adds what they leave out.

    Parameters
    ----------
    n_components : int
        Components of a patch; the channels of a code.
    channels : sequence of int
        Widths of the network, from fine to coarse.
    """

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(
        self,
        n_components: int = 12,
        channels: tuple[int, ...] = (48, 96, 128),
        groups: int = 16,
    ) -> None:
        super().__init__()
        n_values = 3 * PATCH**2
        self.register_buffer("basis", torch.zeros(n_values, n_components))
        self.register_buffer("mean", torch.zeros(n_values))
        self.network = Decoder(
            n_components,
            12,  # of 2 x 2 pixels
            ("UpDecoderBlock2D",) * len(channels),
            tuple(channels),
            layers_per_block=1,
            norm_num_groups=groups,
            mid_block_add_attention=False,
        )
        with torch.no_grad():
            self.network.conv_out.weight.mul_(0.1)
            self.network.conv_out.bias.zero_()

    def fit_components(self, pictures: Tensor) -> None:
        """Set the components to those of pictures, (n, 3, height, width) from -1 to 1.

        Channels are scaled by the square root of their spread, and all to a variance of 1 on
        average: the first still weigh most in a loss, the last are not lost in noise at once.
        """
        patches = nn.functional.pixel_unshuffle(pictures, PATCH).permute(0, 2, 3, 1)
        patches = patches.reshape(-1, patches.shape[-1])
        self.mean.copy_(patches.mean(0))
        offsets = patches - self.mean
        values, vectors = torch.linalg.eigh((offsets.T @ offsets / len(offsets)).double())
        n = self.basis.shape[1]
        spread = values.flip(0)[:n].clamp_min(1e-12).sqrt()
        scale = spread.sqrt()
        scale = scale * (spread.square() / scale.square()).mean().sqrt()
        self.basis.copy_((vectors.flip(1)[:, :n] * scale).float())

    def encode(self, pictures: Tensor) -> Tensor:
        """Return codes (n, n_components, 8, 8) of pictures (n, 3, 64, 64) from -1 to 1."""
        patches = nn.functional.pixel_unshuffle(pictures, PATCH) - self.mean[:, None, None]
        back = self.basis / self.basis.square().sum(0)
        return torch.einsum("nphw,pc->nchw", patches, back)

    def linear(self, codes: Tensor) -> Tensor:
        """Return the pictures of codes by the components alone."""
        patches = torch.einsum("nchw,pc->nphw", codes, self.basis) + self.mean[:, None, None]
        return nn.functional.pixel_shuffle(patches, PATCH)

    def decode(self, codes: Tensor) -> Tensor:
        """Return pictures (n, 3, 64, 64) of codes."""
        finer: Tensor = nn.functional.pixel_shuffle(self.network(codes), 2)
        return self.linear(codes) + finer.float()


class Sketch(ModelMixin, ConfigMixin):  # type: ignore[misc]
    """A perceptron from a condition to the code that is right on average.

    Parameters
    ----------
    n_dims : int
        Of the embedding space.
    n_components, side : int
        Channels of a code, and how many points it is high and wide.
    width : int
        Of the hidden layers.
    n_names : int
        Directions of names that training knows; see `conditioned`.
    """

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(
        self,
        n_dims: int = 384,
        n_components: int = 12,
        side: int = 8,
        width: int = 1024,
        n_names: int = 768,
    ) -> None:
        super().__init__()
        self.register_buffer("centre", torch.zeros(n_dims))
        self.register_buffer("names", torch.zeros(n_names, n_dims))
        self.enter = nn.Linear(n_dims, width)
        self.norm = nn.LayerNorm(width)
        self.hidden = nn.Linear(width, width)
        self.leave = nn.Linear(width, n_components * side**2)

    def forward(self, conditions: Tensor) -> Tensor:
        """Return codes (n, n_components, side, side) of conditions (n, n_dims)."""
        x = nn.functional.silu(self.enter(conditions))
        x = x + nn.functional.silu(self.hidden(self.norm(x)))
        config = self.config
        codes: Tensor = self.leave(x).view(-1, config.n_components, config.side, config.side)
        return codes


def conditioned(offsets: Tensor, names: Tensor) -> Tensor:
    """Return the conditions of latents seen from the centre.

    A latent's direction is averaged with the direction of the names near it, weighted by a
    softmax of their cosines: what is decoded is mostly noise, and names lie where pictures are.

    Parameters
    ----------
    offsets : Tensor of shape (n, n_dims)
        What is nothing stays nothing.
    names : Tensor of shape (n_names, n_dims)
        Directions, of length 1.

    Returns
    -------
    Tensor of shape (n, n_dims)
        With a variance of 1 over the dimensions.
    """
    there = offsets.norm(dim=1, keepdim=True) > 1e-6
    toward = nn.functional.normalize(offsets, dim=1)
    near = torch.softmax(_SHARPNESS * toward @ names.T, dim=1) @ names
    drawn = nn.functional.normalize(toward + nn.functional.normalize(near, dim=1), dim=1)
    conditions: Tensor = torch.where(there, drawn, 0.0) * offsets.shape[1] ** 0.5
    return conditions


def refined(
    unet: nn.Module, noisy: Tensor, sketch: Tensor, sigma: Tensor, conditions: Tensor
) -> Tensor:
    """Return the velocity that the UNet sees in a noisy code: noise minus code.

    Parameters
    ----------
    unet : UNet2DConditionModel
        Takes the noisy code and the sketch as channels.
    noisy, sketch : Tensor of shape (n, n_components, side, side)
        ``(1 - sigma) * code + sigma * noise``; and what `Sketch` says.
    sigma : Tensor of shape (n,)
        From 0 to 1.
    conditions : Tensor of shape (n, n_dims)
        See `conditioned`.
    """
    # It has no attention that would look at a text: an empty one stands in for it.
    nothing = noisy.new_zeros(len(noisy), 1, 16)
    both = torch.cat([noisy, sketch], dim=1)
    velocity: Tensor = unet(both, sigma * 1000, nothing, class_labels=conditions).sample
    return velocity
