from __future__ import annotations

import json
from pathlib import Path

import pytest

from decoder.config import Config, SourceConfig
from decoder.folder import create_folder, new_session_id, open_folder, write_manifest
from models.checkpoint import load_model, save_model
from streaming.errors import SessionError
from streaming.link import Hello
from tests.decoder.tiny import SPEC, tiny_model

HELLO = Hello("amplifier", SPEC, (1.0, 1.0, 1e-6))


def test_a_folder_holds_all_that_is_needed_to_feed_it_again(tmp_path: Path) -> None:
    save_model(tiny_model(), tmp_path / "model")
    config = Config(source=SourceConfig(name="amplifier"))
    folder = create_folder(tmp_path / "sessions", "S", config, [tmp_path / "model"])
    write_manifest(folder, HELLO, config)
    again = open_folder(folder.path)
    manifest = again.manifest()
    assert manifest["source"] == "amplifier"
    assert tuple(manifest["to_si"]) == HELLO.to_si
    assert manifest["freshness"] == config.session.freshness
    served = again.config().session.models
    assert [(model.name, model.id) for model in served] == [("model", tiny_model().model_id)]
    assert again.config().source == config.source
    assert load_model(again.model).model_id == tiny_model().model_id


def test_a_manifest_is_written_once(tmp_path: Path) -> None:
    folder = create_folder(tmp_path, "S", Config())
    write_manifest(folder, HELLO, Config())
    before = (folder.path / "manifest.json").read_bytes()
    write_manifest(folder, Hello("another", SPEC, (1.0,) * 3), Config())
    assert (folder.path / "manifest.json").read_bytes() == before


def test_no_two_sessions_have_the_same_name() -> None:
    assert len({new_session_id() for _ in range(20)}) == 20


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SessionError, match="--record"):
        create_folder(tmp_path / "file", "S", Config())


def test_a_broken_manifest_is_said(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(SessionError, match="cannot be read"):
        open_folder(tmp_path)
    (tmp_path / "manifest.json").write_text(json.dumps({"format": 7}))
    with pytest.raises(SessionError, match="format 7"):
        open_folder(tmp_path)
