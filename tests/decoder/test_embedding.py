"""The real process, in the space that needs no network."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from decoder import embedding
from decoder.embedding import SpaceProcess, serve_space
from models.spaces import open_space
from streaming.errors import ConfigError, ModelError
from tests.models.pretrained import save_picture


def test_another_process_embeds_and_says_what_is_wrong_and_that_it_ended() -> None:
    space = SpaceProcess("labels")
    try:
        assert (space.name, space.modalities, space.ended) == ("labels", ("text",), False)
        vectors = space.embed(["cat", "dog", "жук"])
        assert vectors.dtype == np.float32
        assert np.array_equal(vectors, np.eye(3))
        with pytest.raises(ConfigError, match="more than one of cat"):
            space.embed(["cat", "cat"])
        assert space.embed(["cat", "dog"]).shape == (2, 2)
        space._child.kill()
        with pytest.raises(
            ModelError, match="what embeds into labels ended with -9; ask again"
        ):
            space.embed(["cat", "dog"])
        assert space.ended
    finally:
        space.close()


def test_pictures_that_somebody_sent_are_checked_shrunk_and_embedded_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the process: what it answers to what is asked."""
    monkeypatch.setattr(os, "nice", lambda _: 0)
    monkeypatch.setenv("BRAINCAST_CACHE", str(tmp_path))
    sent = save_picture(tmp_path / "a.png", "red", (1000, 500)).read_bytes()
    space = SpaceProcess.__new__(SpaceProcess)
    space.name = "efficientnet"

    def ask(what: str, items: list[bytes]) -> io.BytesIO:
        requests = space._requests = io.BytesIO()
        space._ask(what, items)
        answers = io.BytesIO()
        serve_space("efficientnet", io.BytesIO(requests.getvalue()), answers)
        answers.seek(0)
        answers.readline()
        return answers

    answers = ask("shrink", [sent, sent])
    sizes = json.loads(answers.readline())["sizes"]
    small = [answers.read(size) for size in sizes]
    assert small[0] == small[1]
    with Image.open(io.BytesIO(small[0])) as image:
        assert (image.format, image.size) == ("JPEG", (384, 192))
    answers = ask("embed", small[:1])
    assert json.loads(answers.readline()) == {"n_dims": 1280}
    vector = np.frombuffer(answers.read(), "<f4")
    np.testing.assert_array_equal(vector, open_space("efficientnet").embed(small[:1])[0])
    error = json.loads(ask("shrink", [b"GIF89a"]).readline())["error"]
    assert "is no picture that can be read" in error


def test_a_space_that_cannot_be_opened_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "nice", lambda _: 0)
    answers = io.BytesIO()
    serve_space("smell", io.BytesIO(), answers)
    assert "'smell' is unknown" in json.loads(answers.getvalue())["error"]


def test_it_stands_back_behind_what_decodes(monkeypatch: pytest.MonkeyPatch) -> None:
    nice: list[int] = []
    monkeypatch.setattr(os, "nice", nice.append)
    serve_space("labels", io.BytesIO(), io.BytesIO())
    assert nice == [embedding.NICE]
