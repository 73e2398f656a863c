from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import Ridge
from typer.testing import CliRunner

from decoder.cli import app
from models.adapter import load_adapter, save_adapter
from models.adapter_fit import fit_adapter, fit_adapter_to_gallery
from models.gallery import TABLE
from models.generator import open_generator
from streaming.errors import ConfigError, ModelError
from tests.models.generators import save_gallery
from tests.models.pretrained import save_clip_images, save_picture
from tests.models.tiny_pipelines import N_DIMS, SAVERS

Vectors = NDArray[np.float32]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRAINCAST_CACHE", str(tmp_path / "cache"))


def pairs(n: int = 60, noise: float = 0.1, seed: int = 0) -> tuple[Vectors, Vectors]:
    rng = np.random.default_rng(seed)
    sources = rng.standard_normal((n, 12)) + 3
    targets = sources @ rng.standard_normal((12, 7)) + 5
    targets += noise * rng.standard_normal(targets.shape)
    return sources.astype(np.float32), targets.astype(np.float32)


def test_it_finds_what_it_was_not_fitted_to() -> None:
    adapter = fit_adapter("a", "b", *pairs())
    assert adapter.score.n == 60
    assert adapter.score.top1 > 0.9
    assert adapter.score.two_way > 0.99
    assert "held out, among 60: top-1" in str(adapter.score)
    assert "(chance 1.7%)" in str(adapter.score)


def test_of_unrelated_spaces_it_says_chance() -> None:
    sources, targets = pairs(200)
    rng = np.random.default_rng(1)
    score = fit_adapter("a", "b", sources, targets[rng.permutation(200)]).score
    assert score.top1 < 0.05
    assert 0.4 < score.two_way < 0.6


def test_directions_are_those_of_a_ridge_and_lengths_those_of_the_targets() -> None:
    sources, targets = pairs(noise=0.0)
    adapter = fit_adapter("a", "b", sources, targets)
    truth = Ridge(1.0 * sources.std() ** 2).fit(sources, targets)  # nearly no penalty
    offset = adapter(sources[3]) - targets.mean(axis=0)
    expected = truth.predict(sources[3:4])[0] - targets.mean(axis=0)
    cosine = offset @ expected / np.linalg.norm(offset) / np.linalg.norm(expected)
    assert cosine > 0.999
    lengths = np.linalg.norm(targets - targets.mean(axis=0), axis=1)
    np.testing.assert_allclose(np.linalg.norm(offset), np.sqrt((lengths**2).mean()), rtol=1e-4)


def test_a_shrunk_latent_is_as_far_out_as_another() -> None:
    sources, targets = pairs()
    adapter = fit_adapter("a", "b", sources, targets)
    centre = sources[1]
    whole, shrunk = sources[0], (0.9 * centre + 0.1 * sources[0]).astype(np.float32)
    np.testing.assert_allclose(adapter(whole, centre), adapter(shrunk, centre), rtol=1e-3)
    np.testing.assert_allclose(adapter(centre, centre), targets.mean(axis=0), rtol=1e-4)


def test_it_is_kept_in_a_folder(tmp_path: Path) -> None:
    sources, targets = pairs()
    adapter = fit_adapter("a", "b", sources, targets, nothing=targets[0])
    save_adapter(adapter, tmp_path / "new" / "one")
    again = load_adapter(tmp_path / "new" / "one")
    assert (again.hash, again.score) == (adapter.hash, adapter.score)
    np.testing.assert_array_equal(again(sources[0]), adapter(sources[0]))
    np.testing.assert_array_equal(again.nothing, targets[0])
    with pytest.raises(ConfigError, match="holds an adapter already"):
        save_adapter(adapter, tmp_path / "new" / "one")


@pytest.mark.parametrize("name", ["adapter.json", "adapter.safetensors"])
def test_what_was_altered_is_refused(name: str, tmp_path: Path) -> None:
    save_adapter(fit_adapter("a", "b", *pairs()), tmp_path)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[:-9])
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(ModelError, match="is no adapter, or was altered; fit it again"):
            load_adapter(folder)


def test_too_few_pairs_are_refused() -> None:
    sources, targets = pairs(9)
    with pytest.raises(ConfigError, match="needs 10 things in both spaces at least, got 9"):
        fit_adapter("a", "b", sources, targets)
    with pytest.raises(ConfigError, match="all 12 things lie at one point of b"):
        fit_adapter("a", "b", pairs(12)[0], np.ones((12, 3), np.float32))


def colours(folder: Path, n: int = 12) -> Path:
    save_gallery(folder, ())
    rows = []
    for k in range(n):
        save_picture(folder / f"{k}.png", f"#{(k * 0x153F2B) % 0xFFFFFF:06x}")
        rows.append(f"thing {k}\t{k}.png\n")
    (folder / TABLE).write_text("text\tstim_file\n" + "".join(rows))
    return folder


def test_the_command_leads_from_texts_to_a_pipeline(tmp_path: Path) -> None:
    """A gallery gives pairs; the pipeline's own encoder stands on one side."""
    gallery = colours(tmp_path / "gallery")
    for name in ("encoder", "pipeline"):
        (tmp_path / name).mkdir()
    encoder = save_clip_images(tmp_path / "encoder")
    pipeline = SAVERS["KandinskyV22Pipeline"](tmp_path / "pipeline")
    out = tmp_path / "adapter"
    said = CliRunner().invoke(
        app, ["fit-adapter", str(gallery), "-o", str(out), "--to", f"image-embeds:{encoder}"]
    )
    assert said.exit_code == 0, said.output
    assert "(384) to" in said.output.replace("\n", " ")
    assert "held out, among 12: top-1" in said.output.replace("\n", " ")
    adapter = load_adapter(out)
    assert adapter.weights.shape == (384, N_DIMS)
    assert np.abs(adapter.nothing - adapter.mean).max() > 0
    name, space = f"diffusers:{pipeline}", adapter.source
    generator = open_generator(name, space=space, adapter=out)
    latent = np.random.default_rng(0).standard_normal(384).astype(np.float32)
    *_, final = generator.preview(latent, 3, lambda: False)
    plain = open_generator(name, space=adapter.target)
    *_, same = plain.preview(adapter(latent), 3, lambda: False)
    np.testing.assert_array_equal(final.pixels, same.pixels)
    np.testing.assert_array_equal(generator.prior(3).pixels, plain.prior(3).pixels)
    assert (generator.space, generator.name) == (space, name)
    assert generator.hash != plain.hash
    with pytest.raises(ConfigError, match=r"takes vectors in sentence:.*, and the decoder's"):
        open_generator(name, space="efficientnet", adapter=out)
    with pytest.raises(ConfigError, match=r"takes finite vectors of shape \(384,\), got"):
        next(generator.preview(latent[1:], 0, lambda: False))
    with pytest.raises(ConfigError, match=r"adapter from .* of shape \(384,\), got"):
        open_generator(name, space=space, adapter=out, centre=latent[1:])


def test_an_adapter_stands_before_any_generator(tmp_path: Path) -> None:
    """A decoder of pictures retrieves by names."""
    gallery = colours(tmp_path / "gallery")
    adapter = fit_adapter_to_gallery(gallery, "efficientnet", "minilm")
    save_adapter(adapter, tmp_path / "adapter")
    generator = open_generator(
        f"retrieve:{gallery}", space="efficientnet", adapter=tmp_path / "adapter"
    )
    (picture,) = generator.preview(adapter.centre + 1, 0, lambda: False)
    assert picture.kind == "retrieved"
    np.testing.assert_array_equal(adapter.nothing, adapter.mean)  # texts know no picture
