from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from decoder import choosing
from decoder.choosing import (
    MAX_CANDIDATES,
    MAX_PICTURES,
    Embedder,
    embed_chosen,
    listed,
)
from decoder.control import Word
from models.candidate_file import load_candidates
from models.candidates import Candidates
from models.networks import Item, Modality
from models.spaces import LabelSpace
from streaming.errors import ConfigError
from tests.decoder.controlled import Labels
from tests.decoder.tiny import tiny_model


class Lengths:
    """A space in which a text lies by its length; counts what it was asked for."""

    name = "sentence:lengths"
    modalities: tuple[Modality, ...] = ("text",)

    def __init__(self) -> None:
        self.asked: list[str] = []

    def embed(self, items: Sequence[Item]) -> NDArray[np.float32]:
        self.asked += [str(item) for item in items]
        return np.array([[len(str(item)), 1.0] for item in items], np.float32)


def pool(*names: str, space: str = Lengths.name, trained: bool = True) -> Candidates:
    vectors = np.arange(2 * len(names), dtype=np.float32).reshape(-1, 2)
    glyphs = tuple(name[0] for name in names)
    return Candidates(names, names, glyphs, (trained,) * len(names), vectors, space)


OWN = pool("cat", "dog", "house")


def ids(words: tuple[Word, ...]) -> list[str]:
    return [word.id for word in words]


def test_candidates_are_replaced_added_and_removed() -> None:
    two = [Word("owl"), Word("cat")]
    assert ids(listed(two, "replace", OWN, OWN)) == ["owl", "cat"]
    assert ids(listed([Word("owl")], "add", OWN, OWN)) == ["cat", "dog", "house", "owl"]
    assert ids(listed([Word("dog")], "remove", OWN, OWN)) == ["cat", "house"]


def test_a_known_name_keeps_its_text_and_glyph_until_others_are_given() -> None:
    named = replace(OWN, texts=("a cat", "a dog", "a house"))
    words = [Word("cat"), Word("dog", "a wolf"), Word("owl"), Word("house", glyph="H")]
    assert listed(words, "replace", named, named) == (
        Word("cat", "a cat", "c"),
        Word("dog", "a wolf"),
        Word("owl", "owl"),
        Word("house", "a house", "H"),
    )


@pytest.mark.parametrize(
    ("words", "mode", "says"),
    [
        ([Word("owl"), Word("owl", "an owl")], "replace", "'owl' is there already"),
        ([Word("cat")], "add", "'cat' is there already"),
        ([Word("owl")], "remove", "'owl' is not among those"),
        ([Word("cat"), Word("dog")], "remove", "2 to 4096 candidates, this leaves 1"),
        ([Word("cat")], "replace", "this leaves 1"),
        ([Word("a", "x"), Word("b", "x")], "replace", "'a' and 'b' have the same text, 'x'"),
        ([Word(str(n)) for n in range(MAX_CANDIDATES + 1)], "replace", "this leaves 4097"),
    ],
)
def test_what_is_wrong_is_named(words: list[Word], mode: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        listed(words, mode, OWN, OWN)  # type: ignore[arg-type]


def test_only_new_words_are_embedded_and_are_zero_shot() -> None:
    space = Lengths()
    words = listed([Word("cat"), Word("zebra"), Word("owl")], "replace", OWN, OWN)
    found = embed_chosen(words, OWN, OWN, space)
    assert space.asked == ["zebra", "owl"]
    assert found.vectors.tolist() == [[0, 1], [5, 1], [3, 1]]
    assert found.trained == (True, False, False)
    now = replace(found, vectors=found.vectors + 7)  # as pictures would be
    again = embed_chosen(listed([Word("cat")], "remove", now, OWN), now, OWN, space)
    assert again.vectors.tolist() == [[12, 8], [10, 8]]
    other = embed_chosen(
        listed([Word("cat", "tiger"), Word("dog")], "replace", OWN, OWN), OWN, OWN, space
    )
    assert other.trained == (False, True)  # of that text nothing was shown


@pytest.mark.parametrize("name", ["labels", "dinov2:x"])
def test_where_words_have_no_place_only_the_models_own_can_be_chosen(name: str) -> None:
    class Pictures(LabelSpace):
        modalities: tuple[Modality, ...] = ("image",) if name != "labels" else ("text",)

    space, own = Pictures(), pool("cat", "dog", "owl", space=name)
    space.name = name
    words = listed([Word("owl"), Word("cat")], "replace", own, own)
    assert embed_chosen(words, own, own, space).ids == ("owl", "cat")
    with pytest.raises(ConfigError, match="'bee' is not one of the model's"):
        embed_chosen(listed([Word("bee")], "add", own, own), own, own, space)


def test_a_job_keeps_what_it_made_and_leaves_the_next_one_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choosing, "SpaceProcess", Labels)
    own = tiny_model().candidates
    embedder = Embedder(tmp_path / "candidates")
    bad = embedder.begin(listed([Word("cat")], "add", own, own), own, own)
    with pytest.raises(ConfigError, match="no place"):
        bad.result(20)
    words = listed([Word("house"), Word("face")], "replace", own, own)
    found, saved = embedder.begin(words, own, own).result(20)
    embedder.close()
    assert not embedder.busy
    assert load_candidates(tmp_path / "candidates", saved, 1).hash == found.hash


