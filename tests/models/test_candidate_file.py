from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.candidate_file import load_candidates, save_candidates
from models.candidates import Candidates
from streaming.errors import SessionError

VECTORS = np.random.default_rng(0).standard_normal((2, 5)).astype(np.float32)
TWO = Candidates(("a", "b"), ("ä", "b\tc"), ("", "🐝"), (True, False), VECTORS, "labels", 7)


def test_what_was_kept_comes_back_but_for_its_version(tmp_path: Path) -> None:
    name = save_candidates(TWO, tmp_path / "kept")
    found = load_candidates(tmp_path / "kept", name, 3)
    assert (
        found.ids,
        found.texts,
        found.glyphs,
        found.trained,
        found.space,
        found.version,
    ) == (
        ("a", "b"),
        ("ä", "b\tc"),
        ("", "🐝"),
        (True, False),
        "labels",
        3,
    )
    assert np.array_equal(found.vectors, VECTORS)
    assert found.hash == TWO.hash


def test_the_name_is_of_all_that_is_kept(tmp_path: Path) -> None:
    others = [replace(TWO, glyphs=("", "x")), replace(TWO, vectors=VECTORS * 2)]
    names = {save_candidates(c, tmp_path) for c in (TWO, TWO, replace(TWO, version=9), *others)}
    assert len(names) == 3
    assert {path.name for path in tmp_path.iterdir()} == names


@pytest.mark.parametrize(
    "name", ["../x.safetensors", "a.safetensors", f"{'0' * 64}.safetensors"]
)
def test_what_is_not_there_or_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(SessionError, match="not what the session kept"):
        load_candidates(tmp_path, name, 1)


def test_a_full_disk_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SessionError, match="cannot keep the candidates"):
        save_candidates(TWO, tmp_path / "file")


def test_pictures_are_kept_and_decide_no_ranking(tmp_path: Path) -> None:
    shown = replace(TWO, pictures=(b"\xff\xd8one", b""))
    name = save_candidates(shown, tmp_path)
    found = load_candidates(tmp_path, name, 1)
    assert found.pictures == (b"\xff\xd8one", b"")
    assert found.hash == TWO.hash
    assert name != save_candidates(TWO, tmp_path)
    with pytest.raises(ValueError, match="ids has 2 entries, pictures 1"):
        replace(TWO, pictures=(b"x",))
