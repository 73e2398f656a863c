"""The real process, with a generator that needs another space than the decoder's."""

from __future__ import annotations

import hashlib
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from decoder.config import PreviewConfig
from decoder.preview_process import Ended, Made, Opened, PreviewProcess, Refused
from models.adapter import save_adapter
from models.adapter_fit import fit_adapter
from models.generator import open_generator
from models.spaces import open_space
from tests.models.generators import COLOURS, save_gallery


def test_an_adapter_stands_between_the_decoder_and_the_generator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BRAINCAST_CACHE", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    words = open_space("minilm").embed([*COLOURS, *(f"thing {n}" for n in range(8))])
    latents = (words @ rng.standard_normal((384, 6))).astype(np.float32)
    save_adapter(
        fit_adapter("decoded", open_space("minilm").name, latents, words), tmp_path / "a"
    )
    config = PreviewConfig(
        generator=f"retrieve:{save_gallery(tmp_path / 'gallery')}", adapter=str(tmp_path / "a")
    )
    centre = latents.mean(axis=0)
    with closing(PreviewProcess(config, "decoded", centre)) as worker:
        worker.ask(1, latents[2], 5, 600.0)
        opened, made, ended = (next(worker.answers()) for _ in range(3))
    here = open_generator(
        config.generator, space="decoded", adapter=config.adapter, centre=centre
    )
    (picture,) = here.preview(latents[2], 5, lambda: False)
    assert opened == Opened(here.name, here.hash, "retrieved")
    assert isinstance(made, Made)
    assert made.about["source"] == picture.source
    assert made.about["sha256"] == hashlib.sha256(picture.pixels.tobytes()).hexdigest()
    assert ended == Ended(1, "made", "")
    with closing(PreviewProcess(config, "another", centre)) as worker:
        refused = next(worker.answers())
    assert isinstance(refused, Refused)
    assert "takes vectors in decoded, and the decoder's lie in another" in refused.reason