class Clip(Lengths):
    """Pictures lie by their first byte, far from texts; shrinking takes the second half off."""

    name = "clip:lengths"
    modalities: tuple[Modality, ...] = ("text", "image")
    ended = False

    def embed(self, items: Sequence[Item]) -> NDArray[np.float32]:
        if isinstance(items[0], str):
            return super().embed(items)
        rows = [[item[0], -1.0] for item in items if isinstance(item, bytes)]
        return np.array(rows, np.float32)

    def shrunk(self, pictures: Sequence[bytes]) -> list[bytes]:
        return [picture[: len(picture) // 2] for picture in pictures]

    def close(self) -> None:
        self.ended = True


def test_pictures_are_embedded_where_they_are_sent_and_words_elsewhere() -> None:
    space, own = Clip(), pool("cat", "dog", space=Clip.name)
    sent = [Word("owl", image=b"\x07owl"), Word("zebra"), Word("cat", image=b"\x09cat")]
    found = embed_chosen(listed(sent, "replace", own, own), own, own, space)
    assert found.vectors.tolist() == [[7, -1], [5, 1], [9, -1]]
    assert found.pictures == (b"\x07owl", b"", b"\x09cat")
    assert found.picture("owl") == b"\x07owl"
    assert found.picture("zebra") == found.picture("bee") == b""
    assert found.trained == (False, False, False)  # of that picture nothing was shown
    more = embed_chosen(listed([Word("dog")], "add", found, own), found, own, space)
    assert more.pictures == (b"\x07owl", b"", b"\x09cat", b"")
    assert more.vectors[:3].tolist() == found.vectors.tolist()
    none = embed_chosen(
        listed([Word("dog"), Word("zebra")], "replace", more, own), more, own, space
    )
    assert none.pictures == ()
    assert none.picture("dog") == b""


def test_where_pictures_have_no_place_or_no_room_they_are_refused() -> None:
    words = listed([Word("owl", image=b"x")], "add", OWN, OWN)
    with pytest.raises(
        ConfigError, match="'owl' has a picture, and sentence:lengths is a space"
    ):
        embed_chosen(words, OWN, OWN, Lengths())
    own = pool("cat", "dog", space=Clip.name)
    large = [Word(str(n), image=bytes([n]) * (MAX_PICTURES // 2)) for n in range(3)]
    with pytest.raises(ConfigError, match=f"more than {MAX_PICTURES}; set fewer"):
        embed_chosen(listed(large, "replace", own, own), own, own, Clip())

    class Pictures(Clip):
        modalities: tuple[Modality, ...] = ("image",)

    with pytest.raises(ConfigError, match="a word has no place; send its image"):
        embed_chosen(listed([Word("bee")], "add", own, own), own, own, Pictures())


def test_a_job_shrinks_what_was_sent_and_keeps_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choosing, "SpaceProcess", lambda _: Clip())
    own = pool("cat", "dog", space=Clip.name)
    embedder = Embedder(tmp_path / "candidates")
    words = listed([Word("owl", image=b"\x07o--")], "add", own, own)
    found, saved = embedder.begin(words, own, own).result(20)
    embedder.close()
    assert found.pictures == (b"", b"", b"\x07o")
    assert load_candidates(tmp_path / "candidates", saved, 1).pictures == found.pictures
