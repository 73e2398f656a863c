"""The real process, in the space that needs no network."""

from __future__ import annotations

import io
import json
import os

import numpy as np
import pytest

from decoder import embedding
from decoder.embedding import SpaceProcess, serve_space
from streaming.errors import ConfigError, ModelError


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
