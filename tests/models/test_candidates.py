from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.candidates import Candidates, demo_concepts, embed_candidates, read_candidates
from models.spaces import LabelSpace, open_space
from streaming.errors import ConfigError
from tests.models.pretrained import save_picture

SPACE = LabelSpace()


def write(folder: Path, text: str) -> Path:
    path = folder / "words.txt"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_list_of_words_is_read(tmp_path: Path) -> None:
    candidates = read_candidates(write(tmp_path, "dog\n\n fire engine \ncat\n"), SPACE)
    assert candidates.ids == candidates.texts == ("dog", "fire engine", "cat")
    assert candidates.trained == (True, True, True)
    assert candidates.index("cat") == 2
    assert candidates.index("car") is None


def test_a_table_is_read(tmp_path: Path) -> None:
    text = "candidate_id\ttext\tglyph\ttrained\nd\tdog\t🐕\t1\nc\tcat\t🐈\t0\ncar\n"
    candidates = read_candidates(write(tmp_path, text), SPACE)
    assert candidates.ids == ("d", "c", "car")
    assert candidates.texts == ("dog", "cat", "car")
    assert candidates.glyphs == ("🐕", "🐈", "")
    assert candidates.trained == (True, False, True)
    np.testing.assert_array_equal(candidates.vectors, np.eye(3))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty; write one word a line"),
        ("\n \n", "is empty"),
        ("dog\n", "1 candidates; a choice needs at least two"),
        ("dog\ncat\ndog\n", "line 3: 'dog' is on line 1 already"),
        ("text\tcolour\ndog\tred\n", "line 1: column 'colour' is unknown"),
        ("text\ttext\ndog\tdog\n", "line 1: column 'text' is there twice"),
        ("text\ttrained\ndog\tmaybe\ncat\t1\n", "line 2, column trained: 'maybe' is neither"),
        ("text\tglyph\n\tX\n", "line 2: no text"),
    ],
)
def test_a_bad_file_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        read_candidates(write(tmp_path, text), SPACE)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read"):
        read_candidates(tmp_path / "none", SPACE)


def test_the_hash_is_of_what_decides_a_ranking() -> None:
    one = embed_candidates(["a", "b"], ["x", "y"], SPACE)
    same = embed_candidates(["a", "b"], ["x", "y"], SPACE, glyphs=["1", "2"])
    assert one.hash == same.hash == replace(one, version=2, trained=(False, True)).hash
    assert len(one.hash) == 64
    others = (
        replace(one, ids=("a", "c")),
        replace(one, texts=("x", "z")),
        replace(one, ids=("ab", ""), texts=("x", "y")),
        replace(one, vectors=one.vectors + np.float32(1e-6)),
        replace(one, space="other"),
    )
    assert len({other.hash for other in others} | {one.hash}) == 6


def test_columns_that_do_not_fit_are_refused() -> None:
    one = embed_candidates(["a", "b"], ["x", "y"], SPACE)
    with pytest.raises(ValueError, match="must match"):
        replace(one, texts=("x",))
    with pytest.raises(ValueError, match="finite float32"):
        replace(one, vectors=one.vectors * np.float32(np.nan))
    with pytest.raises(ConfigError, match="more than one of x"):
        replace(one, texts=("x", "x"))
    with pytest.raises(ConfigError, match="at least two"):
        Candidates((), (), (), (), np.zeros((0, 2), np.float32), "labels")


def test_the_demo_has_300_concepts_of_which_100_are_never_trained() -> None:
    concepts = demo_concepts(SPACE)
    assert len(concepts) == 300
    assert sum(concepts.trained) == 200
    assert all(concepts.glyphs)


def test_pictures_are_candidates_in_a_space_of_pictures(tmp_path: Path) -> None:
    for colour in ("red", "green", "blue"):
        save_picture(tmp_path / f"{colour}.png", colour)
    (tmp_path / "c.tsv").write_text("text\tstim_file\nfire\tred.png\nleaf\tgreen.png\n")
    space = open_space("efficientnet")
    candidates = read_candidates(tmp_path / "c.tsv", space)
    files = [tmp_path / f"{colour}.png" for colour in ("red", "green", "blue")]
    red, green, blue = space.embed(files)
    np.testing.assert_array_equal(candidates.vectors, [red, green])
    assert candidates.space == "efficientnet"
    several = embed_candidates(["a", "b"], ["a", "b"], space, files=[files[:2], files[2:]])
    np.testing.assert_allclose(several.vectors, [(red + green) / 2, blue], atol=1e-5)
    with pytest.raises(ConfigError, match=r"embeds images and 'b' has no file; give the col"):
        embed_candidates(["a", "b"], ["a", "b"], space, files=[files, []])
