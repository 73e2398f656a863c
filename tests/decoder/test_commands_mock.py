from __future__ import annotations

from pathlib import Path

import pytest

from decoder import mock
from decoder.cli import main
from decoder.script import GOLDEN, read_script
from tests.decoder.complaining import complaint


def test_it_prints_where_it_is_and_what_it_says(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BRAINCAST_TOKEN", "secret")
    monkeypatch.setattr(mock.Mock, "run", lambda _, announce: announce())
    assert main(["mock", "--port", "0"]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("http://127.0.0.1:")
    assert said.out.endswith("/#token=secret\n")
    assert f"{len(read_script(GOLDEN).lines)} events of golden-things" in said.err


def test_what_it_cannot_say_is_refused(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert "--fault" in complaint(capfd, "mock", "--fault", "flood", "--port", "0")
    assert "none.jsonl" in complaint(capfd, "mock", tmp_path / "none.jsonl", "--port", "0")
