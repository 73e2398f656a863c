from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import transformers

from models.networks import KINDS, Item
from streaming.errors import ModelError
from tests.models.pretrained import (
    save_bert,
    save_clip,
    save_clip_images,
    save_dinov2,
    save_picture,
    save_wav,
    save_wav2vec2,
)

SAVE: dict[str, Callable[[Path], object]] = {
    "sentence": save_bert,
    "clip": save_clip,
    "dinov2": save_dinov2,
    "image-embeds": save_clip_images,
    "wav2vec2": save_wav2vec2,
    "efficientnet": lambda _: None,
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_network_gives_an_embedding_and_layers(kind: str, tmp_path: Path) -> None:
    """One vector for each item, whatever is beside it, and the same each time."""
    SAVE[kind](tmp_path)
    sound = 0.1 * np.random.default_rng(0).standard_normal((2, 16_000))
    items: dict[str, list[Item]] = {
        "text": ["a dog", "cats"],
        "image": [save_picture(tmp_path / f"{c}.png", c) for c in ("red", "blue")],
        "audio": [save_wav(tmp_path / f"{n}.wav", row) for n, row in enumerate(sound)],
    }
    networks, again = KINDS[kind](str(tmp_path)), KINDS[kind](str(tmp_path))
    assert len({network.modality for network in networks}) == len(networks)
    for network, same in zip(networks, again, strict=True):
        both = items[network.modality]
        embedding, layers = network(both)
        assert embedding.dtype == np.float32
        assert len(embedding) == 2
        assert all(layer.ndim == 2 and len(layer) == 2 for layer in layers)
        assert np.abs(embedding[0] - embedding[1]).max() > 1e-4
        alone = [network([item])[0][0] for item in both]
        np.testing.assert_allclose(embedding, alone, atol=1e-5)
        assert same.fingerprint == network.fingerprint
        np.testing.assert_array_equal(same(both)[0], embedding)
    assert len({network.fingerprint for network in networks}) == len(networks)


def test_other_weights_have_another_fingerprint(tmp_path: Path) -> None:
    (network,) = KINDS["sentence"](str(save_bert(tmp_path)))
    model = transformers.AutoModel.from_pretrained(tmp_path)
    model.encoder.layer[1].output.dense.bias.data[3] += 1
    model.save_pretrained(tmp_path)
    (changed,) = KINDS["sentence"](str(tmp_path))
    assert changed.fingerprint != network.fingerprint


@pytest.mark.parametrize("kind", ["clip", "dinov2", "image-embeds", "wav2vec2"])
def test_an_empty_folder_is_refused_in_one_line(kind: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no .* in that folder .*; give a folder") as error:
        KINDS[kind](str(tmp_path))
    assert "\n" not in str(error.value)


def test_a_hub_that_does_not_answer_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own client would try for a minute, and print each time."""
    with closing(socket.socket()) as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    for kind in ("http", "https", "all"):
        monkeypatch.delenv(f"{kind}_proxy", raising=False)
        monkeypatch.delenv(f"{kind}_proxy".upper(), raising=False)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", f"http://127.0.0.1:{port}")
    with pytest.raises(ModelError, match=r"'someone/nothing' .* the hub does not answer"):
        KINDS["dinov2"]("someone/nothing")
