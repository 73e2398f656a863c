from __future__ import annotations

import socket
from contextlib import closing
from pathlib import Path

import pytest

from models.hub import find_file, hub_answers, is_folder
from streaming.errors import ModelError


def test_a_file_in_a_folder_is_found(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{}")
    assert find_file(str(tmp_path), "a.json") == tmp_path / "a.json"
    with pytest.raises(ModelError, match=r"no b.json in '.*' \(no such file\); give a folder"):
        find_file(str(tmp_path), "b.json")
    assert is_folder(str(tmp_path / "none"))
    assert not is_folder("owner/model")


def test_what_is_kept_of_the_hub_is_found_without_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the client keeps it: a snapshot, and the name of the newest."""
    home = tmp_path / "models--owner--model"
    (home / "snapshots" / "0a" / "unet").mkdir(parents=True)
    (home / "refs").mkdir()
    (home / "refs" / "main").write_text("0a")
    (home / "snapshots" / "0a" / "unet" / "config.json").write_text("{}")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("models.hub.hub_answers", lambda: False)
    assert find_file("owner/model", "unet/config.json").read_text() == "{}"
    with pytest.raises(ModelError, match="not on this machine, and the hub does not answer"):
        find_file("owner/model", "vae/config.json")


def test_a_hub_behind_a_closed_door_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.hub.getproxies", dict)
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", address)
        assert hub_answers()
    assert not hub_answers()
