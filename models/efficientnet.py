"""EfficientNet-Lite0: a network that names what is in a picture, small enough for any laptop.

The architecture is Tan and Le's EfficientNet-B0 (2019) without squeeze-and-excitation and with
ReLU6 in place of swish; names of the modules are those of the published weights.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.packaged import EFFICIENTNET

__all__ = ["SIZE", "EfficientNetLite0", "load_efficientnet"]

SIZE = 224
"""Side of the pictures that it takes, in pixels; their values go from -1 to 1."""

# repeats, kernel, stride, expansion, channels
_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
_EPS = 1e-3  # of the batch norms, as it was trained


class _SameConv(nn.Conv2d):
    """A convolution padded as TensorFlow does: one more at the end where it is odd."""

    def forward(self, x: Tensor) -> Tensor:
        kernel, stride, size = self.kernel_size[0], self.stride[0], x.shape[-1]
        pad = max((-(-size // stride) - 1) * stride + kernel - size, 0)
        before, after = pad // 2, pad - pad // 2
        return super().forward(nn.functional.pad(x, (before, after, before, after)))


class _Block(nn.Module):
    """Widen, filter each channel, narrow; and add what went in where it fits."""

    def __init__(self, kernel: int, stride: int, expansion: int, n_in: int, n_out: int) -> None:
        super().__init__()
        wide = n_in * expansion
        if expansion > 1:
            self._expand_conv = nn.Conv2d(n_in, wide, 1, bias=False)
            self._bn0 = nn.BatchNorm2d(wide, eps=_EPS)
        self._depthwise_conv = _SameConv(wide, wide, kernel, stride, groups=wide, bias=False)
        self._bn1 = nn.BatchNorm2d(wide, eps=_EPS)
        self._project_conv = nn.Conv2d(wide, n_out, 1, bias=False)
        self._bn2 = nn.BatchNorm2d(n_out, eps=_EPS)
        self._widens, self._adds = expansion > 1, stride == 1 and n_in == n_out

    def forward(self, x: Tensor) -> Tensor:
        wide = nn.functional.relu6(self._bn0(self._expand_conv(x))) if self._widens else x
        wide = nn.functional.relu6(self._bn1(self._depthwise_conv(wide)))
        out: Tensor = self._bn2(self._project_conv(wide))
        return out + x if self._adds else out


class EfficientNetLite0(nn.Module):
    """From pictures (n, 3, 224, 224) to 1,000 classes of ImageNet."""

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem = _SameConv(3, 32, 3, 2, bias=False)
        self._bn0 = nn.BatchNorm2d(32, eps=_EPS)
        blocks, n_in = [], 32
        for repeats, kernel, stride, expansion, n_out in _STAGES:
            for n in range(repeats):
                blocks.append(_Block(kernel, 1 if n else stride, expansion, n_in, n_out))
                n_in = n_out
        self._blocks = nn.ModuleList(blocks)
        self._conv_head = nn.Conv2d(n_in, 1280, 1, bias=False)
        self._bn1 = nn.BatchNorm2d(1280, eps=_EPS)
        self._fc = nn.Linear(1280, 1000)

    def layers(self, x: Tensor) -> list[Tensor]:
        """Return each layer's output, averaged over the picture: stem, 16 blocks, head.

        Parameters
        ----------
        x : Tensor of shape (n, 3, 224, 224)
            Values from -1 to 1.

        Returns
        -------
        list of Tensor of shape (n, n_channels)
            Eighteen; the last has 1,280 channels and is what the classifier sees.
        """
        x = nn.functional.relu6(self._bn0(self._conv_stem(x)))  # (n, 32, 112, 112)
        pooled = [x.mean((2, 3))]
        for block in self._blocks:
            x = block(x)
            pooled.append(x.mean((2, 3)))
        x = nn.functional.relu6(self._bn1(self._conv_head(x)))  # (n, 1280, 7, 7)
        return [*pooled, x.mean((2, 3))]

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits of the classes, of shape (n, 1000)."""
        logits: Tensor = self._fc(self.layers(x)[-1])
        return logits


def load_efficientnet() -> EfficientNetLite0:
    """Return the network with the weights that are installed as a package.

    Raises
    ------
    ModelError
        If they are not there, or not what was published.
    """
    network = EfficientNetLite0()
    path = EFFICIENTNET.path()
    network.load_state_dict(torch.load(path, weights_only=True))
    return network.eval()
