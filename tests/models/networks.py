"""Networks that are trained in a moment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from models.mlp import Mlp
from models.simpleconv import SimpleConv
from models.tsconv import TsConv

__all__ = ["ARCHITECTURES", "quick_networks"]

ARCHITECTURES: list[type[Mlp | SimpleConv | TsConv]] = [Mlp, SimpleConv, TsConv]


@contextmanager
def quick_networks(max_epochs: int = 5, lr: float = 3e-3) -> Iterator[None]:
    """Let all networks learn fast and not for long."""
    with pytest.MonkeyPatch.context() as patch:
        for network in ARCHITECTURES:
            settings = replace(network.training_settings, lr=lr, max_epochs=max_epochs)
            patch.setattr(network, "training_settings", settings)
        yield
