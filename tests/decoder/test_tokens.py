from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from decoder import tokens
from decoder.tokens import TokenFile, owners_token
from streaming.errors import ConfigError


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TokenFile:
    monkeypatch.setattr(tokens, "_LOOK", 0.0)
    return TokenFile(tmp_path / "new" / "tokens.json")


def test_a_token_is_found_until_it_is_revoked(file: TokenFile) -> None:
    serving = TokenFile(file.path)
    assert serving.find("any") is None
    token = file.create("participant", "button")
    found = serving.find(token)
    assert found is not None
    assert (found.role, found.name) == ("participant", "button")
    assert serving.find(token[:-1]) is None
    assert serving.find("") is None
    file.revoke("button")
    assert serving.find(token) is None


def test_one_of_the_same_name_is_another_token(file: TokenFile) -> None:
    file.create("viewer", "wall")
    first = file.named("wall")
    with pytest.raises(ConfigError, match="has a token 'wall'"):
        file.create("operator", "wall")
    file.revoke("wall")
    file.create("viewer", "wall")
    assert file.named("wall") != first


def test_the_file_is_its_owners_and_holds_no_token(file: TokenFile) -> None:
    token = file.create("viewer", "wall")
    assert file.path.stat().st_mode & 0o777 == 0o600
    assert token not in file.path.read_text()
    assert len(token) == 32
    assert list(file.path.parent.iterdir()) == [file.path]


def test_a_file_that_others_may_write_lets_nobody_in(
    file: TokenFile, caplog: pytest.LogCaptureFixture
) -> None:
    token = file.create("operator", "desk")
    assert file.find(token) is not None
    file.path.chmod(0o620)
    assert file.find(token) is None
    assert "chmod 600" in caplog.text
    with pytest.raises(ConfigError, match="chmod 600"):
        file.read()


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"tokens": 1}',
        '{"tokens": [{"name": "a"}]}',
        "[" * 100_000,
        json.dumps(
            {"tokens": [{"name": "a", "role": "viewer", "created": "", "sha256": "é" * 64}]}
        ),
        json.dumps({"tokens": [{"name": "a", "role": "x", "created": "", "sha256": "0" * 64}]}),
        json.dumps({"tokens": [{"name": "a", "role": "viewer", "created": "", "sha256": ""}]}),
    ],
)
def test_what_is_no_file_of_tokens_lets_nobody_in(file: TokenFile, content: str) -> None:
    token = file.create("operator", "desk")
    file.path.write_text(content)
    assert file.find(token) is None
    with pytest.raises(ConfigError):
        file.read()


@pytest.mark.parametrize("name", ["", "a" * 65, "line\nbreak"])
def test_names_are_short_and_printable(file: TokenFile, name: str) -> None:
    with pytest.raises(ConfigError, match="no name of a token"):
        file.create("viewer", name)
    assert not file.path.exists()


def test_what_is_not_there_cannot_be_revoked(file: TokenFile) -> None:
    file.create("viewer", "wall")
    with pytest.raises(ConfigError, match="no token 'door'; there are: wall"):
        file.revoke("door")


def test_two_commands_do_not_write_at_once(file: TokenFile) -> None:
    file.create("viewer", "wall")
    other = file.path.with_name("tokens.json.new")
    other.touch()
    with pytest.raises(ConfigError, match="another command writes"):
        file.create("viewer", "door")
    other.unlink()
    assert [entry.name for entry in file.read()] == ["wall"]


def test_who_starts_a_service_gets_a_token_unless_there_is_one(
    file: TokenFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BRAINCAST_TOKEN", raising=False)
    file.create("viewer", "wall")
    first, is_new = owners_token(file.path)
    assert is_new
    assert first != owners_token(file.path)[0]
    file.create("operator", "desk")
    assert owners_token(file.path) == ("", False)
    monkeypatch.setenv("BRAINCAST_TOKEN", "x" * 16)
    assert owners_token(file.path) == ("x" * 16, False)
    monkeypatch.setenv("BRAINCAST_TOKEN", "guess")
    with pytest.raises(ConfigError, match="5 characters and could be guessed"):
        owners_token(file.path)


def test_a_pipe_is_no_file_of_tokens(file: TokenFile) -> None:
    file.path.parent.mkdir()
    os.mkfifo(file.path, 0o600)
    with pytest.raises(ConfigError, match="is no file: name another"):
        file.read()
    assert file.find("any") is None
