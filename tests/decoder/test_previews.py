from __future__ import annotations

from pathlib import Path

import pytest

from decoder.previews import FOLDER, file_name, path_of, read, save


def test_what_was_saved_is_read_again(tmp_path: Path) -> None:
    folder = tmp_path / FOLDER
    name = file_name("20261123T080000Z-1a2b/locked/12", 3)
    save(folder, name, b"png")
    assert read(folder, name) == b"png"
    assert [path.name for path in folder.iterdir()] == [name]


@pytest.mark.parametrize(
    "name",
    [None, 5, "", "..", ".", "../secret.png", "a/../b.png", "..\\secret.png", "C:b.png",
     "b.png\n", "\0b.png", "b\0.png", ".png", "b.part", "/b.png", "b.png/", "x" * 300],
)  # fmt: skip
def test_nothing_else_is_read_or_written_whatever_a_log_names(
    tmp_path: Path, name: object
) -> None:
    folder = tmp_path / FOLDER
    save(folder, "b.png", b"png")
    (tmp_path / "secret.png").write_bytes(b"secret")
    assert path_of(folder, name) is None
    assert read(folder, name) is None
    assert read(folder, str(tmp_path / "secret.png")) is None
    with pytest.raises(ValueError, match="is no name of a preview"):
        save(folder, str(name), b"png")


def test_what_was_deleted_is_no_picture_any_more(tmp_path: Path) -> None:
    assert read(tmp_path / FOLDER, "gone.png") is None
    assert read(tmp_path / FOLDER, "x" * 300 + ".png") is None
