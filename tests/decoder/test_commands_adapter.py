"""What `fit-adapter` says and leaves; what it fits: tests/models/test_adapter.py."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from decoder.cli import main
from models import adapter_fit
from models.adapter import Adapter, load_adapter
from models.adapter_fit import fit_adapter
from tests.decoder.complaining import complaint

RNG = np.random.default_rng(0)
SOURCES = RNG.standard_normal((40, 5)).astype(np.float32)
TARGETS = (SOURCES @ RNG.standard_normal((5, 3))).astype(np.float32)


def test_it_says_between_which_spaces_it_stands_and_what_it_is_worth(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[tuple[Path, str, str]] = []

    def fitted(gallery: Path, source: str, target: str) -> Adapter:
        asked.append((gallery, source, target))
        return fit_adapter(source, target, SOURCES, TARGETS)

    monkeypatch.setattr(adapter_fit, "fit_adapter_to_gallery", fitted)
    out = tmp_path / "adapter"
    assert main(["fit-adapter", "gallery", "--to", "image-embeds:[x]", "-o", str(out)]) == 0
    assert asked == [(Path("gallery"), "minilm", "image-embeds:[x]")]
    said = capsys.readouterr().out
    assert "minilm (5) to image-embeds:[x] (3)" in said
    assert "held out, among 40: top-1" in said
    assert said.splitlines()[-1] == str(out)
    assert load_adapter(out).weights.shape == (5, 3)


def test_a_gallery_that_is_none_is_refused(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    to = ("--to", "minilm", "-o", tmp_path / "adapter")
    said = complaint(capfd, "fit-adapter", tmp_path / "none", *to)
    assert "none has no picture; a gallery is a folder of PNG" in said
    assert not (tmp_path / "adapter").exists()
