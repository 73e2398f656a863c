from __future__ import annotations

from pathlib import Path

import pytest

from decoder.previews import FOLDER, file_name, read, save


def test_what_was_saved_is_read_again(tmp_path: Path) -> None:
    folder = tmp_path / FOLDER
    name = file_name("20261123T080000Z-1a2b/locked/12", 3)
    save(folder / name, b"png")
    assert read(folder, name) == b"png"
    assert [path.name for path in folder.iterdir()] == [name]


@pytest.mark.parametrize("name", [None, "", "gone.png", "..", "../secret.png", "a/../b.png"])
def test_nothing_else_is_read_whatever_a_log_names(tmp_path: Path, name: str | None) -> None:
    folder = tmp_path / FOLDER
    save(folder / "b.png", b"png")
    (tmp_path / "secret.png").write_bytes(b"secret")
    assert read(folder, name) is None
    assert read(folder, str(tmp_path / "secret.png")) is None
