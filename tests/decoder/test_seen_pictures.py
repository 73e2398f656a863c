"""Pictures that were shown are what a decoder is fitted to and chooses from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from decoder.fitting import FitSettings, fit_recordings
from models.checkpoint import load_model
from models.spaces import open_space
from models.stimuli import Stimulus, StimulusTable
from tests.models.viewer import LATENCIES, save_viewer

N_PICTURES = 30


def save_pictures(folder: Path) -> list[Path]:
    """Patterns of colours, fine and coarse, that no two are alike."""
    rng = np.random.default_rng(0)
    paths = []
    for n in range(N_PICTURES):
        size = int(rng.integers(2, 12))
        pixels = rng.integers(0, 256, (size, size, 3)).astype(np.uint8)
        paths.append(folder / f"{n}.png")
        Image.fromarray(pixels).resize((96, 96), Image.Resampling.NEAREST).save(paths[-1])
    return paths


def test_pictures_that_were_never_seen_are_found_by_their_embedding(tmp_path: Path) -> None:
    """The brain follows the network's features of each picture, and its own of none."""
    paths = save_pictures(tmp_path)
    vectors = open_space("efficientnet").embed(paths)
    centred = vectors - vectors.mean(axis=0)
    left, sizes, _ = np.linalg.svd(centred, full_matrices=False)
    drives = [(left * sizes)[:, [n]] for n in range(len(LATENCIES))]  # one component a source
    recording, _ = save_viewer(tmp_path, N_PICTURES, 5, snr=0.8, layers=drives)
    table = StimulusTable(
        Stimulus(f"thing {n}", "stimulus", candidate_id=f"thing {n}", stim_file=path.name)
        for n, path in enumerate(paths)
    )
    table.write(tmp_path / "stimuli.tsv")
    settings = FitSettings(
        stimuli=tmp_path / "stimuli.tsv",
        space="efficientnet",
        encoder="ridge",
        protocol="zero_shot",
        tmax=0.5,
    )
    fitted = fit_recordings([recording], tmp_path / "m", settings)
    model, evaluation = fitted.model, fitted.evaluation
    assert evaluation.protocol == "zero_shot"
    assert evaluation.pairwise.value > 0.7
    assert evaluation.pairwise.low > 0.5
    saved = load_model(tmp_path / "m")
    assert saved.space == "efficientnet"
    np.testing.assert_allclose(saved.candidates.vectors, vectors, atol=1e-5)
    assert model.model_id == saved.model_id
