"""Pipelines of every supported class, tiny, saved and loaded through the path of a user's."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from models.generator import Generator, open_generator
from models.pipelines import FAMILIES
from streaming.errors import BraincastError, ConfigError, ModelError
from tests.models.tiny_pipelines import (
    N_DIMS,
    SAVERS,
    image_encoder,
    save_ip_adapter,
    set_scheduler,
)

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

CROSS = {"StableDiffusionPipeline": 8, "StableDiffusionXLPipeline": 16}


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Class -> what stands behind `diffusers:`."""
    sources = {}
    for name, save in SAVERS.items():
        folder = save(tmp_path_factory.mktemp(name))
        sources[name] = str(folder)
        if name in CROSS:
            file = folder.with_suffix(".safetensors")
            sources[name] += f"+{save_ip_adapter(folder, file, CROSS[name])}"
    return sources


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> str:
    torch.manual_seed(2)
    folder = tmp_path_factory.mktemp("encoder")
    image_encoder().save_pretrained(folder)
    return f"image-embeds:{folder}"


def never() -> bool:
    return False


def vector(seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).standard_normal(N_DIMS).astype(np.float32)


def pipeline_of(generator: Generator) -> Any:
    return generator._pipeline  # type: ignore[attr-defined]


def test_every_class_has_a_tiny_one() -> None:
    assert set(SAVERS) == set(FAMILIES)


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_each_class_draws_what_its_pipeline_draws(
    name: str, saved: dict[str, str], space: str
) -> None:
    generator = open_generator(f"diffusers:{saved[name]}", space=space)
    coarse, final = generator.preview(vector(), 7, never)
    assert not coarse.final
    assert coarse.step == coarse.n_steps // 2
    assert final.final
    assert coarse.pixels.shape == final.pixels.shape
    assert (final.kind, final.source) == ("generated", f"diffusers:{saved[name]}")
    prior = generator.prior(7)
    assert (prior.pixels != final.pixels).any()
    assert (next(generator.preview(vector(1), 7, never)).pixels != coarse.pixels).any()
    folder, _, adapter = saved[name].partition("+")
    fresh = getattr(diffusers, name).from_pretrained(folder)
    embeds, zeros = torch.from_numpy(vector())[None], torch.zeros(1, N_DIMS)
    if name in CROSS:
        parent, file = str(Path(adapter).parent), Path(adapter).name
        fresh.load_ip_adapter(parent, subfolder="", weight_name=file, image_encoder_folder=None)
        few = name == "StableDiffusionXLPipeline"
        rows = torch.stack([embeds]) if few else torch.stack([zeros, embeds])
        said: dict[str, Any] = {"prompt": "", "ip_adapter_image_embeds": [rows]}
        said |= {"guidance_scale": 1.0 if few else 7.5, "num_inference_steps": 4 if few else 25}
    elif name == "KandinskyV22Pipeline":
        nothing = torch.from_numpy(generator._nothing)[None]  # type: ignore[attr-defined]
        said = {"image_embeds": embeds, "negative_image_embeds": nothing}
        said |= {"height": 8, "width": 8, "num_inference_steps": 25}
    else:
        said = {"prompt": "", "image_embeds": embeds, "num_inference_steps": 25}
    drawn = fresh(**said, generator=torch.Generator().manual_seed(7), output_type="np").images
    np.testing.assert_array_equal(final.pixels, np.round(drawn[0] * 255).astype(np.uint8))


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_it_stops_between_two_steps(
    name: str, saved: dict[str, str], space: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = open_generator(f"diffusers:{saved[name]}", space=space)
    unet = pipeline_of(generator).unet
    forward, calls = unet.forward, []

    def counted(*args: Any, **options: Any) -> Any:
        calls.append(1)
        return forward(*args, **options)

    monkeypatch.setattr(unet, "forward", counted)
    assert list(generator.preview(vector(), 0, lambda: len(calls) >= 2)) == []
    assert len(calls) == 2
    pictures = generator.preview(vector(), 0, never)
    next(pictures)
    del pictures  # whoever looks away ends it, too
    *_, final = generator.preview(vector(), 0, never)  # and it can be used again
    assert final.final


@pytest.mark.parametrize(
    ("scheduler", "n_steps"),
    [
        (diffusers.LCMScheduler, 4),
        (diffusers.TCDScheduler, 4),
        (lambda: diffusers.EulerDiscreteScheduler(timestep_spacing="trailing"), 4),
        (diffusers.EulerDiscreteScheduler, 25),
    ],
)
def test_the_scheduler_says_how_many_steps(
    scheduler: type, n_steps: int, saved: dict[str, str], space: str, tmp_path: Path
) -> None:
    folder, _, file = saved["StableDiffusionPipeline"].partition("+")
    copy = set_scheduler(Path(shutil.copytree(folder, tmp_path / "p")), scheduler())
    generator = open_generator(f"diffusers:{copy}+{file}", space=space)
    steps = [picture.step for picture in generator.preview(vector(), 0, never)]
    assert steps == [n_steps // 2, n_steps]


def test_weights_settings_and_precision_have_other_hashes(
    saved: dict[str, str], space: str, tmp_path: Path
) -> None:
    name = f"diffusers:{saved['StableDiffusionPipeline']}"
    folder, _, file = saved["StableDiffusionPipeline"].partition("+")
    copy = Path(shutil.copytree(folder, tmp_path / "p"))
    same = open_generator(name, space=space)
    assert same.hash == open_generator(f"diffusers:{copy}+{file}", space=space).hash
    half = open_generator(name, space=space, dtype="bfloat16")
    set_scheduler(copy, diffusers.LCMScheduler())
    other = open_generator(f"diffusers:{copy}+{file}", space=space)
    assert len({same.hash, half.hash, other.hash}) == 3
    *_, final = half.preview(vector(), 0, never)
    assert final.pixels.std() > 0


def edit(path: Path, **values: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_what_cannot_be_used_is_refused_before_it_runs(
    saved: dict[str, str], space: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sd, _, file = saved["StableDiffusionPipeline"].partition("+")
    kandinsky = saved["KandinskyV22Pipeline"]
    other = Path(shutil.copytree(sd, tmp_path / "other"))
    edit(other / "model_index.json", _class_name="DDPMPipeline")
    custom = Path(shutil.copytree(sd, tmp_path / "custom"))
    edit(custom / "model_index.json", _class_name=["pipeline", "Own"])
    plus = tmp_path / "plus.safetensors"
    shutil.copy(Path(sd) / "unet" / "diffusion_pytorch_model.safetensors", plus)
    xl = saved["StableDiffusionXLPipeline"].partition("+")[0]

    def refused(kind: type[BraincastError], match: str, name: str, **options: object) -> None:
        with pytest.raises(kind, match=match) as error:
            open_generator(f"diffusers:{name}", **{"space": space, **options})  # type: ignore[arg-type]
        assert "\n" not in str(error.value)

    refused(ConfigError, r"is a DDPMPipeline, which .*KandinskyV22Pipeline, Sta", str(other))
    refused(ConfigError, r"is a \['pipeline', 'Own'\], which takes no", str(custom))
    refused(ConfigError, r"through an IP-Adapter; name its file behind a plus", sd)
    refused(ConfigError, r"which takes no IP-Adapter; leave out", f"{kandinsky}+{file}")
    refused(ConfigError, r"is no plain IP-Adapter", f"{sd}+{plus}")
    refused(ConfigError, r"is no safetensors file", f"{sd}+ip-adapter.bin")
    refused(ModelError, r"of other networks than the pipeline's", f"{xl}+{file}")
    refused(ModelError, r"no model_index.json in .*; give a folder", str(tmp_path / "none"))
    refused(
        ConfigError,
        r"takes the embedding of an image, 8 dimensions, and the decoder gives vectors of 384 "
        r"dimensions in minilm; fit an adapter between them: braincast fit-adapter",
        kandinsky,
        space="minilm",
        centre=np.zeros(384, np.float32),
    )
    refused(ConfigError, "gives vectors of 9 dim", kandinsky, centre=np.zeros(9, np.float32))
    refused(
        ConfigError, r"device 'tpu' is not there; this machine has cpu", kandinsky, device="tpu"
    )
    refused(ConfigError, r"dtype 'float16' does not work on cpu", kandinsky, dtype="float16")
    monkeypatch.setattr("models.hub.hub_answers", lambda: False)
    refused(ModelError, r"not on this machine, and the hub does not answer", "nobody/nothing")


def test_pickled_weights_are_refused(saved: dict[str, str], space: str, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(saved["KandinskyV22Pipeline"], tmp_path / "p"))
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    unet = diffusers.UNet2DConditionModel.from_pretrained(folder / "unet")
    torch.save(unet.state_dict(), weights.with_suffix(".bin"))
    weights.unlink()
    with pytest.raises(ModelError, match="cannot be loaded") as error:
        open_generator(f"diffusers:{folder}", space=space)
    assert "\n" not in str(error.value)
